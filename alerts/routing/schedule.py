"""Who is on call: rotations with handover times in a time zone, hours of the day, overrides. Pure.

Everything is reckoned in the schedule's own civil time: a handover at 09:00 is at 09:00 also after the clocks
have changed, and a week in which they do is a week.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from models.errors import SettingsError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rotation. `start` is the first handover (local time), and its time of day is that of all others.

    people: take turns, `every_days` each. hours: `"09:00-18:00"`, also past midnight; empty: all day. days: the
    days on which these hours begin; empty: every day.
    """

    people: list[str]
    start: datetime
    every_days: int = 7
    hours: str = ""
    days: list[str] = []


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`person` is on call from `start` until before `until` (local times), whatever the rotations say."""

    person: str
    start: datetime
    until: datetime


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of the layers the first one that has somebody counts; of the overrides the last one written."""

    name: str
    timezone: str
    layers: list[Layer]
    overrides: list[Override] = []

    def on_call(self, now: int) -> str | None:
        """The person on call at `now` (ms since the epoch); None: nobody."""
        local = datetime.fromtimestamp(now / 1000, ZoneInfo(self.timezone)).replace(tzinfo=None)
        for override in reversed(self.overrides):
            if override.start <= local < override.until:
                return override.person
        for layer in self.layers:
            turns = (local - layer.start) // timedelta(days=layer.every_days)
            if local >= layer.start and _within(layer, local):
                return layer.people[turns % len(layer.people)]
        return None


def check_schedule(schedule: Schedule, people: set[str]) -> None:
    """Raise SettingsError for a schedule that cannot be followed."""
    where = f"schedule {schedule.name}"
    try:
        ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"{where}: {schedule.timezone!r} is no time zone; write one as Asia/Shanghai"
        ) from None
    if not schedule.layers:
        raise SettingsError(f"{where}: give it at least one of [[schedules.layers]]")
    for number, layer in enumerate(schedule.layers, 1):
        place = f"{where}, layer {number}"
        if layer.every_days < 1 or not layer.people:
            raise SettingsError(f"{place}: every_days is at least 1, and people names at least one")
        hours_of(layer, place)
        if wrong := [day for day in layer.days if day not in DAYS]:
            raise SettingsError(f"{place}: {wrong[0]!r} is no day; write {', '.join(DAYS)}")
    for moment in (
        *(layer.start for layer in schedule.layers),
        *(m for override in schedule.overrides for m in (override.start, override.until)),
    ):
        if moment.tzinfo is not None:
            raise SettingsError(f"{where}: {moment} has a zone; write local time of {schedule.timezone}")
    for override in schedule.overrides:
        if override.start >= override.until:
            raise SettingsError(f"{where}: the override of {override.person} ends before it starts")
    named = {name for layer in schedule.layers for name in layer.people}
    if unknown := sorted((named | {override.person for override in schedule.overrides}) - people):
        raise SettingsError(f"{where}: {unknown[0]!r} is none of [[people]]")


def hours_of(layer: Layer, place: str) -> tuple[time, time] | None:
    """The hours a layer is limited to; None: all day. Raises SettingsError with `place` in front."""
    if not layer.hours:
        return None
    try:
        begin, _, end = layer.hours.partition("-")
        return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise SettingsError(f"{place}: hours is {layer.hours!r}; write it as 09:00-18:00") from None


def _within(layer: Layer, local: datetime) -> bool:
    hours = hours_of(layer, "")
    begin, end = hours or (time.min, time.min)
    # The shift that is on now may have begun yesterday; where both times are equal it lasts a whole day.
    today = local.time() >= begin and (begin >= end or local.time() < end)
    yesterday = begin >= end and local.time() < end
    if not layer.days:
        return today or yesterday
    day = local.weekday()
    return (today and DAYS[day] in layer.days) or (yesterday and DAYS[day - 1] in layer.days)
