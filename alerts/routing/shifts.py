"""Who is on call until when, and who follows: the next change of each schedule. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from alerts.routing.plan import Plan
from alerts.routing.schedule import Layer, Schedule, hours_of

AHEAD_DAYS = 62
"""How far ahead a change is looked for: rotations of a month, and a little."""


class Shift(msgspec.Struct, frozen=True):
    """Who is on call by a schedule (None: nobody). until: when that changes (ms), then: who has it then.

    until None: not within AHEAD_DAYS.
    """

    schedule: str
    timezone: str
    person: str | None
    until: int | None
    then: str | None


def shifts(plan: Plan, now: int) -> list[Shift]:
    """All schedules as they stand at `now` (ms)."""
    return [shift_of(schedule, now) for schedule in plan.spec.schedules]


def shift_of(schedule: Schedule, now: int) -> Shift:
    """One schedule as it stands at `now` (ms)."""
    person, before = schedule.on_call(now), now
    for moment in sorted(set(_moments(schedule, now))):
        if moment <= now:
            continue
        if schedule.on_call(moment) != person:
            # Local times that do not exist lie behind the change they mean, so it is looked for in between.
            low, high = before, moment
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if schedule.on_call(middle) == person else (low, middle)
            return Shift(schedule.name, schedule.timezone, person, high, schedule.on_call(high))
        before = moment
    return Shift(schedule.name, schedule.timezone, person, None, None)


def _moments(schedule: Schedule, now: int) -> Iterator[int]:
    """Moments (ms) at which somebody else may take over, and those around changes of the clocks."""
    zone = ZoneInfo(schedule.timezone)
    today = datetime.fromtimestamp(now / 1000, zone).replace(
        hour=0, minute=0, second=0, microsecond=0, tzinfo=None
    )
    for override in schedule.overrides:
        for moment in (override.start, override.until):
            yield from _instants(moment, zone)
    for layer in schedule.layers:
        yield from _instants(layer.start, zone)
    times = {at for layer in schedule.layers for at in _times(layer)}
    for day in range(-1, AHEAD_DAYS):
        date = today + timedelta(days=day)
        for at in times:
            yield from _instants(datetime.combine(date, at), zone)
        noon = date + timedelta(hours=12)
        if (
            noon.replace(tzinfo=zone).utcoffset()
            != (noon + timedelta(days=1)).replace(tzinfo=zone).utcoffset()
        ):
            first = round(noon.replace(tzinfo=zone).timestamp() * 1000)
            yield from (first + half * 1_800_000 for half in range(52))


def _times(layer: Layer) -> set[time]:
    return {layer.start.time(), *(hours_of(layer, "") or ())}


def _instants(local: datetime, zone: ZoneInfo) -> Iterator[int]:
    """A local time that comes twice is two moments."""
    for fold in (0, 1):
        yield round(local.replace(tzinfo=zone, fold=fold).astimezone(UTC).timestamp() * 1000)
