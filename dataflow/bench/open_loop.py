"""Open-loop load: events enter on a timetable, whatever the system does, and each is followed to its decision.

An event's latency runs from its place on the timetable, not from when the generator came round to it, to the moment
its decision is read back from the store. A stall therefore counts for every event that was due meanwhile: there is no
coordinated omission (Gil Tene, "How NOT to Measure Latency"). Looking costs up to LOOK_S, which counts too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from hdrh.histogram import HdrHistogram

from alerts.redis_link import RedisLink
from models.errors import StoreError
from models.events import Transaction, decode

LOOK_S = 0.0005
LONGEST_US = 600_000_000
GRACE_S = 60.0
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


class _Id(msgspec.Struct, gc=False):
    id: str


_ids = msgspec.json.Decoder(_Id)


Timed = tuple[bytes, str | None]
"""A protected event and, where a decision is owed, its id: taken apart before the clock runs."""


def timed(lines: Sequence[bytes]) -> list[Timed]:
    """Events ready to be sent."""
    events = [(line, decode(line)) for line in lines]
    return [(line, event.id if isinstance(event, Transaction) else None) for line, event in events]


class OpenLoop:
    """Sends events at `rate` a second into the input stream of `link` and records latencies in µs."""

    def __init__(self, link: RedisLink, rate: float, prefix: str = "tg:") -> None:
        self._link, self._rate, self._prefix = link, rate, prefix
        self.histogram = HdrHistogram(1, LONGEST_US, 3)
        self._due: dict[str, float] = {}
        self._last = "0-0"
        self.sent = self.behind = 0

    def run(self, more: Callable[[int], Sequence[Timed]], seconds: float) -> None:
        """Keep to the timetable for so long, then wait for what is on its way. more(n): the next n events (`timed`).

        behind: events that the generator sent more than a look late, for want of processor time of its own.
        """
        with self._link.speaking() as client:
            newest = client.xrevrange(f"{self._prefix}decisions", count=1)
            self._last = newest[0][0].decode() if newest else "0-0"
            started = time.perf_counter()
            while (now := time.perf_counter() - started) < seconds:
                due = int(now * self._rate) + 1 - self.sent
                if due > 0:
                    self._send(client, more(due), started)
                self._look(client)
                time.sleep(LOOK_S)
            ends = time.perf_counter() + GRACE_S
            while self._due:
                if time.perf_counter() > ends:
                    raise StoreError(
                        f"{len(self._due)} decisions did not come within {GRACE_S:g} s: choose a lower rate"
                    )
                self._look(client)
                time.sleep(LOOK_S)

    def _send(self, client: Any, events: Sequence[Timed], started: float) -> None:
        pipe, key, now = client.pipeline(transaction=False), f"{self._prefix}in", time.perf_counter()
        for line, id_ in events:
            at = started + self.sent / self._rate
            if id_ is not None:
                self._due[id_] = at
            self.behind += now - at > 10 * LOOK_S
            self.sent += 1
            pipe.execute_command("XADD", key, "*", "e", line)
        pipe.execute()

    def _look(self, client: Any) -> None:
        found = client.xrange(f"{self._prefix}decisions", f"({self._last}", "+", count=2000)
        now = time.perf_counter()
        for _, fields in found:
            at = self._due.pop(_ids.decode(fields[b"d"]).id, None)
            if at is not None:
                self.histogram.record_value(max(1, min(LONGEST_US, round((now - at) * 1e6))))
        if found:
            self._last = found[-1][0].decode()

    def percentiles_ms(self) -> dict[str, float]:
        """Latency in ms at PERCENTILES."""
        return {
            name: round(self.histogram.get_value_at_percentile(share) / 1000, 3)
            for name, share in PERCENTILES.items()
        }

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, latency in ms), finer towards 100, for a plot."""
        shares = [100.0 * (1.0 - 10.0 ** (-step / 8)) for step in range(33)]
        return [
            (share, self.histogram.get_value_at_percentile(share) / 1000)
            for share in shares
            if 1.0 - share / 100.0 >= 1.0 / max(1, self.histogram.get_total_count())
        ]
