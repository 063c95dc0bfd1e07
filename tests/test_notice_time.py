"""Time limits: elapsed hours, calendar days and months, working days, over zones, changes of clocks and year ends."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.notices.deadlines import Place, Span, shipped_rules, span_of
from alerts.notices.working_days import ends, is_working_day

PLACES = shipped_rules().place
ELSEWHERE = {
    "lord_howe": Place("Australia/Lord_Howe", "AU"),  # clocks change by half an hour
    "kiritimati": Place("Pacific/Kiritimati", "NZ"),  # UTC+14
    "havana": Place("America/Havana", "CU"),  # clocks change at midnight
    "kathmandu": Place("Asia/Kathmandu", "IN"),  # UTC+05:45
}
ALL = {**PLACES, **ELSEWHERE}
DAY_MS = 86_400_000
moments = st.integers(1_735_689_600_000, 1_893_456_000_000)  # 2025 to 2029
places = st.sampled_from(sorted(ALL))


def local(at: int, place: Place) -> dt.datetime:
    return dt.datetime.fromtimestamp(at / 1000, ZoneInfo(place.timezone))


def ms(text: str, zone: str = "UTC") -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(moments, st.integers(1, 9999), st.sampled_from(["m", "h"]), places)
def test_hours_are_elapsed_time_whatever_clocks_and_holidays_do(
    at: int, n: int, unit: str, name: str
) -> None:
    found = ends(at, Span(n, unit), ALL[name])
    assert found.at - at == n * {"m": 60_000, "h": 3_600_000}[unit]
    assert found.published


@given(moments, st.integers(1, 400), places)
def test_days_end_with_the_last_day_of_the_place(at: int, n: int, name: str) -> None:
    place = ALL[name]
    end = ends(at, Span(n, "d"), place).at
    assert local(end, place).date() == local(at, place).date() + dt.timedelta(days=n)
    assert local(end + 1, place).date() == local(end, place).date() + dt.timedelta(days=1)
    # A day more or less an hour when the clocks change.
    assert (n - 0.1) * DAY_MS < end - at < (n + 1.1) * DAY_MS


@given(moments, st.integers(1, 36), places)
def test_months_end_on_the_same_day_or_the_last_one_there_is(at: int, n: int, name: str) -> None:
    place = ALL[name]
    first, last = local(at, place).date(), local(ends(at, Span(n, "mo"), place).at, place).date()
    assert (last.year * 12 + last.month) - (first.year * 12 + first.month) == n
    assert last.day == first.day or (last.day < first.day and (last + dt.timedelta(days=1)).day == 1)


@given(moments, st.integers(1, 30), places)
def test_working_days_are_as_many_as_asked_and_none_is_a_day_off(at: int, n: int, name: str) -> None:
    place = ALL[name]
    first, last = local(at, place).date(), local(ends(at, Span(n, "bd"), place).at, place).date()
    days = [first + dt.timedelta(days=i) for i in range(1, (last - first).days + 1)]
    assert sum(is_working_day(day, place.calendar) for day in days) == n
    assert is_working_day(last, place.calendar)


@given(moments, moments, st.sampled_from(["90m", "36h", "3d", "10bd", "1mo"]), places)
def test_who_starts_later_never_ends_earlier(a: int, b: int, limit: str, name: str) -> None:
    first, second = sorted((a, b))
    span, place = span_of(limit), ALL[name]
    assert ends(first, span, place).at <= ends(second, span, place).at


@given(moments, st.integers(1, 60), places, st.sampled_from(["next_working_day", "noon_next_working_day"]))
def test_an_end_on_a_day_off_rolls_to_a_working_day_and_no_other_end_moves(
    at: int, n: int, name: str, rolls: str
) -> None:
    place = ALL[name]
    plain, rolled = ends(at, Span(n, "d"), place).at, ends(at, Span(n, "d"), place, rolls).at
    if is_working_day(local(plain, place).date(), place.calendar):
        assert rolled == plain
        return
    day = local(rolled, place).date()
    assert is_working_day(day, place.calendar)
    between = [
        local(plain, place).date() + dt.timedelta(days=i)
        for i in range((day - local(plain, place).date()).days)
    ]
    assert not any(is_working_day(d, place.calendar) for d in between)
    assert (local(rolled, place).hour, local(rolled, place).minute) == (
        (12, 0) if "noon" in rolls else (23, 59)
    )


@pytest.mark.parametrize(
    ("place", "start", "within", "rolls", "end"),
    [
        # Spring Festival 2026: off 15 to 23 February, the Saturdays 14 and 28 are worked (State Council, General Office).
        ("CN", "2026-02-13T10:00", "1bd", "none", "2026-02-14T23:59"),
        ("CN", "2026-02-14T10:00", "1bd", "none", "2026-02-24T23:59"),
        ("CN", "2026-02-27T10:00", "1bd", "none", "2026-02-28T23:59"),
        # National Day 2026: off 1 to 7 October, worked on Sunday 20 September and Saturday 10 October.
        ("CN", "2026-09-30T18:00", "1bd", "none", "2026-10-08T23:59"),
        ("CN", "2026-10-09T18:00", "1bd", "none", "2026-10-10T23:59"),
        # Year end: 1 January is off everywhere here.
        ("DE", "2026-12-31T23:30", "1bd", "none", "2027-01-04T23:59"),
        ("DE", "2026-12-31T23:30", "1d", "next_working_day", "2027-01-04T23:59"),
        # One month from 31 January ends with February; 2028 is a leap year.
        ("DE", "2027-01-31T09:00", "1mo", "none", "2027-02-28T23:59"),
        ("DE", "2028-01-31T09:00", "1mo", "none", "2028-02-29T23:59"),
        # DORA final report: one month that ends on a Saturday, until noon of the Monday.
        ("DE", "2026-11-12T09:00", "1mo", "noon_next_working_day", "2026-12-14T12:00"),
        # … on Christmas Day (Friday), then Boxing Day and Sunday: noon of 28 December.
        ("DE", "2026-11-25T09:00", "1mo", "noon_next_working_day", "2026-12-28T12:00"),
        # Ten business days over Thanksgiving (26 November 2026).
        ("US", "2026-11-20T09:00", "10bd", "none", "2026-12-07T23:59"),
        # Clocks go back on 25 October 2026: 72 hours are 71 on the wall.
        ("DE", "2026-10-23T10:00", "72h", "none", "2026-10-26T09:00"),
        # … and forward on 28 March 2027.
        ("DE", "2027-03-26T10:00", "72h", "none", "2027-03-29T11:00"),
    ],
)  # fmt: skip
def test_by_the_calendar(place: str, start: str, within: str, rolls: str, end: str) -> None:
    where = PLACES[place]
    found = ends(ms(start, where.timezone), span_of(within), where, rolls)
    assert f"{local(found.at, where):%Y-%m-%dT%H:%M}" == end


def test_a_year_whose_days_off_china_has_not_announced_is_said_to_be_so() -> None:
    assert ends(ms("2026-03-02T10:00"), span_of("3bd"), PLACES["CN"]).published
    assert not ends(ms("2035-03-02T10:00"), span_of("3bd"), PLACES["CN"]).published
    assert ends(ms("2035-03-02T10:00"), span_of("3d"), PLACES["CN"]).published
    assert ends(ms("2035-03-02T10:00"), span_of("3bd"), PLACES["DE"]).published


def test_a_midnight_that_does_not_exist_is_no_trouble() -> None:
    """Havana's clocks go from 00:00 to 01:00 on 8 March 2026: the day before ends when that one begins."""
    place = ELSEWHERE["havana"]
    end = ends(ms("2026-03-06T10:00", place.timezone), span_of("1d"), place).at
    assert local(end, place).date() == dt.date(2026, 3, 7)
    assert local(end + 1, place).date() == dt.date(2026, 3, 8)


@pytest.mark.parametrize("text", ["", "4", "h4", "0h", "4H", "1.5h", "-1d", "10 bd", "99999h"])
def test_what_is_no_time_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a time limit is"):
        span_of(text)
