"""The stage of a machine that is lost: a new one restores from the store's log, the checkpoints and the key ring.

What is kept on disk is copied as it lies there (a disk that survived, or its backup): the append-only file of the store
with its streams, the engine's signed checkpoints and the keys. The new engine starts from the newest checkpoint, takes
the entries of the input stream behind it once more, and has to come to the very decisions that were made before.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from alerts.custody.audit import line_of
from alerts.custody.audit_verify import verify
from alerts.custody.keyring import KeyRing, keyring_path
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from alerts.response.containing import ResponseStore
from alerts.response.core import ResponseCore
from dataflow.checkpoint import Checkpoints
from dataflow.committing import commit_of
from dataflow.drill.live_flow import LiveFlow
from dataflow.drill.servers import kill
from dataflow.drill.stages import EPOCH_MS, NOTICED_AFTER_MS, Acts, Report, decided
from dataflow.embedded import EmbeddedValkey
from dataflow.sources.files import RawItem
from dataflow.virtual_flow import Arrival, VirtualFlow
from models.engine import Engine
from models.errors import SnapshotError
from models.events import encode
from models.freezing import freeze, thaw

INPUT = "tg:in"


class RecordedFlow(LiveFlow):
    """Puts what arrives into the store's input stream before it is decided, as the door does."""

    def __init__(
        self, engine: Engine, store: ResponseStore, core: ResponseCore, every_ms: int, acts: Acts, url: str
    ) -> None:
        super().__init__(engine, store, core, every_ms, acts)
        self.link = RedisLink(url)
        self.position = "0-0"

    def take(self, events: Sequence[Arrival]) -> None:
        """Append, then decide."""
        if events and not self.stopped:
            with self.link.speaking() as client:
                pipe = client.pipeline(transaction=True)
                for event in events:
                    pipe.xadd(INPUT, {"e": event[1] if isinstance(event, tuple) else encode(event)})
                self.position = pipe.execute()[-1].decode()
        super().take(events)


class Restore:
    """The machine is killed at `at`: server, engine and all; `fresh` makes an engine that knows nothing."""

    def __init__(self, directory: Path, at: int, fresh: Callable[[], Engine]) -> None:
        self._directory, self._at, self._fresh = directory, at, fresh
        self._home = directory / "lost"
        self._home.mkdir(mode=0o700)
        self._server = EmbeddedValkey(self._home / "store", "always")
        ring = KeyRing.load_or_create(keyring_path(self._home, {}), at)
        self._checkpoints = Checkpoints(self._home / "checkpoints", ring.signer("checkpoint"))
        self._kept: tuple[int, str] | None = None
        self._lost_at: int | None = None
        self._back_at: int | None = None
        self._seconds: float | None = None
        self._epoch_at = 0
        self._differ = 0

    def open(self, now: int) -> ResponseStore:
        """The store of the machine that will be lost."""
        self._url = self._server.start()
        self._store = RedisStore(self._url)
        return self._store

    def flow(self, engine: Engine, core: ResponseCore, every_ms: int, acts: Acts) -> VirtualFlow:
        """A flow that records its input."""
        self._flow = RecordedFlow(engine, self._store, core, every_ms, acts, self._url)
        return self._flow

    def look(self, now: int) -> None:
        """Keep checkpoints; lose the machine when its time has come; restore on another once that is noticed."""
        if self._lost_at is None and now >= self._at:
            # Everything since the last checkpoint has to be redone.
            self._made = set(decided(self._store))
            kill(self._server, self._url)
            self._flow.stopped, self._lost_at = True, now
        elif self._lost_at is None:
            if now - self._epoch_at >= 4 * EPOCH_MS:
                self._store.wait_durable()
                self._kept = self._checkpoints.save(*freeze(self._flow.engine)), self._flow.position
                self._flow.close_epoch()
                self._epoch_at = now
        elif self._back_at is None and now >= self._lost_at + NOTICED_AFTER_MS:
            if self._seconds is None:
                began = time.perf_counter()
                self._restored = self._restore()
                self._seconds = time.perf_counter() - began
            # The time it really took passes on the virtual clock as well.
            if now >= self._lost_at + NOTICED_AFTER_MS + int(self._seconds * 1000):
                self._flow.link = RedisLink(self._url)
                self._flow.move(self._store, self._restored)
                self._back_at = now

    def broke_at(self) -> int | None:
        """When the machine was lost."""
        return self._lost_at

    def restored_at(self) -> int | None:
        """When the other one went on."""
        return self._back_at

    def report(self) -> Report:
        """Decisions gone, decisions that came out otherwise, places where the audit chain does not verify."""
        ids = decided(self._store)
        made = self._flow.engine.counters.decided
        broken = len(verify([line_of(link) for link in self._store.audit_chain(0, 10**6)]))
        lost = max(made - len(set(ids)), 0) + len(self._made - set(ids)) + broken
        return Report(lost, len(ids) - len(set(ids)) + self._differ, self._seconds)

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()

    def _restore(self) -> Engine:
        """Store, keys and engine from what lay on the lost machine's disk."""
        home = self._directory / "restored"
        shutil.copytree(self._home, home, ignore=shutil.ignore_patterns("*.sock", "*.lock", "valkey.json"))
        self._server = EmbeddedValkey(home / "store", "always")
        self._url = self._server.start()
        self._store = RedisStore(self._url)
        ring = KeyRing.load(keyring_path(home, {}))
        checkpoints = Checkpoints(home / "checkpoints", ring.signer("checkpoint"))
        if self._kept is None or (found := checkpoints.load(self._kept[0])) is None:
            raise SnapshotError(f"{home}: no checkpoint of the lost machine can be read")
        engine = self._fresh()
        thaw(engine, found[1], found[2])
        before = set(self._store.recent_decisions(10**6))
        with RedisLink(self._url).speaking() as client:
            rows = client.xrange(INPUT, f"({self._kept[1]}", "+")
        for start in range(0, len(rows), 512):
            items = [
                RawItem(id_.decode(), fields[b"e"], None, None) for id_, fields in rows[start : start + 512]
            ]
            commit = commit_of(engine, engine.step(items), lambda letter: letter, self._at)
            self._differ += sum(line not in before for line in commit.decisions)
            self._store.commit(commit)
        return engine
