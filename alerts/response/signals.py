"""What the watch looks at: counts by minute, alerts, the learner's report, beats. A value, so that detectors are pure.

`SignalReader` makes it from a Store, live or in a drill; nothing in it needs anything the flow does not write anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, get_args

import msgspec

from alerts.alert import Alert, Status
from alerts.minutes import MINUTE_MS, add_counts, minute_of
from alerts.store import Sort
from models.decision import Counters
from models.learner_report import LearnerReport

RECENT_MINUTES = 75
"""Minutes read anew each time: the longest window of a detector, and room for events that come late."""
USUAL_MINUTES = 24 * 60
"""Minutes before those whose mean is what is usual."""
YOUNG_MINUTES = 60
APART_MS = 15 * MINUTE_MS
"""A stream with less history than YOUNG_MINUTES is measured by its recent minutes, but for the last of them."""
ALERTS = 300
Beat = Mapping[str, str | int | float]


class ListAge(msgspec.Struct, frozen=True, kw_only=True):
    """A list or table that must be fresh. as_of, max_age: ms."""

    name: str
    as_of: int
    max_age: int


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """At one moment. at: the stream's own time, ms; now: the people's clock.

    recent: counters of the last minutes by the start of the minute. usual: mean a minute by name, over usual_minutes of
    history (0: there is none). alerts: the newest, whatever their status. reachable: the store answered. summed: what
    `counted` has added up already, by minutes.
    """

    at: int
    now: int
    recent: dict[int, dict[str, float]] = {}
    usual: dict[str, float] = {}
    usual_minutes: int = 0
    alerts: list[Alert] = []
    counters: Counters = msgspec.field(default_factory=Counters)
    beats: dict[str, dict[str, str | int | float]] = {}
    learner: LearnerReport | None = None
    lists: list[ListAge] = []
    reachable: bool = True
    summed: dict[int, dict[str, float]] = {}

    def counted(self, minutes: int, prefix: str = "") -> dict[str, float]:
        """Sums by name over the last `minutes`, the present one included; with a prefix only those names, without it."""
        sums = self.summed.get(minutes)
        if sums is None:
            sums = self.summed[minutes] = {}
            start = minute_of(self.at) - (minutes - 1) * MINUTE_MS
            for minute, fields in self.recent.items():
                if start <= minute <= self.at:
                    add_counts(sums, fields)
        return {name[len(prefix) :]: value for name, value in sums.items() if name.startswith(prefix)}

    def expected(self, name: str, minutes: int) -> float:
        """What `minutes` usually bring under this name."""
        return self.usual.get(name, 0.0) * minutes


class ReadsSignals(Protocol):
    """The part of alerts.store.Store that the reader uses."""

    def stream_time(self) -> int: ...
    def minutes(self, since: int, until: int) -> dict[int, dict[str, float]]: ...
    def alerts(self, statuses: tuple[Status, ...], sort: Sort, limit: int) -> list[Alert]: ...
    def counters(self) -> Counters: ...
    def beats(self) -> dict[str, dict[str, str | int | float]]: ...
    def learner_report(self) -> LearnerReport | None: ...


class SignalReader:
    """Reads the signals of a store. What is usual is summed up once a minute of the stream, not at every look."""

    def __init__(self, store: ReadsSignals) -> None:
        self._store = store
        self._usual: dict[str, float] = {}
        self._minutes = 0
        self._summed = -1

    def read(self, now: int) -> Signals:
        """The signals at `now` (the people's clock, ms). Raises StoreError when the store cannot be reached."""
        store = self._store
        at = store.stream_time()
        start = minute_of(at) - RECENT_MINUTES * MINUTE_MS
        if start != self._summed:
            self._sum(start)
        beats, recent = store.beats(), store.minutes(start, at + 1)
        return Signals(
            at=at, now=now, recent=recent, usual=self._usual, usual_minutes=self._minutes,
            alerts=store.alerts(get_args(Status), "newest", ALERTS), counters=store.counters(), beats=beats,
            learner=store.learner_report(), lists=lists_of(beats),
        )  # fmt: skip

    def _sum(self, until: int) -> None:
        """Mean of the minutes before `until`; a minute without events counts when it lies between others."""
        for young in (0, RECENT_MINUTES * MINUTE_MS - APART_MS):
            span = self._store.minutes(until - USUAL_MINUTES * MINUTE_MS, until + young)
            self._usual, self._minutes = _mean(span, until + young)
            if self._minutes >= YOUNG_MINUTES:
                break
        self._summed = until


def _mean(found: Mapping[int, Mapping[str, float]], until: int) -> tuple[dict[str, float], int]:
    """Mean a minute by name from the first minute found to `until`, and how many minutes that are."""
    minutes = 0 if not found else (until - min(found)) // MINUTE_MS
    sums: dict[str, float] = {}
    for fields in found.values():
        add_counts(sums, dict(fields))
    return ({name: value / minutes for name, value in sums.items()} if minutes else {}), minutes


def lists_of(beats: Mapping[str, Beat]) -> list[ListAge]:
    """The lists that processes tell of: a beat with `list_NAME_as_of` and `list_NAME_max_age_ms`."""
    found = []
    for beat in beats.values():
        for key, value in beat.items():
            if key.startswith("list_") and key.endswith("_as_of") and isinstance(value, int):
                name = key[5:-6]
                age = beat.get(f"list_{name}_max_age_ms")
                if isinstance(age, int):
                    found.append(ListAge(name=name, as_of=value, max_age=age))
    return sorted(found, key=lambda one: one.name)


def of_typologies(alerts: Sequence[Alert], typologies: Sequence[str], since: int) -> list[Alert]:
    """Alerts of these typologies that had a hit since then."""
    return [a for a in alerts if a.typology in typologies and a.last_time >= since]
