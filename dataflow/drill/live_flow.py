"""The virtual flow over a real server that may go away: what is not acknowledged is written again to its successor.

As the live flow does by its epochs: everything since the last epoch is brought to the store once more, where the ordinals
of a commit say what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alerts.response.containing import ResponseStore
from alerts.response.core import ResponseCore
from alerts.response.effects import Effects
from alerts.response.signals import SignalReader, Signals
from dataflow.virtual_flow import Arrival, VirtualFlow
from models.engine import Engine
from models.errors import StoreError

Write = Callable[[ResponseStore], None]


class LiveFlow(VirtualFlow):
    """See the module's docstring. stopped: the machine that decides is away too; what arrives waits at the door."""

    def __init__(
        self,
        engine: Engine,
        store: ResponseStore,
        core: ResponseCore,
        every_ms: int,
        before: Callable[[int], None],
    ) -> None:
        super().__init__(engine, store, core, every_ms, before)
        self.stopped = False
        self._epoch: list[Write] = []
        self._written = 0
        self._waiting: list[Arrival] = []
        self._away = False

    def close_epoch(self) -> None:
        """Everything written so far is safe."""
        del self._epoch[: self._written]
        self._written = 0

    def move(self, store: ResponseStore, engine: Engine | None = None) -> None:
        """Go on with another store, and with a restored engine: what the lost one had not made safe is its to redo."""
        self.store = self.core.store = store
        self.reader = SignalReader(store)
        self._written, self._away = 0, False
        if engine is not None:
            self.engine, self._epoch, self.stopped = engine, [], False
        waiting, self._waiting = self._waiting, []
        self.take(waiting)
        self._bring()

    def tick(self) -> Effects:
        """People act and the response looks, if there is a store; without one the watch counts the time."""
        try:
            self.store.ping()
            self._away = False
            return super().tick()
        except StoreError:
            self._away = True
            return self.core.step(
                self.now, Signals(at=self.engine.ledger.clock, now=self.now, reachable=False)
            )

    def take(self, events: Sequence[Arrival]) -> None:
        """Decide what has arrived, or keep it waiting."""
        if self.stopped:
            self._waiting += events
        else:
            super().take(events)

    def write(self, write: Write) -> None:
        """Bring it into the store after what waits; what a lost store does not take waits on."""
        self._epoch.append(write)
        self._bring()

    def obey(self, at: int) -> None:
        """Take what lies in the control lane, if the store can be asked."""
        if self._away:
            return
        try:
            super().obey(at)
        except StoreError:
            self._away = True

    def _bring(self) -> None:
        if self._away:
            return
        try:
            while self._written < len(self._epoch):
                self._epoch[self._written](self.store)
                self._written += 1
        except StoreError:
            self._away = True
