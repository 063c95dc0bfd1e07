"""Jobs: long work that people ask for in the console and a worker does, handed over in the store.

A job is queued, then running under a lease that its worker renews, then done, failed or cancelled. Each change is a pure
function here; a store applies it only to the state it was made for. A worker that is killed lets its lease lapse, and
the job is taken again, MOST_ATTEMPTS times at most. Times are ms since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from alerts.custody.audit import SYSTEM, AuditEntry
from alerts.job_requests import Request, encode_request, kind_of
from alerts.rights import require
from models.errors import JobError

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")
MOST_ATTEMPTS = 3
MOST_WAITING = 20
"""Jobs that may be queued or running at a time."""
KEPT = 200
"""Newest jobs kept; with their results."""
MAX_RESULT_BYTES = 8 << 20
_LIMITS = {"actor": 128, "role": 64, "key": 256}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job. number: in the order of requests. request: JSON (job_requests.py). result is kept beside it.

    attempt: how often it was taken. worker, lease_until: who has it, and until when without a renewal. progress: share
    done, 0 where nobody can tell. error: why it failed, for people. ended_by, ended_as: who cancelled it, in which role.
    """

    id: str
    number: int
    kind: str
    request: str
    actor: str
    role: str
    requested_at: int
    state: State = "queued"
    attempt: int = 0
    worker: str = ""
    lease_until: int = 0
    started_at: int = 0
    finished_at: int = 0
    progress: float = 0.0
    error: str = ""
    ended_by: str = ""
    ended_as: str = ""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded stream the worker can read. truth: its ground truth is there too. lines: entries, if known."""

    name: str
    size: int
    modified_at: int
    truth: bool = False
    lines: int | None = None


class Jobs(Protocol):
    """The part of the Store for jobs (alerts/memory_jobs.py, alerts/redis_jobs.py)."""

    def request_job(self, request: Request, actor: str, role: str, key: str, now: int) -> Job:
        """Queue a job, audited. The same key (drawn once a form) gives the same job again, whatever became of it.

        Raises RefusedError for a role that may not ask, JobError for what cannot be asked or while MOST_WAITING wait.
        """

    def cancel_job(self, job_id: str, actor: str, role: str, now: int) -> bool:
        """End a job that waits or runs, audited; False: it is over. Its worker notices when it renews its lease.

        Raises RefusedError for a role that may not.
        """

    def job(self, job_id: str) -> Job | None: ...
    def jobs(self, limit: int) -> list[Job]:
        """Newest first."""

    def job_result(self, job_id: str) -> str:
        """JSON of a job that is done, "" of any other."""

    # the worker
    def take_job(self, worker: str, now: int, lease_ms: int) -> Job | None:
        """The oldest job that is queued or whose lease lapsed, now running for `worker`; None: nothing to do."""

    def renew_job(self, job_id: str, worker: str, now: int, lease_ms: int, progress: float) -> bool:
        """Keep it; False: it is no longer `worker`'s."""

    def finish_job(self, job_id: str, worker: str, now: int, *, result: str = "", error: str = "") -> bool:
        """End it, done with a result or failed with an error; False: it is no longer `worker`'s."""

    def release_job(self, job_id: str, worker: str) -> bool:
        """Put it back, because the worker stops; it does not count as an attempt."""

    def put_recordings(self, recordings: list[Recording]) -> None: ...
    def recordings(self) -> list[Recording]:
        """What the worker offers, by name; as of its last look."""


Change = Callable[[Job], Job | None]
"""The job after a change; None: the change does not fit its state."""


def job_of(request: Request, actor: str, role: str, key: str, now: int) -> Job:
    """A new job; its number comes from the store. Raises RefusedError and JobError."""
    _one_line(actor=actor, role=role, key=key)
    kind = kind_of(request)
    require(role, f"{kind}.request")
    id_ = "job_" + hashlib.sha256(f"{kind}\x1f{key}".encode()).hexdigest()[:24]
    return Job(
        id=id_, number=0, kind=kind, request=encode_request(request), actor=actor, role=role, requested_at=now
    )


def waits(job: Job, now: int) -> bool:
    """True when a worker may take it."""
    return job.state == "queued" or (job.state == "running" and job.lease_until <= now)


def taken(worker: str, now: int, lease_ms: int) -> Change:
    """Running for `worker`; failed when it was taken too often."""

    def change(job: Job) -> Job | None:
        if not waits(job, now):
            return None
        if job.attempt >= MOST_ATTEMPTS:
            return ended(
                job,
                now,
                f"its worker ended {job.attempt} times before it was done: see the log of the process `jobs`",
            )
        return msgspec.structs.replace(
            job, state="running", attempt=job.attempt + 1, worker=worker, lease_until=now + lease_ms,
            started_at=now, progress=0.0,
        )  # fmt: skip

    return change


def renewed(worker: str, now: int, lease_ms: int, progress: float) -> Change:
    """The lease goes on from now."""
    share = min(max(progress, 0.0), 1.0)
    return lambda job: (
        msgspec.structs.replace(job, lease_until=now + lease_ms, progress=share)
        if _has(job, worker)
        else None
    )


def finished(worker: str, now: int, error: str) -> Change:
    """Done, or failed with an error."""
    return lambda job: ended(job, now, error) if _has(job, worker) else None


def cancelled(actor: str, role: str, now: int) -> Change:
    """Ended by a person, whether it waits or runs. The role was asked about by may_cancel."""
    return lambda job: (
        None
        if job.state in FINISHED
        else msgspec.structs.replace(
            job, state="cancelled", finished_at=now, lease_until=0, ended_by=actor, ended_as=role
        )
    )


def may_cancel(job: Job | None, actor: str, role: str) -> None:
    """Raise RefusedError when the role may not cancel such a job, JobError for no name."""
    _one_line(actor=actor, role=role)
    if job is not None:
        require(role, f"{job.kind}.cancel")


def released(worker: str) -> Change:
    """Queued again, as if it had not been taken."""
    return lambda job: (
        msgspec.structs.replace(
            job, state="queued", attempt=job.attempt - 1, worker="", lease_until=0, started_at=0, progress=0.0
        )
        if _has(job, worker)
        else None
    )


def ended(job: Job, now: int, error: str) -> Job:
    """The job with its end."""
    return msgspec.structs.replace(
        job, state="failed" if error else "done", finished_at=now, lease_until=0, error=error[:2000],
        progress=job.progress if error else 1.0,
    )  # fmt: skip


def checked_result(result: str) -> str:
    """The result, if it can be kept. Raises JobError."""
    if len(result.encode()) > MAX_RESULT_BYTES:
        raise JobError(
            f"the result has more than {MAX_RESULT_BYTES} bytes: ask for less, such as a limit",
            zh=f"结果超过 {MAX_RESULT_BYTES} 字节：请减少内容，例如设上限",
        )
    return result


def requested_entry(job: Job) -> AuditEntry:
    """What the audit chain says of a request; a large pack is named by its digest."""
    digest = hashlib.sha256(job.request.encode()).hexdigest()
    after = {"kind": job.kind, "request_sha256": digest}
    return AuditEntry(job.actor, job.role, "requested", "job", job.id, job.requested_at, after=after)


def ended_entry(job: Job) -> AuditEntry:
    """What the audit chain says of an end."""
    if job.state == "cancelled":
        return AuditEntry(job.ended_by, job.ended_as, "cancelled", "job", job.id, job.finished_at)
    return AuditEntry(
        SYSTEM, SYSTEM, "finished" if job.state == "done" else "failed", "job", job.id, job.finished_at,
        job.error[:1000],
    )  # fmt: skip


def _one_line(**given: str) -> None:
    for name, text in given.items():
        if not 0 < len(text) <= _LIMITS[name] or not text.isprintable():
            raise JobError(
                f"{name} is one line of 1 to {_LIMITS[name]} characters, not {text!r:.60}",
                zh=f"{name} 须为一行，1 至 {_LIMITS[name]} 个字符",
            )


def _has(job: Job, worker: str) -> bool:
    return job.state == "running" and job.worker == worker
