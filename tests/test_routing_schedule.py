"""Who is on call, in civil time; what the routing file refuses; matchers."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.change import Change
from alerts.routing.matching import length_ms, length_text, matcher
from alerts.routing.plan import read_plan
from alerts.routing.schedule import Layer, Override, Schedule
from models.errors import SettingsError
from tests.test_routing import GROUPED, HEAD, timeline


def at(text: str, zone: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


WEEKLY = Schedule(
    name="desk",
    timezone="Europe/Berlin",
    layers=[Layer(people=["a", "b", "c"], start=datetime(2026, 1, 5, 9))],  # noqa: DTZ001  local by design
)


class TestRotation:
    @pytest.mark.parametrize(
        ("moment", "who"),
        [
            ("2026-01-05T08:59", None),
            ("2026-01-05T09:00", "a"),
            ("2026-01-12T08:59", "a"),
            ("2026-01-12T09:00", "b"),
            ("2026-01-26T09:00", "a"),
            # The clocks change on 29 March: the handover stays at nine.
            ("2026-03-30T08:59", "c"),
            ("2026-03-30T09:00", "a"),
        ],
    )
    def test_handover_is_in_civil_time(self, moment: str, who: str | None) -> None:
        assert WEEKLY.on_call(at(moment, "Europe/Berlin")) == who

    @given(st.integers(0, 400 * 24 * 60))
    def test_somebody_is_always_on_call_and_turns_are_fair(self, minutes: int) -> None:
        start = at("2026-01-05T09:00", "Europe/Berlin")
        who = WEEKLY.on_call(start + minutes * 60_000)
        # A week later somebody else has it, three weeks later the same again: by the wall clock, over every change.
        local = datetime.fromtimestamp((start + minutes * 60_000) / 1000, ZoneInfo("Europe/Berlin")).replace(
            tzinfo=None
        )
        later = [
            WEEKLY.on_call(
                round(
                    (local + timedelta(weeks=n)).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000
                )
            )
            for n in (1, 3)
        ]
        assert who in ("a", "b", "c")
        assert later[0] != who
        assert later[1] == who

    def test_the_newest_override_counts(self) -> None:
        day = datetime(2026, 1, 6)  # noqa: DTZ001
        overrides = [
            Override(person="x", start=day, until=day + timedelta(days=2)),
            Override(person="y", start=day + timedelta(hours=6), until=day + timedelta(hours=12)),
        ]
        schedule = Schedule(name="d", timezone="Europe/Berlin", layers=WEEKLY.layers, overrides=overrides)
        found = [schedule.on_call(at(f"2026-01-06T{hour:02}:00", "Europe/Berlin")) for hour in (5, 6, 12)]
        assert found == ["x", "y", "x"]

    def test_a_night_shift_belongs_to_the_day_it_begins_on(self) -> None:
        layers = [
            Layer(people=["night"], start=datetime(2026, 1, 1), hours="22:00-06:00", days=["fri"]),  # noqa: DTZ001
            Layer(people=["rest"], start=datetime(2026, 1, 1)),  # noqa: DTZ001
        ]
        schedule = Schedule(name="d", timezone="Asia/Shanghai", layers=layers)
        # 9 January 2026 is a Friday.
        moments = (
            "2026-01-09T21:59",
            "2026-01-09T22:00",
            "2026-01-10T05:59",
            "2026-01-10T06:00",
            "2026-01-10T23:00",
        )
        found = [schedule.on_call(at(moment, "Asia/Shanghai")) for moment in moments]
        assert found == ["rest", "night", "night", "rest", "rest"]


ON_CALL = (
    HEAD
    + """
[route]
notify = ["schedule:desk"]
group_by = ["id"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "1h"
[[people]]
name = "first"
receivers = ["oncall"]
[[people]]
name = "second"
receivers = ["lead", "pager"]
[[schedules]]
name = "desk"
timezone = "UTC"
layers = [{people = ["first", "second"], start = 2025-11-13T02:43:20, every_days = 1}]
"""
)
"""T0 of the timelines is 2025-11-13 02:13:20 UTC."""


def test_the_next_on_call_hears_the_repeat_not_the_first_page_again() -> None:
    plan = ON_CALL.replace("02:43:20", "02:13:20")
    t = timeline(plan)
    t.at(23.5 * 3600).push("a1")
    t.between(23.5 * 3600, 23.5 * 3600).want("oncall", "a1")
    t.between(24.5 * 3600, 24.5 * 3600).want("lead", "a1", why="repeat_elapsed").want(
        "pager", "a1", why="repeat_elapsed"
    )
    t.at(24.6 * 3600).push("a1", state="acknowledged")
    t.between(24.6 * 3600, 24.6 * 3600).want("pager", "a1", why="acknowledged_notice", says="acknowledged")
    t.run(48 * 3600)


def test_with_nobody_on_call_the_fallback_hears_and_whoever_comes_next() -> None:
    t = timeline(ON_CALL)
    t.at(0).push("a1")
    t.between(0, 0).want("desk", "a1", why="fallback")
    t.between(3600, 3600).want("oncall", "a1")
    t.run(4000)


def test_without_a_fallback_it_waits_for_somebody() -> None:
    t = timeline(ON_CALL.replace('fallback = "desk"', ""))
    t.at(0).push("a1")
    t.between(1800, 1860).want("oncall", "a1")
    t.run(2000)


class TestMatchers:
    @pytest.mark.parametrize(
        ("text", "fits"),
        [
            ("corridor=CN>US", True),
            ("corridor = CN>*", True),
            ("corridor=CN>?", False),
            ("corridor=US>*|CN>*", True),
            ("corridor!=US>*|DE>*", True),
            ("corridor!=CN>*", False),
            ("severity<=S2", True),
            ("severity<=S1", False),
            ("severity>=S2", True),
            ("severity>=S1", True),
            ("severity >= S3", False),
            ("type=alert", True),
            ("partner=", True),
            ("partner=*", True),
            ("partner=acme", False),
            ("id=a[1]", False),
        ],
    )
    def test_what_fits(self, text: str, fits: bool) -> None:
        change = Change(kind="alert", id="a1", severity="S2", at=0, labels={"corridor": "CN>US"})
        assert matcher(text, "x").fits(change) is fits

    @given(st.text(alphabet="*?a[]b", max_size=60), st.text(alphabet="ab", max_size=60))
    def test_no_pattern_runs_away(self, pattern: str, value: str) -> None:
        change = Change(kind="alert", id=value, severity="S2", at=0)
        matcher(f"id={pattern}", "x").fits(change)

    @given(st.integers(0, 10**7))
    def test_lengths_read_back(self, seconds: int) -> None:
        assert length_ms(length_text(seconds * 1000), "x") == seconds * 1000


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('notify = ["oncall"]', 'notify = ["nobody"]', "'nobody' is none of"),
        ('notify = ["oncall"]', 'notify = ["schedule:x"]', "none of [[schedules]]"),
        ('group_wait = "30s"', 'group_wait = "30"', "no length of time"),
        ('group_wait = "30s"', 'group_wait = "30s"\ngrup = 1', "unknown field `grup`"),
        ("[route]", '[route]\nmatch = ["a=b"]', "root takes everything"),
        ("[route]", '[route]\nescalation = "x"', "none of [[escalations]]"),
        ('type = "slack"', 'type = "fax"', "Invalid value 'fax'"),
        ('name = "lead"', 'name = "desk"', "the same name"),
        ('name = "lead"', 'name = "le ad"', "letters, digits"),
        ('name = "lead"', 'name = "lead"\nrate = "fast"', "write it as 20/1m"),
        ('fallback = "desk"', 'fallback = "dusk"', "fallback: 'dusk'"),
        ("[route]", '[route]\nroutes = [{match = ["severity>S2"]}]', "is no matcher"),
        ("[route]", '[route]\nroutes = [{match = ["corridor>=S2"]}]', ">= goes with severity"),
        ("[route]", '[route]\nroutes = [{match = ["corridor<=S2"]}]', "goes with severity"),
        ("[route]", '[route]\nroutes = [{match = ["a=b"]}, {match = ["a=b"]}]', "give them names"),
        ("[route]", "[route", "routes.toml"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in GROUPED
    with pytest.raises(SettingsError) as caught:
        read_plan(GROUPED.replace(old, new, 1), "routes.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("routes.toml: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('timezone = "UTC"', 'timezone = "Mars/Base"', "no time zone"),
        ('people = ["first", "second"]', 'people = ["third"]', "none of [[people]]"),
        ("every_days = 1", "every_days = 0", "at least 1"),
        ("2025-11-13T02:43:20", "2025-11-13T02:43:20Z", "has a zone"),
        ("every_days = 1", 'hours = "9-17"', "write it as 09:00-18:00"),
        ("every_days = 1", 'days = ["monday"]', "is no day"),
    ],
)
def test_schedules_too(old: str, new: str, message: str) -> None:
    assert old in ON_CALL
    with pytest.raises(SettingsError, match=r"schedule desk") as caught:
        read_plan(ON_CALL.replace(old, new, 1), "routes.toml")
    assert message in str(caught.value)
