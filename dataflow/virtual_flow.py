"""The whole of Tidegate in one loop on a virtual clock: engine, store, incidents and containment, no wall clock.

Events come in the order of `received_at`. Between two ticks the engine takes what arrived, then the response looks at
what the store shows, and what it sends into the control lane reaches the engine before the next event, as in the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from alerts.memory_store import MemoryStore
from alerts.response.core import ResponseCore
from alerts.response.effects import Effects
from alerts.response.signals import SignalReader
from dataflow.committing import alerted, commit_of, obeyed
from dataflow.sources.files import RawItem
from models.decision import DeadLetter
from models.engine import Engine
from models.events import AnyEvent, decode


class VirtualFlow:
    """See the module's docstring. every_ms: between two ticks; now: the virtual time, ms.

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

    def run(self, events: Iterable[AnyEvent], watched_from: int = 0) -> Iterator[tuple[int, Effects]]:
        """Play the stream; time and effects of each tick. Before `watched_from` (ms) nobody looks: a warm-up."""
        batch: list[AnyEvent] = []
        for event in events:
            if self.now == 0:
                self.now = event.received_at
            while event.received_at >= self.now + self.every_ms:
                if self.now < watched_from:
                    # Nobody looks yet, so that there is nothing to stop for.
                    self.now = min(event.received_at, watched_from)
                    if len(batch) >= 512:
                        self.take(batch)
                        batch = []
                    continue
                self.now += self.every_ms
                self.take(batch)
                batch = []
                yield self.now, self.tick()
            batch.append(event)
        self.take(batch)
        self.now += self.every_ms
        yield self.now, self.tick()

    def tick(self) -> Effects:
        """The response looks once."""
        if self.before is not None:
            self.before(self.now)
        effects = self.core.step(self.now, self._reader.read(self.now))
        self._obey()
        return effects

    def take(self, events: list[AnyEvent]) -> None:
        """Let the engine decide events, after what the control lane holds."""
        self._obey()
        if events:
            self._step(events)

    def _obey(self) -> None:
        waiting = self.store.controls[self._sent :]
        if waiting:
            self._sent += len(waiting)
            self.engine.artefacts = dict(self.store.artefacts)
            self._step([decode(line) for line in waiting])

    def _step(self, events: list[AnyEvent]) -> None:
        items = [
            RawItem(f"virtual:{self._taken + n}", None, event, None) for n, event in enumerate(events, 1)
        ]
        self._taken += len(items)
        output = self.engine.step(items)
        commit = commit_of(self.engine, output, _unsealed, self.now)
        self.store.commit(commit)
        self.store.keep_events(alerted(items, commit.hits))
        self.store.note_effects(obeyed(items, output), self.now)


def _unsealed(letter: DeadLetter) -> DeadLetter:
    return letter
