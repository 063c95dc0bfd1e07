"""Detectors of leaks, outages and a lost store, the pace of a stream, and what is usual on a young one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.memory_store import MemoryStore
from alerts.response.clock import Pace, present
from alerts.response.core import ResponseCore
from alerts.response.detector import Detector
from alerts.response.signals import SignalReader, Signals
from alerts.store import Commit
from models.decision import Counters

T0 = 1_788_220_800_000
MINUTE = 60_000


def seen(fields: dict[str, float], usual: dict[str, float] | None = None) -> list[tuple[str, dict[str, str]]]:
    signals = Signals(at=T0 + 30_000, now=T0, recent={T0: fields}, usual=usual or {}, usual_minutes=60)
    return [(found.kind, found.scope) for found in Detector().step(T0, signals)]


def test_one_record_in_the_clear_is_a_leak_and_other_dead_letters_are_none() -> None:
    assert seen({"dead:clear_data": 1.0}) == [("data_leak", {})]
    assert seen({"dead:bad_currency": 50.0, "decided": 900.0}) == []


def test_a_partner_that_refuses_most_is_out_and_one_that_always_does_is_not() -> None:
    out = {"partner:psp-1": 12.0, "declined:psp-1": 11.0, "partner:psp-2": 12.0, "declined:psp-2": 1.0}
    assert seen(out) == [("payment_outage", {"partner": "psp-1"})]
    assert seen(out, {"partner:psp-1": 10.0, "declined:psp-1": 7.0}) == [], "it usually refuses as much"
    assert seen({"partner:psp-1": 7.0, "declined:psp-1": 7.0}) == [], "too few to tell"


def test_a_store_that_was_away_is_told_once_it_can_be_told() -> None:
    core = ResponseCore(MemoryStore())
    core.step(T0, Signals(at=T0, now=T0))
    for second in range(1, 6):
        core.step(T0 + second * 1000, Signals(at=T0, now=T0 + second * 1000, reachable=False))
    assert core.incidents() == []
    effects = core.step(T0 + 6000, Signals(at=T0, now=T0 + 6000))
    (incident,) = core.incidents()
    assert (incident.kind, incident.severity, incident.phase) == ("store_loss", "S2", "declare")
    assert incident.timeline[0].facts["away_s"] == 5.0
    assert effects.changes[0].severity == "S2"
    core.step(T0 + 7000, Signals(at=T0, now=T0 + 7000, reachable=False))
    core.step(T0 + 8000, Signals(at=T0, now=T0 + 8000))
    assert len(core.incidents()) == 1, "a hiccup is none"


def stored(minutes: dict[int, dict[str, float]], at: int) -> MemoryStore:
    store = MemoryStore()
    store.commit(
        Commit(
            first_decision_ordinal=1, decisions=[], hits=[], dead=[], first_dead_ordinal=1, counters=Counters(),
            minutes=minutes, stream_time=at,
        )
    )  # fmt: skip
    return store


def test_a_young_stream_is_measured_by_its_own_last_hour() -> None:
    at = T0 + 70 * MINUTE
    busy = {T0 + n * MINUTE: {"probe:400000|m-1": 3.0, "decided": 100.0} for n in range(71)}
    signals = SignalReader(stored(busy, at)).read(at)
    assert signals.usual["probe:400000|m-1"] == 3.0
    assert Detector().step(at, signals) == [], "it was as busy all the time"
    quiet = {T0 + n * MINUTE: {"decided": 100.0} for n in range(66)}
    burst = {T0 + n * MINUTE: {"probe:400000|m-1": 9.0} for n in range(66, 71)}
    (found,) = Detector().step(at, SignalReader(stored({**quiet, **burst}, at)).read(at))
    assert found.kind == "card_testing"
    assert found.first_bad_at == T0 + 66 * MINUTE


@given(st.floats(1.0, 500.0), st.lists(st.integers(500, 1500), min_size=8, max_size=60))
def test_the_pace_of_a_stream_is_measured_whatever_the_looks(speed: float, gaps: list[int]) -> None:
    pace, now = Pace(), T0
    for gap in gaps:
        now += gap
        told = pace.seen(now, T0 + round((now - T0) * speed))
    measured = now - T0 - gaps[0]  # The first look only says where to measure from.
    assert measured < 5000 or abs(told - speed) <= 0.01 * speed + 0.01


def test_a_stream_that_stands_still_has_the_pace_of_people_and_acts_know_the_pace() -> None:
    pace = Pace(40.0)
    assert pace.seen(T0, 0) == 40.0, "as it was told before the restart, until there is enough to measure"
    for second in range(1, 80):
        told = pace.seen(T0 + second * 1000, T0)
    assert told == 1.0
    store = stored({}, T0 + 5)
    store.beat("incidents", {"speed": 12.5}, T0)
    assert present(store, T0).speed == 12.5
    assert present(store, T0).stream_after(2) == T0 + 5 + int(2 * MINUTE * 12.5)
