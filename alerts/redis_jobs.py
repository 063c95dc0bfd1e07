"""Jobs in the store. See alerts/jobs.py.

Keys: `job:<id>`, `job:<id>:result`, `jobs` (sorted set: id → number), `jobs:waiting` (the same of those queued or
running), `jobs:count` (requests so far), `recordings`. Changes are made by optimistic locking (WATCH, MULTI): the pure
function of jobs.py is applied to what was read, and written only if that is still there.
"""

from __future__ import annotations

from typing import Any

import msgspec
import redis

from alerts import jobs
from alerts.audit_trail import RedisAudit
from alerts.job_requests import Request
from alerts.job_steps import JobSteps
from alerts.jobs import FINISHED, KEPT, MOST_WAITING, Change, Job, Recording
from models.errors import JobError, StoreError

_TRIES = 20


class RedisJobs(JobSteps, RedisAudit):
    """See alerts.jobs.Jobs."""

    def request_job(self, request: Request, actor: str, role: str, key: str, now: int) -> Job:
        job = self._queued(jobs.job_of(request, actor, role, key, now))
        self.append_audit(jobs.requested_entry(job), f"{job.id}:requested")
        return job

    def _queued(self, new: Job) -> Job:
        """The job as it is kept: there before, or new with its number."""
        key, waiting = self._key(f"job:{new.id}"), self._key("jobs:waiting")
        number = 0
        with self._link.speaking() as client, client.pipeline(transaction=True) as pipe:
            for _ in range(_TRIES):
                try:
                    pipe.watch(key, waiting)
                    found = pipe.get(key)
                    if found is not None:
                        return _job(found)
                    if pipe.zcard(waiting) >= MOST_WAITING:
                        raise JobError(
                            f"{MOST_WAITING} jobs wait already: let some finish first",
                            zh=f"已有 {MOST_WAITING} 个任务等待：请等其中一些完成",
                        )
                    number = number or int(pipe.incr(self._key("jobs:count")))
                    job = msgspec.structs.replace(new, number=number)
                    old = self._forgotten(pipe)
                    pipe.multi()
                    pipe.set(key, msgspec.msgpack.encode(job))
                    pipe.zadd(self._key("jobs"), {job.id: number})
                    pipe.zadd(waiting, {job.id: number})
                    for id_ in old:
                        pipe.zrem(self._key("jobs"), id_)
                        pipe.delete(self._key(f"job:{id_}"), self._key(f"job:{id_}:result"))
                    pipe.execute()
                    return job
                except redis.WatchError:
                    continue
        raise self._busy(new.id)

    def _forgotten(self, pipe: Any) -> list[str]:
        """Finished jobs that a new one leaves no room for."""
        old = pipe.zrange(self._key("jobs"), 0, -KEPT)
        waiting = set(pipe.zrange(self._key("jobs:waiting"), 0, -1))
        return [id_.decode() for id_ in old if id_ not in waiting]

    def job(self, job_id: str) -> Job | None:
        found = self._one("GET", self._key(f"job:{job_id}"))
        return None if found is None else _job(found)

    def jobs(self, limit: int) -> list[Job]:
        if limit < 1:
            return []
        return self._jobs_of(self._one("ZREVRANGE", self._key("jobs"), 0, limit - 1))

    def job_result(self, job_id: str) -> str:
        return (self._one("GET", self._key(f"job:{job_id}:result")) or b"").decode()

    def _waiting(self) -> list[Job]:
        return self._jobs_of(self._one("ZRANGE", self._key("jobs:waiting"), 0, -1))

    def put_recordings(self, recordings: list[Recording]) -> None:
        ordered = sorted(recordings, key=lambda recording: recording.name)
        self._one("SET", self._key("recordings"), msgspec.msgpack.encode(ordered))

    def recordings(self) -> list[Recording]:
        found = self._one("GET", self._key("recordings"))
        return [] if found is None else msgspec.msgpack.decode(found, type=list[Recording])

    def _jobs_of(self, ids: list[bytes]) -> list[Job]:
        found = self._one("MGET", *(self._key(f"job:{id_.decode()}") for id_ in ids)) if ids else []
        return [_job(data) for data in found if data is not None]

    def _change_job(self, job_id: str, change: Change, result: str = "") -> Job | None:
        key = self._key(f"job:{job_id}")
        with self._link.speaking() as client, client.pipeline(transaction=True) as pipe:
            for _ in range(_TRIES):
                try:
                    pipe.watch(key)
                    found = pipe.get(key)
                    after = None if found is None else change(_job(found))
                    if after is None:
                        return None
                    pipe.multi()
                    pipe.set(key, msgspec.msgpack.encode(after))
                    if result:
                        pipe.set(f"{key}:result", result)
                    if after.state in FINISHED:
                        pipe.zrem(self._key("jobs:waiting"), job_id)
                    pipe.execute()
                    break
                except redis.WatchError:
                    continue
            else:
                raise self._busy(job_id)
        if after.state in FINISHED:
            self.append_audit(jobs.ended_entry(after), f"{after.id}:ended")
        return after

    def _busy(self, job_id: str) -> StoreError:
        return StoreError(f"{self._link.where}: {job_id} keeps changing: a second worker writes; stop one")


def _job(data: bytes) -> Job:
    return msgspec.msgpack.decode(data, type=Job)
