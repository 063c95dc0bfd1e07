"""The load of a benchmark: a simulated stream, protected by a door, in memory.

A published test key protects it, so that no measurement touches the machine's own key ring. An analyst judges each
fraud at once, so that a model is learnt within seconds: in the simulated world labels take days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.door import Door
from dataflow.simulate import Simulator, Truth
from models.events import AnyEvent, Label

SEED, CUSTOMERS, RATE = 20, 20_000, 3.0
"""Some 50 events a minute: a batch then holds many customers and few minutes, as it does in a busy stream."""


class Load:
    """Reads on in one endless stream. protect_s: CPU time the door took so far, for `events`."""

    def __init__(
        self, customers: int = CUSTOMERS, rate: float = RATE, seed: int = SEED,
        scenarios: tuple[str, ...] | None = None,
    ) -> None:  # fmt: skip
        self._simulator = Simulator(seed, customers=customers, rate_scale=rate, scenarios=scenarios)
        self._simulator.truth = self._note
        self._frauds: list[str] = []
        self._stream = self._judged(self._simulator.stream())
        self._clock = self._simulator.start
        self._door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: self._clock)
        self.protect_s, self.events = 0.0, 0

    def take(self, count: int) -> list[bytes]:
        """The next `count` events as the input stream carries them."""
        raw = [(self._simulator.raw(event), event.received_at) for event in islice(self._stream, count)]
        started = time.thread_time()
        lines = []
        for line, self._clock in raw:
            lines.append(self._door.protect(line))
        self.protect_s += time.thread_time() - started
        self.events += len(lines)
        return lines

    def _note(self, truth: Truth) -> None:
        if truth.kind == "transaction":
            self._frauds.append(truth.id)

    def _judged(self, events: Iterator[AnyEvent]) -> Iterator[AnyEvent]:
        """The stream with a label behind each fraud."""
        for event in events:
            yield event
            while self._frauds:
                id_ = self._frauds.pop()
                yield Label(
                    id=f"verdict-{id_}", event_time=event.received_at, received_at=event.received_at,
                    transaction_id=id_, fraud=True, source="analyst",
                )  # fmt: skip
