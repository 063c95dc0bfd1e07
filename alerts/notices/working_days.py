"""From a moment and a time limit to the moment it ends, in a place's own calendar. Pure.

Minutes and hours are elapsed time: neither a change of clocks nor a holiday adds to them. They run from the moment
itself, which is at most an hour earlier than Regulation (EEC, Euratom) 1182/71 art. 3 would count: a notice that is early
is never late. Days, working days and months do not count the day on which they begin, and end with the last day,
at midnight of the place (1182/71 art. 3; Civil Code of the People's Republic of China art. 201-203). Where a row
says so, an end on a day that is no working day moves on.
"""

from __future__ import annotations

import calendar as months
import datetime as dt
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

from alerts.notices.deadlines import Place, Roll, Span

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
_DAY = dt.timedelta(days=1)


class End(NamedTuple):
    """at: ms. published: the calendar of every year it was counted in is one that its government has published."""

    at: int
    published: bool


def ends(start: int, span: Span, place: Place, rolls: Roll = "none") -> End:
    """When a time limit that begins at `start` (ms) is over: the last millisecond at which it is still kept."""
    if span.elapsed:
        return End(start + span.number * (MINUTE_MS if span.unit == "m" else HOUR_MS), True)
    zone = ZoneInfo(place.timezone)
    first = dt.datetime.fromtimestamp(start / 1000, zone).date()
    last = _last_day(first, span, place.calendar)
    noon = False
    if rolls != "none" and not is_working_day(last, place.calendar):
        last, noon = _working_day_after(last, place.calendar), rolls == "noon_next_working_day"
    counted = span.unit == "bd" or rolls != "none"
    years = range(first.year, last.year + 1)
    published = not counted or all(_published(place.calendar, year) for year in years)
    if noon:
        return End(_millis(dt.datetime.combine(last, dt.time(12), zone)), published)
    return End(_millis(dt.datetime.combine(last + _DAY, dt.time(), zone)) - 1, published)


def is_working_day(day: dt.date, country: str) -> bool:
    """Neither weekend nor public holiday, or a weekend day that is worked instead of another (China)."""
    return bool(_calendar(country).is_working_day(day))


def _last_day(first: dt.date, span: Span, country: str) -> dt.date:
    if span.unit == "d":
        return first + dt.timedelta(days=span.number)
    if span.unit == "mo":
        month = first.month - 1 + span.number
        year, month = first.year + month // 12, month % 12 + 1
        return dt.date(year, month, min(first.day, months.monthrange(year, month)[1]))
    day = first
    for _ in range(span.number):
        day = _working_day_after(day, country)
    return day


def _working_day_after(day: dt.date, country: str) -> dt.date:
    day += _DAY
    while not is_working_day(day, country):
        day += _DAY
    return day


@cache
def _calendar(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


def _published(country: str, year: int) -> bool:
    """China announces a year's days worked and off in the November before; until then only festivals are known."""
    if country != "CN":
        return True
    known = _calendar(country)
    known.is_working_day(dt.date(year, 1, 1))
    return any(day.year == year for day in known.weekend_workdays)


def _millis(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)
