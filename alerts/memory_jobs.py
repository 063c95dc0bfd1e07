"""Jobs in this process's memory. See alerts/jobs.py."""

from __future__ import annotations

import msgspec

from alerts import jobs
from alerts.audit_trail import MemoryAudit
from alerts.job_requests import Request
from alerts.job_steps import JobSteps
from alerts.jobs import FINISHED, KEPT, MOST_WAITING, Change, Job, Recording
from models.errors import JobError


class MemoryJobs(JobSteps, MemoryAudit):
    """See alerts.jobs.Jobs."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}
        self._results: dict[str, str] = {}
        self._recordings: list[Recording] = []
        self._requested = 0

    def request_job(self, request: Request, actor: str, role: str, key: str, now: int) -> Job:
        new = jobs.job_of(request, actor, role, key, now)
        with self._lock:
            if new.id not in self._jobs:
                if sum(job.state not in FINISHED for job in self._jobs.values()) >= MOST_WAITING:
                    raise JobError(
                        f"{MOST_WAITING} jobs wait already: let some finish first",
                        zh=f"已有 {MOST_WAITING} 个任务等待：请等其中一些完成",
                    )
                self._requested += 1
                self._jobs[new.id] = msgspec.structs.replace(new, number=self._requested)
                for old in list(self._jobs.values())[: max(0, len(self._jobs) - KEPT)]:
                    if old.state in FINISHED:
                        del self._jobs[old.id]
                        self._results.pop(old.id, None)
            job = self._jobs[new.id]
        self.append_audit(jobs.requested_entry(job), f"{job.id}:requested")
        return job

    def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def jobs(self, limit: int) -> list[Job]:
        with self._lock:
            return list(self._jobs.values())[::-1][: max(limit, 0)]

    def job_result(self, job_id: str) -> str:
        return self._results.get(job_id, "")

    def _waiting(self) -> list[Job]:
        return self.jobs(KEPT)[::-1]

    def put_recordings(self, recordings: list[Recording]) -> None:
        self._recordings = sorted(recordings, key=lambda recording: recording.name)

    def recordings(self) -> list[Recording]:
        return list(self._recordings)

    def _change_job(self, job_id: str, change: Change, result: str = "") -> Job | None:
        with self._lock:
            before = self._jobs.get(job_id)
            after = None if before is None else change(before)
            if after is None:
                return None
            self._jobs[job_id] = after
            if result:
                self._results[job_id] = result
        if after.state in FINISHED:
            self.append_audit(jobs.ended_entry(after), f"{after.id}:ended")
        return after
