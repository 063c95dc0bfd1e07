"""The whole of Tidegate in one loop on a virtual clock: engine, store, incidents and containment, no wall clock.

Events come in the order of `received_at`. Between two ticks the engine takes what arrived, then the response looks at
what the store shows. What it sends into the control lane reaches the engine before the next event, as in the flow, and
when none comes at the latest when the flow looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from alerts.memory_store import MemoryStore
from alerts.response.core import ResponseCore
from alerts.response.effects import Effects
from alerts.response.signals import SignalReader
from dataflow.committing import alerted, commit_of, obeyed
from dataflow.sources.files import RawItem
from dataflow.sources.stream import SLEEP_MS
from models.decision import DeadLetter
from models.engine import Engine
from models.events import AnyEvent, decode

Arrival = AnyEvent | tuple[int, bytes]
"""An event, or the time at which a line arrives (ms) and its bytes, to be decoded."""


class VirtualFlow:
    """See the module's docstring. every_ms: between two ticks, may be changed on the way; now: the virtual time, ms.

    before: called at each tick before the response looks, for what people do then.
    """

    def __init__(
        self, engine: Engine, store: MemoryStore, core: ResponseCore, every_ms: int = 1000,
        before: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.store, self.core, self.every_ms, self.before = engine, store, core, every_ms, before
        self.now = 0
        self._reader = SignalReader(store)
        self._taken = 0
        self._sent = 0

    def run(self, events: Iterable[Arrival], watched_from: int = 0) -> Iterator[tuple[int, Effects]]:
        """Play the stream; time and effects of each tick. Before `watched_from` (ms) nobody looks: a warm-up."""
        batch: list[Arrival] = []
        for event in events:
            at = arrival_of(event)
            if self.now == 0:
                self.now = at
            while at >= self.now + self.every_ms:
                if self.now < watched_from:
                    # Nobody looks yet, so that there is nothing to stop for.
                    self.now = min(at, watched_from)
                    if len(batch) >= 512:
                        self._take(batch)
                        batch = []
                    continue
                self.now += self.every_ms
                self._take(batch)
                batch = []
                yield self.now, self._tick()
                self._obey(min(at, self.now + SLEEP_MS))
            batch.append(event)
        self._take(batch)
        self.now += self.every_ms
        yield self.now, self._tick()

    def _tick(self) -> Effects:
        """People act, then the response looks."""
        if self.before is not None:
            self.before(self.now)
        return self.core.step(self.now, self._reader.read(self.now))

    def _take(self, events: Sequence[Arrival]) -> None:
        if events:
            self._step([_item(event, self._taken + n) for n, event in enumerate(events, 1)], self.now)

    def _obey(self, at: int) -> None:
        """Let the engine take what lies in the control lane."""
        waiting = self.store.controls[self._sent :]
        if waiting:
            self._sent += len(waiting)
            self.engine.artefacts = dict(self.store.artefacts)
            self._step([_item(decode(line), self._taken + n) for n, line in enumerate(waiting, 1)], at)

    def _step(self, items: list[RawItem], now: int) -> None:
        self._taken += len(items)
        output = self.engine.step(items)
        commit = commit_of(self.engine, output, _unsealed, now)
        self.store.commit(commit)
        self.store.keep_events(alerted(items, commit.hits))
        self.store.note_effects(obeyed(items, output), now)


def arrival_of(event: Arrival) -> int:
    """When it arrives, ms."""
    return event[0] if isinstance(event, tuple) else event.received_at


def _item(event: Arrival, number: int) -> RawItem:
    place = f"virtual:{number}"
    if isinstance(event, tuple):
        return RawItem(place, event[1], None, None)
    return RawItem(place, None, event, None)


def _unsealed(letter: DeadLetter) -> DeadLetter:
    return letter
