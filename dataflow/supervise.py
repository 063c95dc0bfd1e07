"""Keeps child processes alive: restart with back-off, say so, and leave none behind.

Every child holds the read end of one pipe; only the supervisor has the write end, so the children end with it
even when it is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from dataflow.parent import PARENT_FD
from dataflow.worker import RESTARTS
from models.errors import StoreError

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CALM_S = 60.0
GRACE_S = 15.0


class Child:
    """One supervised process. log: where its output goes. back_off: seconds before it is started again, the first time,
    the second …; after CALM_S without a crash it begins anew."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None,
        back_off: Sequence[float] = BACK_OFF_S,
    ) -> None:  # fmt: skip
        self._back_off = back_off
        self.name, self._command, self._log, self._environment = name, list(command), log, environment or {}
        self.restarts = 0
        self.last_exit: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self.started_at = 0
        """When it was started last, ms since the epoch."""
        self._recent = 0
        self._due = 0.0

    @property
    def pid(self) -> int:
        """Process id, 0 when it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self, pipe: int) -> None:
        """Start it; `pipe` is the read end of the supervisor's pipe."""
        environment = {**os.environ, **self._environment, PARENT_FD: str(pipe), RESTARTS: str(self.restarts)}
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=(pipe,),
            )
        self._started, self.started_at = time.monotonic(), time.time_ns() // 1_000_000

    def watch(self, pipe: int, now: float) -> str | None:
        """Restart it when it is gone and its back-off is over; a line about what happened, or None."""
        if self._process is None or self._process.poll() is None:
            if self._process is not None and now - self._started > CALM_S:
                self._recent = 0
            return None
        if self._due == 0.0:
            self.last_exit = self._process.returncode
            wait = self._back_off[min(self._recent, len(self._back_off) - 1)]
            self._due = now + wait
            return f"{self.name} ended ({_exit(self.last_exit)}); restart in {wait:g} s - log: {self._log}"
        if now < self._due:
            return None
        self._due = 0.0
        self.restarts += 1
        self._recent += 1
        self.start(pipe)
        return f"{self.name} restarted (number {self.restarts})"

    def stop(self) -> None:
        """SIGTERM, a grace time, SIGKILL."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None


class Starts(Protocol):
    """dataflow.embedded.EmbeddedValkey, as far as it matters here."""

    def start(self) -> object: ...
    def alive(self) -> bool: ...


class Revived:
    """Starts the embedded store again when it has ended; one that cannot start (a full disk) is tried again and again."""

    def __init__(self, server: Starts) -> None:
        self._server = server
        self._failed, self._due = 0, 0.0

    def watch(self, now: float) -> str | None:
        """One look; what happened, or None. now: monotonic seconds."""
        if self._server.alive() or now < self._due:
            return None
        try:
            self._server.start()
        except StoreError as error:
            wait = BACK_OFF_S[min(self._failed, len(BACK_OFF_S) - 1)]
            self._failed, self._due = self._failed + 1, now + wait
            return f"store ended and does not start; next try in {wait:g} s - {error}"
        self._failed = 0
        return "store ended; started again"


class Supervisor:
    """Starts children in order, watches them, stops them in the opposite order of their need."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._read, self._write = os.pipe()

    def add(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        self.children.append(child)
        child.start(self._read)

    def watch(self) -> list[str]:
        """One round over the children; what happened."""
        now = time.monotonic()
        return [line for child in self.children if (line := child.watch(self._read, now)) is not None]

    def status(self) -> dict[str, str | int | float]:
        """For the console and the observer: pids, starts (ms) and restarts by child."""
        out: dict[str, str | int | float] = {"status": "live", "pid": os.getpid()}
        for child in self.children:
            out[f"{child.name}_pid"] = child.pid
            out[f"{child.name}_started"] = child.started_at
            out[f"{child.name}_restarts"] = child.restarts
            if child.last_exit is not None:
                out[f"{child.name}_last_exit"] = child.last_exit
        out["restarts"] = sum(child.restarts for child in self.children)
        return out

    def stop(self) -> None:
        """Stop all: senders of work first, then those that finish it."""
        for child in reversed(self.children):
            child.stop()
        os.close(self._write)
        os.close(self._read)


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a child in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
