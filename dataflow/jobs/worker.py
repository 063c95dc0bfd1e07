"""The worker: waits for jobs at next to no cost, runs one at a time, and keeps its lease while it does."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.private_files import make_private_directory
from alerts.jobs import Job
from alerts.redis_link import RedisLink
from alerts.store import Store
from dataflow.backtest.recordings import recordings_in
from dataflow.jobs.process import Asked, Said
from dataflow.observe.logs import log, logger
from dataflow.parent import PARENT_FD
from dataflow.scoring import now_ms
from models.errors import JobError, StoreError

POLL_S = 1.0
LEASE_MS = 30_000
RENEW_S = 5.0
BEAT_MS = 5_000
LOOK_MS = 30_000
"""Time between two looks at the folder of recordings."""
STOP_S = 10.0


class JobWorker:
    """command: starts the process of a job (dataflow/jobs/process.py). recordings: the folder that is offered."""

    def __init__(
        self, store: Store, link: RedisLink, command: Sequence[str], recordings: Path, time_limit_s: float
    ) -> None:
        make_private_directory(recordings)
        self._store, self._link, self._command = store, link, list(command)
        self._folder, self._limit = recordings, time_limit_s
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._beaten = self._looked = 0

    def run(self, stopping: Callable[[], bool], wait: Callable[[float], Any]) -> None:
        """Work until told to stop. A store that does not answer is asked again."""
        while not stopping():
            try:
                found = self.step(stopping)
            except StoreError as error:
                log(logger("jobs"), logging.WARNING, "store_away", error)
                found = False
            if not found:
                wait(POLL_S)

    def step(self, stopping: Callable[[], bool]) -> bool:
        """Do the next job; False when there is none."""
        now = now_ms()
        if not 0 <= now - self._looked < LOOK_MS:
            self._looked = now
            self._store.put_recordings(recordings_in(self._folder, self._link))
        job = self._store.take_job(self.name, now, LEASE_MS)
        if job is None:
            if not 0 <= now - self._beaten < BEAT_MS:
                self._beat(now, "")
            return False
        self._do(job, stopping)
        self._beat(now_ms(), "")
        return True

    def _do(self, job: Job, stopping: Callable[[], bool]) -> None:
        asked = Asked(job.kind, job.request, job.id, job.actor, job.role)
        process = _Process(self._command, asked)
        try:
            error = self._follow(job, process, stopping)
        finally:
            process.end()
        if error is None:
            return
        said = process.said
        try:
            self._store.finish_job(job.id, self.name, now_ms(), result=said.result or "", error=error)
        except JobError as refused:
            self._store.finish_job(job.id, self.name, now_ms(), error=str(refused))

    def _follow(self, job: Job, process: _Process, stopping: Callable[[], bool]) -> str | None:
        """Wait for its end; what went wrong ("": nothing), or None when the job is no longer ours."""
        began = renewed = time.monotonic()
        while process.wait(0.25) is None:
            now = time.monotonic()
            if stopping():
                self._store.release_job(job.id, self.name)
                return None
            if now - began > self._limit:
                return f"it took longer than {self._limit:g} s: ask for less, or raise jobs.time_limit_s"
            if now - renewed >= RENEW_S:
                renewed = now
                self._beat(now_ms(), job.id)
                if not self._store.renew_job(
                    job.id, self.name, now_ms(), LEASE_MS, process.said.progress or 0.0
                ):
                    return None
        said = process.said
        if said.error is not None:
            return said.error or "failed"
        if said.result is not None:
            return ""
        code = process.wait(0.0)
        if stopping():
            self._store.release_job(job.id, self.name)
            return None
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return f"its process ended ({how}) before it was done: memory may have run out; see the log of the process `jobs`"

    def _beat(self, now: int, job: str) -> None:
        self._beaten = now
        self._store.beat(
            "jobs", {"status": "running" if job else "live", "pid": os.getpid(), "job": job}, now
        )


class _Process:
    """A job's process. said: the last it said. It ends with this process, whatever way that ends."""

    def __init__(self, command: Sequence[str], asked: Asked) -> None:
        self.said = Said()
        # The process holds the read end; the write end closes with us.
        read, self._alive = os.pipe()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(read,),
                env={**os.environ, PARENT_FD: str(read)},
            )  # fmt: skip
        finally:
            os.close(read)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            assert self._process.stdin is not None
            with self._process.stdin as given:
                given.write(msgspec.json.encode(asked))
        except BrokenPipeError:
            pass  # it is gone already, and its exit code says how

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self.said = msgspec.json.decode(line, type=Said)
            except msgspec.DecodeError:
                continue

    def wait(self, seconds: float) -> int | None:
        """Its exit code once all it said is read, None while it runs."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._listener.join()
        return code

    def end(self) -> None:
        """SIGTERM, a grace time, SIGKILL."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._listener.join()
        os.close(self._alive)
