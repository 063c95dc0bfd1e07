"""What becomes of the events that callers wait for: one thread follows the store and wakes who waits.

The scorer writes decisions, decisions of repeated events and dead letters to three streams. While anybody waits, they are
followed with one blocking read; while nobody does, nothing is read, so that a busy stream that is fed otherwise costs a
quiet server nothing. Waiting takes three steps, so that no outcome can slip through between them:

    future = expect(id)      before the event is appended
    … append; its answer says where the three streams ended before …
    follow(positions)        starts there, unless the thread is following already
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from alerts.redis_link import RedisLink
from models.decision import Action, Band
from models.errors import StoreError

STREAMS = ("decisions", "dead", "repeated")
COUNT = 1000
BLOCK_MS = 1000
PAUSE_S = 0.2


class Outcome(msgspec.Struct, frozen=True):
    """kind: `decided`, `repeated` (the event had come before) or `dead`. data: the decision or dead letter, JSON."""

    kind: Literal["decided", "repeated", "dead"]
    data: bytes


class Head(msgspec.Struct):
    """What an answer needs of a decision."""

    id: str
    band: Band
    action: Action
    risk: float


class _Id(msgspec.Struct):
    id: str | None = None
    event_id: str | None = None


_KINDS: dict[str, Literal["decided", "repeated", "dead"]] = {
    "decisions": "decided", "dead": "dead", "repeated": "repeated"
}  # fmt: skip
Future = asyncio.Future[Outcome]


class Outcomes:
    """Follows the store over `link`; futures belong to the event loop `loop`. `start` and `stop` the thread."""

    def __init__(self, link: RedisLink, loop: asyncio.AbstractEventLoop, prefix: str = "tg:") -> None:
        self._link, self._loop, self._prefix = link, loop, prefix
        self._waiting: dict[str, list[Future]] = {}
        self._count = 0
        self._lock = threading.Condition()
        self._at: dict[str, str] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="outcomes", daemon=True)
        self._id = msgspec.json.Decoder(_Id)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop it; who still waits goes on waiting until the deadline."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """How many futures are open."""
        return self._count

    def expect(self, event_id: str) -> Future:
        """A future for what becomes of this event."""
        future: Future = self._loop.create_future()
        with self._lock:
            self._waiting.setdefault(event_id, []).append(future)
            self._count += 1
        return future

    def forget(self, event_id: str, future: Future) -> None:
        """Nobody waits any more; to be called once for each future, whatever became of it."""
        with self._lock:
            self._count -= 1
            kept = [other for other in self._waiting.get(event_id, []) if other is not future]
            if kept:
                self._waiting[event_id] = kept
            else:
                self._waiting.pop(event_id, None)

    def follow(self, positions: Sequence[str]) -> None:
        """Follow from these last entries of STREAMS on, unless that is being done already."""
        with self._lock:
            if self._at is None:
                self._at = dict(zip(STREAMS, positions, strict=True))
                self._lock.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._at = None
                while self._at is None and not self._stopping:
                    self._lock.wait()
                if self._stopping:
                    return
                at = self._at
                assert at is not None
            try:
                found = self._read(at)
            except StoreError:
                # Who waits has a deadline; the server says in /readyz and in each request what is wrong.
                self._pause()
                continue
            if found:
                self._loop.call_soon_threadsafe(self._deliver, found)

    def _read(self, at: dict[str, str]) -> list[tuple[str, Outcome]]:
        asked = {self._prefix + name: position for name, position in at.items()}
        with self._link.speaking() as client:
            reply: Any = client.xread(asked, count=COUNT, block=BLOCK_MS)
        found = []
        for key, entries in reply or []:
            name = key.decode()[len(self._prefix) :]
            at[name] = entries[-1][0].decode()
            for _, fields in entries:
                data = fields[b"d"]
                said = self._id.decode(data)
                event_id = said.id if said.event_id is None else said.event_id
                if event_id is not None and event_id in self._waiting:
                    found.append((event_id, Outcome(_KINDS[name], data)))
        return found

    def _pause(self) -> None:
        with self._lock:
            self._lock.wait_for(lambda: self._stopping, PAUSE_S)

    def _deliver(self, found: list[tuple[str, Outcome]]) -> None:
        for event_id, outcome in found:
            with self._lock:
                futures = list(self._waiting.get(event_id, ()))
            for future in futures:
                if not future.done():
                    future.set_result(outcome)
