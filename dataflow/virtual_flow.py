"""The whole of Tidegate in one loop on a virtual clock: engine, store, incidents and containment, no wall clock.

Events come in the order of `received_at`. Between two ticks the engine takes what arrived, then the response looks at
what the store shows. What it sends into the control lane reaches the engine before the next event, as in the flow, and
when none comes at the latest when the flow looks again. Snapshots are not fetched: a rollback cannot be played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from alerts.response.containing import ResponseStore
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
        self, engine: Engine, store: ResponseStore, core: ResponseCore, every_ms: int = 1000,
        before: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.store, self.core, self.every_ms, self.before = engine, store, core, every_ms, before
        self.now = 0
        self.reader = SignalReader(store)
        self._taken = 0
        self._obeyed = ""

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
                        self.take(batch)
                        batch = []
                    continue
                self.now += self.every_ms
                self.take(batch)
                batch = []
                yield self.now, self.tick()
                self.obey(min(at, self.now + SLEEP_MS))
            batch.append(event)
        self.take(batch)
        self.now += self.every_ms
        yield self.now, self.tick()

    def tick(self) -> Effects:
        """People act, then the response looks."""
        if self.before is not None:
            self.before(self.now)
        return self.core.step(self.now, self.reader.read(self.now))

    def take(self, events: Sequence[Arrival]) -> None:
        """Let the engine decide what has arrived."""
        if events:
            self._step([_item(event, self._taken + n) for n, event in enumerate(events, 1)], self.now)

    def obey(self, at: int) -> None:
        """Let the engine take what lies in the control lane."""
        waiting = self.store.controls_after(self._obeyed)
        if waiting:
            self._obeyed = waiting[-1][0]
            self._step([_item(decode(line), self._taken + n) for n, (_, line) in enumerate(waiting, 1)], at)

    def _step(self, items: list[RawItem], now: int) -> None:
        self._taken += len(items)
        output = self.engine.step(items)
        commit = commit_of(self.engine, output, _unsealed, now)
        kept, taken = alerted(items, commit.hits), obeyed(items, output)

        def write(store: ResponseStore) -> None:
            store.commit(commit)
            store.keep_events(kept)
            store.note_effects(taken, now)

        self.write(write)

    def write(self, write: Callable[[ResponseStore], None]) -> None:
        """Bring a step's commit into the store."""
        write(self.store)


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
