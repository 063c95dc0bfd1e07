"""Where a drill is played: in memory, on two servers whose primary is killed, on a machine that is lost and restored.

A stage gives the flow its store, looks after every tick, and says in the end which decisions were lost or made twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.response.containing import ResponseStore
from alerts.response.core import ResponseCore
from dataflow.drill.live_flow import LiveFlow
from dataflow.drill.servers import Pair, replicated
from dataflow.virtual_flow import VirtualFlow
from models.decision import Decision
from models.engine import Engine

NOTICED_AFTER_MS = 4000
"""Three missed looks in a row: then the successor takes over (heartbeats: down after three)."""
EPOCH_MS = 5000
Acts = Callable[[int], None]


class Report(msgspec.Struct, frozen=True):
    """What a loss cost. lost: decisions gone; doubled: made twice, or another the second time; seconds: until back."""

    lost: int = 0
    doubled: int = 0
    seconds: float | None = None


class Stage(Protocol):
    """See the module's docstring."""

    def open(self, now: int) -> ResponseStore: ...
    def flow(self, engine: Engine, core: ResponseCore, every_ms: int, acts: Acts) -> VirtualFlow: ...
    def look(self, now: int) -> None:
        """After a tick at `now` (ms)."""

    def broke_at(self) -> int | None:
        """When something was lost, ms; None where the drill is an attack on payments."""

    def restored_at(self) -> int | None:
        """When it was back, ms."""

    def report(self) -> Report: ...
    def close(self) -> None: ...


class InMemory:
    """For attacks on payments."""

    def open(self, now: int) -> ResponseStore:
        """A store in memory."""
        self._store = MemoryStore()
        return self._store

    def flow(self, engine: Engine, core: ResponseCore, every_ms: int, acts: Acts) -> VirtualFlow:
        """The plain virtual flow."""
        return VirtualFlow(engine, self._store, core, every_ms, acts)

    def look(self, now: int) -> None:
        """Nothing happens to it."""

    def broke_at(self) -> int | None:
        """Never."""
        return None

    def restored_at(self) -> int | None:
        """Never."""
        return None

    def report(self) -> Report:
        """Nothing is lost."""
        return Report()

    def close(self) -> None:
        """Nothing to close."""


class StoreLoss:
    """A primary with a replica; the primary is killed at `at`, and the replica promoted once that is noticed.

    Before an epoch counts as safe the replica has it (WAIT). What it had not got is written again.
    """

    def __init__(self, directory: Path, at: int) -> None:
        self._pair, self._at = Pair(directory), at
        self._killed_at: int | None = None
        self._moved_at: int | None = None
        self._seconds: float | None = None
        self._epoch_at = 0

    def open(self, now: int) -> ResponseStore:
        """The primary."""
        self._url = self._pair.start()
        self._store = RedisStore(self._url)
        return self._store

    def flow(self, engine: Engine, core: ResponseCore, every_ms: int, acts: Acts) -> VirtualFlow:
        """A flow that outlives its store."""
        self._flow = LiveFlow(engine, self._store, core, every_ms, acts)
        return self._flow

    def look(self, now: int) -> None:
        """Close epochs; kill the primary when its time has come, and go on with the replica."""
        if self._killed_at is None and now >= self._at:
            self._pair.kill_primary()
            self._killed_at = now
        elif self._killed_at is None or self._moved_at is not None:
            if now - self._epoch_at >= EPOCH_MS:
                if self._killed_at is None:
                    replicated(self._url)
                self._flow.close_epoch()
                self._epoch_at = now
        elif now >= self._killed_at + NOTICED_AFTER_MS:
            began = time.perf_counter()
            self._store = RedisStore(self._pair.promote())
            self._flow.move(self._store)
            self._moved_at, self._seconds = now, time.perf_counter() - began

    def broke_at(self) -> int | None:
        """When the primary was killed."""
        return self._killed_at

    def restored_at(self) -> int | None:
        """When the replica had taken over."""
        return self._moved_at

    def report(self) -> Report:
        """Every decision the engine made has to stand in the replica, once."""
        ids = decided(self._store)
        made = self._flow.engine.counters.decided
        return Report(max(made - len(set(ids)), 0), len(ids) - len(set(ids)), self._seconds)

    def close(self) -> None:
        """Stop both servers."""
        self._pair.stop()


def decided(store: ResponseStore) -> list[str]:
    """Ids of every decision in a store, newest first."""
    return [msgspec.json.decode(line, type=Decision).id for line in store.recent_decisions(10**6)]
