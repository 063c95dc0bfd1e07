"""Checkpoints written beside the flow, by a child process that has the memory of the moment it was forked in.

The flow pauses for the fork (a few milliseconds) instead of for hashing and writing; pages that it changes meanwhile are
copied by the kernel. Redis and Valkey save in the same way. Where there is no fork, and at the flow's end, the checkpoint
is written at once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from dataflow.checkpoint import Checkpoints
from dataflow.observe.logs import log, logger
from dataflow.progress import Mark, Position, Progress
from models.engine import Engine
from models.entities import Arrays
from models.errors import SnapshotError
from models.freezing import freeze
from models.vectors import SLACK

ORPHAN_S = 60.0
"""How long a child that outlived its parent is waited for when the flow starts again."""
COST = 0.1
"""A checkpoint takes at most so much of the CPU time that the flow itself has used since the last one began: a larger
state is saved more rarely. What is done again after a kill is bounded by the same measure."""
LONGEST_S = 30.0
"""Seconds after which a checkpoint is due, however little the flow has done: input is kept until then."""
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"


class _Child(NamedTuple):
    process: int
    mark: Mark
    placed: int
    started: float
    used: float


class Background:
    """Takes checkpoints of one engine into `checkpoints` and tells `progress` of them."""

    def __init__(self, checkpoints: Checkpoints, progress: Progress) -> None:
        self._checkpoints, self._progress = checkpoints, progress
        self._child: _Child | None = None
        self._lock = checkpoints.directory / "writer.lock"
        self._due_used, self._due_at, self._last = 0.0, 0.0, 0
        self._wait_for_orphan()

    def loaded(self, used: float) -> None:
        """The flow goes on from a checkpoint whose loading took so much CPU time, s: about what writing one takes."""
        self._due_used = time.process_time() + used / COST
        self._due_at = time.monotonic() + LONGEST_S

    def checkpoint(self, engine: Engine, packets: int, position: Position) -> int:
        """An epoch closes: begin a checkpoint unless one is being written; the number to resume from now, 0 for none."""
        if self._progress.ending:
            return self._last
        self.look(engine)
        if self._child is None and (
            time.process_time() >= self._due_used or time.monotonic() >= self._due_at
        ):
            self._begin(engine, packets, position)
        reached = self._progress.reached
        return 0 if reached is None else reached.number

    def look(self, engine: Engine) -> None:
        """Take note when the child is done; wait for it when the flow is about to overwrite what it still reads."""
        child = self._child
        if child is None:
            return
        # Vectors lie in a file that both share; this many may be put before one that the checkpoint needs is gone.
        late = engine.vectors.placed - child.placed > SLACK
        process, status, used = os.wait4(child.process, 0 if late else os.WNOHANG)
        if process == 0:
            return
        self._child = None
        self._due_used = child.used + (used.ru_utime + used.ru_stime) / COST
        self._due_at = child.started + LONGEST_S
        if os.waitstatus_to_exitcode(status) == 0:
            self._progress.written(child.mark)
        else:
            # The flow goes on and tries again.
            log(logger("scorer"), logging.ERROR, "checkpoint_not_written", number=child.mark.number)

    def finish(self, engine: Engine, packets: int, position: Position) -> None:
        """The flow ends: one last checkpoint, waited for."""
        if self._child is not None:
            os.waitpid(self._child.process, 0)
            self._child = None
        number = self._checkpoints.save(*freeze(engine), self._next(), position)
        self._progress.written(Mark(packets, number, position))
        self._progress.ending = True
        self._last = number

    def _next(self) -> int:
        known = self._checkpoints.numbers()
        reached = self._progress.reached
        return max(known[-1] if known else 0, reached.number if reached else 0) + 1

    def _begin(self, engine: Engine, packets: int, position: Position) -> None:
        number = self._next()
        mark = Mark(packets, number, position)
        arrays, meta = freeze(engine)
        if not CAN_FORK:
            self._checkpoints.save(arrays, meta, number, position)
            self._progress.written(mark)
            return
        parent, started, used = os.getpid(), time.monotonic(), time.process_time()
        process = os.fork()
        if process == 0:
            # Nothing of Bytewax, of the store or of the interpreter's own ending may run in the child.
            os._exit(self._write(lambda: os.getppid() == parent, arrays, meta, number, position))
        self._child = _Child(process, mark, engine.vectors.placed, started, used)

    def _write(
        self, wanted: Callable[[], bool], arrays: Arrays, meta: bytes, number: int, position: Position
    ) -> int:
        """In the child: write the checkpoint. The lock tells a successor that an orphan is still writing."""
        try:
            with self._lock.open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not wanted():
                    return 1
                os.nice(5)
                self._checkpoints.adopt_newest()
                self._checkpoints.save(arrays, meta, number, position)
        except BaseException as error:  # noqa: BLE001 -- the child has nobody to raise to
            log(logger("scorer"), logging.ERROR, "checkpoint_failed", error, number=number)
            return 1
        return 0

    def _wait_for_orphan(self) -> None:
        """A parent that was killed may have left a child that is still writing."""
        ends = time.monotonic() + ORPHAN_S
        with self._lock.open("wb") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except OSError:
                    if time.monotonic() > ends:
                        raise SnapshotError(
                            f"{self._checkpoints.directory}: another process has been writing a checkpoint for "
                            f"{ORPHAN_S:g} s; stop the other scorer"
                        ) from None
                    time.sleep(0.05)
