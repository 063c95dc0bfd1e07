"""Containment from proposal to undo: two people, dry run, expiry by both clocks, and the flow that obeys in time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.memory_store import MemoryStore
from alerts.response.blast_radius import Effect, blast_radius
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.measure import Measure, Verb
from alerts.response.signals import Signals
from alerts.store import Commit
from models.containment import Containment, Lift
from models.decision import Counters, Decision, RuleHit, Versions, encode_decision
from models.errors import IncidentError, RefusedError, StoreError
from models.events import Control, decode

T0 = 1_788_220_800_000
MINUTE = 60_000


def decision(n: int, action: Any = "APPROVE", risk: float = 0.01, **context: Any) -> Decision:
    given = {"amount_usd": 100.0, "corridor": "CN>US:USD:cnp", "channel": "cnp", "bin": "400000", **context}
    rules = (
        [RuleHit(id="R1", version="1", action="HOLD", severity="high", typology="T01")]
        if action == "HOLD"
        else []
    )
    return Decision(
        id=f"e{n}", event_time=T0 + n * 1000, risk=risk, band="low", action=action, rules=rules,
        versions=Versions("m", "r", "l", "f"), context=given,
    )  # fmt: skip


DECISIONS = [
    *[decision(n) for n in range(900)],
    *[decision(n, merchant="m-1", corridor="CN>GB:GBP:cnp", amount_usd=500.0) for n in range(900, 960)],
    *[decision(n, "HOLD", 0.9, merchant="m-1") for n in range(960, 980)],
    *[decision(n, "DECLINE", 0.99, device="d-1") for n in range(980, 1000)],
]


def stored() -> MemoryStore:
    store = MemoryStore()
    store.commit(
        Commit(
            first_decision_ordinal=1, decisions=[encode_decision(d) for d in DECISIONS], hits=[], dead=[],
            first_dead_ordinal=1, counters=Counters(), minutes={}, stream_time=T0 + 1_000_000,
        )
    )  # fmt: skip
    return store


def at(minutes: float = 0.0) -> Clock:
    now = T0 + int(minutes * MINUTE)
    return Clock(now, now)


def propose(core: ResponseCore, verb: Verb = "suspend", scope: Any = None, **more: Any) -> Measure:
    scope = {"merchant": "m-1"} if scope is None else scope
    return core.propose(verb, scope, "guesses", "ana", "senior", more.pop("clock", at()), **more)[0]


def lane(core: ResponseCore) -> list[Control]:
    found = [decode(line) for line in core.store.controls]  # type: ignore[attr-defined]
    assert all(isinstance(event, Control) for event in found)
    return found  # type: ignore[return-value]


class TestRadius:
    def test_it_counts_what_would_newly_be_stopped(self) -> None:
        lines = [encode_decision(d) for d in reversed(DECISIONS)]
        radius = blast_radius(lines, Effect({"merchant": "m-1"}, "DECLINE"), T0)
        assert (radius.decisions, radius.covered, radius.stopped, radius.challenged) == (1000, 80, 60, 0)
        assert (radius.good, radius.good_usd) == (59.4, 29_700.0)
        assert radius.frauds == 0.6
        assert radius.good_share == pytest.approx(0.0594)
        assert radius.corridors[0] == ("CN>GB:GBP:cnp", 1.0)

    def test_a_step_up_challenges_and_a_limit_looks_at_amounts(self) -> None:
        lines = [encode_decision(d) for d in DECISIONS]
        assert blast_radius(lines, Effect({}, "STEP_UP"), T0).challenged == 960
        limit = blast_radius(lines, Effect({}, "HOLD", above_usd=100.0), T0)
        assert (limit.covered, limit.stopped) == (60, 60)

    def test_rules_alone_release_what_only_models_stopped(self) -> None:
        radius = blast_radius(
            [encode_decision(d) for d in DECISIONS], Effect({}, "APPROVE", rules_only=True), T0
        )
        assert (radius.released, radius.stopped) == (20, 0)

    def test_only_the_last_hours_count(self) -> None:
        lines = [encode_decision(d) for d in DECISIONS]
        assert blast_radius(lines, Effect({}, "HOLD"), T0 + 990_000).decisions == 10
        assert blast_radius([], Effect({}, "HOLD"), T0).good_share == 0.0


class TestWorkflow:
    def test_two_people_put_it_in_force_and_it_ends_by_itself(self) -> None:
        core = ResponseCore(stored())
        one = propose(core, minutes=30)
        assert (one.state, one.dual) == ("proposed", True)
        assert one.radius is not None
        assert lane(core) == []
        with pytest.raises(IncidentError, match="needs a second person: ana"):
            core.approve(one.id, "ana", "commander", at())
        with pytest.raises(RefusedError):
            core.approve(one.id, "aud", "auditor", at())
        core.approve(one.id, "bo", "commander", at(1))
        (on,) = lane(core)
        assert (on.kind, on.version, on.actor) == ("containment", one.id, "bo")
        force = msgspec.json.decode(on.payload, type=Containment)
        assert (force.scope, force.action, force.until) == ({"merchant": "m-1"}, "DECLINE", T0 + 31 * MINUTE)
        assert [m.state for m in core.measures()] == ["in_force"]
        assert core.step(T0 + 30 * MINUTE, Signals(at=T0 + 30 * MINUTE, now=T0 + 30 * MINUTE)).controls == []
        (off,) = core.step(T0 + 31 * MINUTE, Signals(at=T0, now=T0 + 31 * MINUTE)).controls
        assert msgspec.json.decode(off.payload, type=Lift).lift == one.id
        assert core.measure(one.id).state == "expired"
        assert core.measures() == []
        trail = [e.action for e in core.store.audit_of("containment", one.id, 9)]
        assert trail == ["proposed", "approved", "expired"]

    def test_a_narrow_measure_that_stops_little_takes_one_person_and_a_wide_one_two(self) -> None:
        core = ResponseCore(stored())
        assert propose(core, "suspend", {"device": "d-1"}).state == "in_force"
        assert propose(core, "suspend", {"bin": "999999"}).state == "proposed"
        assert propose(core, "freeze", {"customer": "who"}).state == "proposed"
        by_analyst, _ = core.propose("suspend", {"device": "d-1"}, "x", "al", "analyst", at(1))
        assert by_analyst.state == "proposed", "an analyst may ask, not approve"

    def test_it_can_be_undone_and_rejected_with_a_reason(self) -> None:
        core = ResponseCore(stored())
        one, two = propose(core), propose(core, "step_up", {})
        core.end(two.id, "bo", "commander", "too wide", at(1))
        assert core.measure(two.id).state == "rejected"
        core.approve(one.id, "bo", "commander", at(1))
        with pytest.raises(IncidentError, match="say why"):
            core.end(one.id, "ana", "senior", " ", at(2))
        core.end(one.id, "ana", "senior", "it is over", at(2))
        assert core.measure(one.id).state == "undone"
        assert [control.id for control in lane(core)] == [f"{one.id}-on", f"{one.id}-off"]
        with pytest.raises(IncidentError, match="is undone"):
            core.approve(one.id, "bo", "commander", at(3))

    def test_a_proposal_nobody_approves_lapses(self) -> None:
        core = ResponseCore(stored())
        one = propose(core)
        core.step(T0 + 60 * MINUTE, Signals(at=T0, now=T0 + 60 * MINUTE))
        assert core.measure(one.id).state == "lapsed"
        assert lane(core) == []

    def test_on_a_faster_stream_it_lasts_as_long_for_people(self) -> None:
        core = ResponseCore(stored())
        core.approve(propose(core, minutes=10).id, "bo", "commander", Clock(T0, T0 + 5 * MINUTE, speed=200))
        (on,) = lane(core)
        assert msgspec.json.decode(on.payload, type=Containment).until == T0 + 5 * MINUTE + 2000 * MINUTE

    def test_an_incident_tells_what_was_contained(self) -> None:
        core = ResponseCore(stored())
        incident, _ = core.declare("card_testing", {"merchant": "m-1"}, "ana", "senior", "seen", at())
        one = propose(core, incident=incident.id)
        core.approve(one.id, "bo", "commander", at(2))
        after = core.incident(incident.id)
        assert (after.phase, after.contained_at) == ("contain", None), (
            "approved is not yet in force in the flow"
        )
        core.store.note_effects([f"{one.id}-on"], T0 + 2 * MINUTE + 250)
        for _ in range(2):
            core.step(T0 + 3 * MINUTE, Signals(at=T0 + 3 * MINUTE, now=T0 + 3 * MINUTE))
        after = core.incident(incident.id)
        assert after.contained_at == core.measure(one.id).effective_at == T0 + 2 * MINUTE + 250
        lines = [e.text.partition(":")[0] for e in after.timeline if e.kind == "measure"]
        assert lines == ["proposed", "approved", "effective"]
        assert "took it 0.250 s after" in str(after.timeline[-1].facts["reason"])
        with pytest.raises(IncidentError, match="no incident in_x"):
            propose(core, incident="in_x")

    def test_a_model_is_rolled_back_and_the_newest_serves_again(self) -> None:
        store = stored()
        store.artefacts = {"m1": b"x"}
        core = ResponseCore(store)
        with pytest.raises(IncidentError, match="'m0' is not kept"):
            propose(core, "rollback", {}, model="m0")
        one = propose(core, "rollback", {}, model="m1")
        core.approve(one.id, "bo", "commander", at())
        (on,) = lane(core)
        assert (on.kind, on.version, on.artefact) == ("model", one.id, "m1")
        core.end(one.id, "bo", "commander", "mended", at(1))
        assert [c.kind for c in lane(core)] == ["model", "containment"]

    @pytest.mark.parametrize(
        ("verb", "scope", "more", "why"),
        [
            ("suspend", {"moon": "x"}, {}, "'moon' is not one of"),
            ("limit", {}, {}, "limit needs the lowered limit"),
            ("hold", {}, {"above_usd": 5.0}, "no other verb takes one"),
            ("freeze", {"corridor": "CN>US"}, {}, "freeze is for a party"),
            ("rollback", {"bin": "400000"}, {"model": "m"}, "not kept"),
            ("hold_payouts", {"channel": "cnp"}, {}, "leave the channel out"),
            ("suspend", {"bin": "400000"}, {"minutes": 0}, "give 1 to 1440"),
            ("suspend", {"bin": "400000"}, {"minutes": 9999}, "give 1 to 1440"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, verb: Any, scope: Any, more: Any, why: str) -> None:
        core = ResponseCore(stored())
        with pytest.raises(IncidentError, match=why):
            propose(core, verb, scope, **more)
        assert core.measures(live=False) == []

    def test_an_effect_that_was_owed_at_a_crash_is_done_once_by_the_next(self) -> None:
        core = ResponseCore(stored())
        one = propose(core)

        class KilledError(Exception):
            pass

        def killed() -> None:
            raise KilledError

        core.settle = killed  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            core.approve(one.id, "bo", "commander", at(1))
        again = ResponseCore(core.store)
        assert lane(again) == []
        again.step(T0 + 2 * MINUTE, Signals(at=T0, now=T0 + 2 * MINUTE))
        again.settle()
        assert [control.id for control in lane(again)] == [f"{one.id}-on"]
        assert [e.action for e in again.store.audit_of("containment", one.id, 9)] == ["proposed", "approved"]


class Containments(RuleBasedStateMachine):
    """Whatever people and time do: never in force without a second person, always one on and one off, all audited."""

    def __init__(self) -> None:
        super().__init__()
        self.core = ResponseCore(MemoryStore())
        self.now = T0
        self.ids: list[str] = []

    def clock(self) -> Clock:
        return Clock(self.now, self.now)

    @rule(
        verb=st.sampled_from(["suspend", "step_up", "hold_payouts", "freeze", "rules_only"]),
        who=st.sampled_from("ab"), minutes=st.integers(1, 90),
    )  # fmt: skip
    def propose(self, verb: Any, who: str, minutes: int) -> None:
        self.now += 1
        scope = {"merchant": f"m-{len(self.ids)}"}
        self.ids.append(
            self.core.propose(verb, scope, "r", who, "senior", self.clock(), minutes=minutes)[0].id
        )

    @precondition(lambda self: self.ids)
    @rule(n=st.integers(0, 99), who=st.sampled_from("ab"), undo=st.booleans())
    def decide(self, n: int, who: str, undo: bool) -> None:
        id_ = self.ids[n % len(self.ids)]
        before = self.core.measure(id_)
        try:
            if undo:
                self.core.end(id_, who, "senior", "r", self.clock())
            else:
                self.core.approve(id_, who, "senior", self.clock())
        except (IncidentError, StoreError):
            assert self.core.measure(id_) == before

    @rule(minutes=st.integers(1, 70))
    def pass_time(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.core.step(self.now, Signals(at=self.now, now=self.now))
        for one in self.core.measures():
            assert one.state == "proposed" or (one.until or 0) > self.now
            assert self.now - one.proposed_at < 60 * MINUTE or one.state == "in_force"

    @invariant()
    def in_force_only_with_two(self) -> None:
        sent = [control.id for control in lane(self.core)]
        assert len(sent) == len(set(sent))
        for id_ in self.ids:
            one = self.core.measure(id_)
            assert one.approved_by is None or one.approved_by != one.proposed_by
            on, off = f"{id_}-on" in sent, f"{id_}-off" in sent
            assert on == (one.approved_at is not None)
            assert off == (one.state in ("expired", "undone"))
            assert len(self.core.store.audit_of("containment", id_, 9)) == one.version
        assert self.core.store.owed() == []


TestContainments = Containments.TestCase
TestContainments.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
