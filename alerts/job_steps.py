"""What a worker does with jobs, the same in every store: it reads those that wait and changes one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod

from alerts import jobs
from alerts.jobs import Change, Job


class JobSteps(ABC):
    """See alerts.jobs.Jobs. A store gives the two it stands on."""

    @abstractmethod
    def job(self, job_id: str) -> Job | None:
        """The job as it is."""

    @abstractmethod
    def _waiting(self) -> list[Job]:
        """Jobs that are not finished (finished ones may be among them), the oldest first."""

    @abstractmethod
    def _change_job(self, job_id: str, change: Change, result: str = "") -> Job | None:
        """Apply a change, with the result to keep, to the job as it is; None when it does not fit. Audits an end."""

    def take_job(self, worker: str, now: int, lease_ms: int) -> Job | None:
        for job in self._waiting():
            if jobs.waits(job, now):
                taken = self._change_job(job.id, jobs.taken(worker, now, lease_ms))
                if taken is not None and taken.state == "running":
                    return taken
        return None

    def renew_job(self, job_id: str, worker: str, now: int, lease_ms: int, progress: float) -> bool:
        return self._change_job(job_id, jobs.renewed(worker, now, lease_ms, progress)) is not None

    def finish_job(self, job_id: str, worker: str, now: int, *, result: str = "", error: str = "") -> bool:
        kept = jobs.checked_result(result)
        return self._change_job(job_id, jobs.finished(worker, now, error), kept) is not None

    def cancel_job(self, job_id: str, actor: str, role: str, now: int) -> bool:
        jobs.may_cancel(self.job(job_id), actor, role)
        return self._change_job(job_id, jobs.cancelled(actor, role, now)) is not None

    def release_job(self, job_id: str, worker: str) -> bool:
        return self._change_job(job_id, jobs.released(worker)) is not None
