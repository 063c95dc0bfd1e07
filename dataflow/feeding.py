"""The simulator as a sender: raw events with clear fields go through the door onto the input stream.

First the past days as fast as the scorer takes them, then live at a steady rate. How far it has come is written with
the events in one transaction, so a restarted feeder goes on where it stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.door import Door
from dataflow.scoring import now_ms
from dataflow.settings import FlowSettings, SimulatorSettings
from dataflow.simulate import Simulator
from models.decision import DeadLetter
from models.events import AnyEvent, Control, encode
from models.money import DAY_MS, FxTable

CHUNK = 250
BEAT_MS = 1000
KEEPING_UP = 500
"""Entries that may wait while history is fed: with more, the flow would leave texts out of the first cases people see."""


class Feeder:
    """Feeds the simulated world into the store at `url`, through the door that `door` makes for a clock."""

    def __init__(
        self, url: str, door: Callable[[Callable[[], int]], Door], settings: SimulatorSettings, flow: FlowSettings,
        start: int, prefix: str = "tg:",
    ) -> None:  # fmt: skip
        self._link, self._store, self._prefix = RedisLink(url), RedisStore(url, prefix), prefix
        # The door's clock is the simulated one: past days must arrive in the past.
        self._clock = start
        self._door = door(lambda: self._clock)
        self._settings, self._backlog = settings, flow.backlog
        self._simulator = Simulator(settings.seed, customers=settings.customers, start=start)
        self.warm_until = start + int(settings.warm_up_days * DAY_MS)
        self.start = start
        self.fed = 0
        self._beaten = 0

    def run(self, stopping: Callable[[], bool], wait: Callable[[float], Any]) -> None:
        """Feed until told to stop."""
        with self._link.speaking() as client:
            done = int(client.get(f"{self._prefix}feeder") or 0)
        events: Iterator[AnyEvent] = islice(self._simulator.stream(), done, None)
        self.fed = done
        if done == 0:
            self._send([self._rates()], 0)
        if done == 0 or self._store.stream_time() < self.warm_until:
            # Before the first event: alerts on it are history, and whoever sends pages has to know.
            self._beat("warm-up", max(self.start, self._store.stream_time()))
            events = self._warm_up(events, stopping, wait)
        self._live(events, stopping, wait)

    def _warm_up(
        self, events: Iterator[AnyEvent], stopping: Callable[[], bool], wait: Callable[[float], Any]
    ) -> Iterator[AnyEvent]:
        chunk: list[AnyEvent] = []
        for event in events:
            chunk.append(event)
            if len(chunk) == CHUNK:
                self._protect_and_send(chunk)
                chunk = []
                self._beat("warm-up", event.received_at)
                while self._waiting() > min(self._backlog, KEEPING_UP) and not stopping():
                    self._beat("warm-up", event.received_at)
                    wait(0.02)
            if stopping() or event.received_at >= self.warm_until:
                break
        self._protect_and_send(chunk)
        return events

    def _live(
        self, events: Iterator[AnyEvent], stopping: Callable[[], bool], wait: Callable[[float], Any]
    ) -> None:
        per_tick = max(1, round(self._settings.rate / 10))
        due = time.monotonic()
        while not stopping():
            taken = list(islice(events, per_tick))
            self._protect_and_send(taken)
            if taken:
                self._beat("live", taken[-1].received_at)
            due += per_tick / self._settings.rate
            wait(max(0.0, due - time.monotonic()))
            if due < time.monotonic() - 5:  # the machine slept: do not make up for it in a burst
                due = time.monotonic()

    def _protect_and_send(self, events: list[AnyEvent]) -> None:
        lines = []
        for event in events:
            self._clock = event.received_at
            protected = self._door.protect_line(self._simulator.raw(event), f"simulator:{self.fed + 1}")
            if isinstance(protected, DeadLetter):
                raise ValueError(
                    f"the simulator made an event its own door refuses: {protected.reason} {protected.detail}"
                )
            lines.append(protected)
        self._send(lines, len(events))

    def _send(self, lines: list[bytes], events: int) -> None:
        self.fed += events
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=True)
            for line in lines:
                pipe.xadd(f"{self._prefix}in", {"e": line})
            pipe.set(f"{self._prefix}feeder", self.fed)
            pipe.execute()

    def _rates(self) -> bytes:
        """The simulated world's exchange rates, dated at its beginning."""
        table = FxTable.default()
        event = Control(
            id=f"fx-{self.start}", event_time=self.start, received_at=self.start, kind="fx", version=table.version,
            actor="simulator", reason="rates of the simulated world", payload=msgspec.Raw(table.to_json()),
        )  # fmt: skip
        return encode(event)

    def _waiting(self) -> int:
        """Entries the scorer has not decided yet, roughly: what we fed less what it counted."""
        return self.fed - self._store.counters().events_in

    def _beat(self, status: str, at: int) -> None:
        now = now_ms()
        if 0 <= now - self._beaten < BEAT_MS:
            return
        share = (at - self.start) / max(1, self.warm_until - self.start)
        self._store.beat(
            "simulator",
            {"status": status, "pid": os.getpid(), "fed": self.fed, "warm_up": round(min(share, 1.0), 4),
             "live_from": self.warm_until, "rate": self._settings.rate},
            now,
        )  # fmt: skip
        self._beaten = now


def calendar(url: str, wanted: int, prefix: str = "tg:") -> int:
    """Beginning of the simulated calendar, ms: kept in the store, so that a restart goes on in the same world."""
    with RedisLink(url).speaking() as client:
        client.set(f"{prefix}simulator:start", wanted, nx=True)
        return int(client.get(f"{prefix}simulator:start"))
