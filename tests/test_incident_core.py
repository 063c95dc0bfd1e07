"""Incidents from detection to closure on a virtual clock: one surge one incident, severity, pages, marks, rights."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.alert import Alert
from alerts.memory_store import MemoryStore
from alerts.response.acts import (
    Acknowledge,
    ActionDone,
    AddAction,
    AnyAct,
    Decide,
    DecidePlan,
    Handover,
    Know,
    Move,
    Note,
    Regrade,
    Situation,
    StepDone,
    WriteReview,
)
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.incident import Impacts, Incident
from alerts.response.phases import NEXT
from alerts.response.readings import left_to_do
from alerts.response.review import SECTIONS, Action, PlanDecision
from alerts.response.severity import severity_table
from alerts.response.signals import Signals, lists_of
from models.decision import Counters, Decision, RuleHit, Versions
from models.errors import IncidentError, RefusedError
from models.learner_report import LearnerReport, Mark

T0 = 1_788_220_800_000
MINUTE = 60_000


def alert(n: int, typology: str, at: int, usd: float = 100.0, risk: float = 0.8, **context: Any) -> Alert:
    decision = Decision(
        id=f"e{n}", event_time=at, risk=risk, band="high", action="HOLD",
        rules=[RuleHit(id="R1", version="1", action="HOLD", severity="high", typology=typology)],
        versions=Versions("m", "r", "l", "f"), context={"amount_usd": usd, "customer": f"who-{n}", **context},
    )  # fmt: skip
    return Alert(
        id=f"al_{n}", fingerprint=f"f{n}", version=1, status="open", severity="S2", priority=usd * risk,
        typology=typology, entity_kind="customer", entity=f"who-{n}", count=1, amount_usd=usd, first_time=at,
        last_time=at, opened_at=at, event_ids=[f"e{n}"], decision=decision,
    )  # fmt: skip


def guesses(at: int, count: float, bin_: str = "400000", merchant: str = "m-1", **more: Any) -> Signals:
    """Card numbers guessed within the minute of `at`."""
    minute = at - at % MINUTE
    return Signals(at=at, now=at, recent={minute: {f"probe:{bin_}|{merchant}": count}}, **more)


def core() -> ResponseCore:
    return ResponseCore(MemoryStore())


def open_incident(one: ResponseCore, at: int = T0) -> Incident:
    one.step(at, guesses(at, 30.0))
    (incident,) = one.incidents()
    return incident


def do(one: ResponseCore, act: AnyAct, at: int) -> Incident:
    one.perform(act, Clock(at, at))
    return one.incident(act.incident)


class TestDetection:
    def test_a_quiet_stream_opens_nothing(self) -> None:
        one = core()
        for n in range(60):
            assert one.step(T0 + n * 1000, Signals(at=T0, now=T0 + n * 1000)).owed == []
        assert one.incidents(live=False) == []

    def test_a_surge_is_one_incident_with_everything_about_it(self) -> None:
        one = core()
        effects = one.step(T0, guesses(T0, 30.0))
        (incident,) = one.incidents()
        assert (incident.kind, incident.scope, incident.source) == (
            "card_testing",
            {"bin": "400000"},
            "detector",
        )
        assert (incident.phase, incident.severity, incident.urgency) == ("triage", "S3", "high")
        assert [page.role for page in incident.team] == ["incident_commander", "fraud_lead", "scribe"]
        assert [entry.kind for entry in incident.timeline] == ["detected", "triaged"]
        assert incident.timeline[0].facts["guesses"] == 30.0
        (change,) = effects.changes
        assert (change.kind, change.id, change.state, change.severity) == (
            "incident",
            incident.id,
            "open",
            "S3",
        )
        assert "试探" in change.text_zh
        assert [entry.action for entry in effects.audits] == ["detected", "triaged"]
        assert [link.entry.action for link in one.store.audit_chain(0, 9)] == ["detected", "triaged"]

    def test_what_comes_later_joins_and_a_restarted_watch_opens_it_not_again(self) -> None:
        one = core()
        open_incident(one)
        alerts = [alert(n, "T01", T0 + 90_000, bin="400000") for n in range(3)]
        again = ResponseCore(one.store)
        for each in (one, again):
            each.step(T0 + 90_000, guesses(T0 + 90_000, 40.0, alerts=alerts))
        (incident,) = one.incidents(live=False)
        assert incident.alert_ids == ["al_0", "al_1", "al_2"]
        assert one.store.incident_of(["al_1"]) == {"al_1": incident.id}
        assert [entry.kind for entry in incident.timeline].count("joined") == 1

    def test_another_scope_is_another_incident(self) -> None:
        one = core()
        open_incident(one)
        one.step(T0 + 10_000, guesses(T0 + 10_000, 30.0, bin_="510000", merchant="m-2"))
        assert [i.scope for i in one.incidents()] == [{"bin": "400000"}, {"bin": "510000"}]

    def test_the_usual_number_of_guesses_is_no_surge(self) -> None:
        usual = {"probe:400000|m-1": 6.0}
        one = core()
        one.step(T0, guesses(T0, 40.0, usual=usual, usual_minutes=1440))
        assert one.incidents() == []

    def test_a_wave_of_takeovers_grows_worse_and_is_declared(self) -> None:
        one = core()
        few = [alert(n, "T02", T0 + n, usd=50) for n in range(5)]
        one.step(T0 + 1000, Signals(at=T0 + 1000, now=T0 + 1000, alerts=few))
        (incident,) = one.incidents()
        assert (incident.kind, incident.severity, incident.phase) == ("account_takeover", "S3", "triage")
        many = few + [alert(n, "T16", T0 + 2000, usd=9000) for n in range(5, 60)]
        effects = one.step(T0 + 2000, Signals(at=T0 + 2000, now=T0 + 2000, alerts=many))
        (incident,) = one.incidents()
        assert (incident.severity, incident.urgency, incident.phase) == ("S2", "critical", "declare")
        assert incident.loss.usd == pytest.approx(5 * 50 * 0.8 + 55 * 9000 * 0.8, rel=1e-3)
        assert incident.impacts.customers == 60
        assert "compliance_mlro" in [page.role for page in incident.team]
        assert effects.changes[-1].severity == "S2"

    def test_partner_and_corridor_of_the_same_alerts_are_one_incident(self) -> None:
        recent = {T0: {"hit:MODEL|psp-1|CN>US:USD:cnp": 40.0, "partner:psp-1": 100.0, "partner:psp-2": 900.0,
                       "corridor:CN>US:USD:cnp": 100.0, "corridor:CN>GB:GBP:cnp": 900.0}}  # fmt: skip
        alerts = [alert(n, "MODEL", T0, partner="psp-1", corridor="CN>US:USD:cnp") for n in range(12)]
        one = core()
        one.step(T0, Signals(at=T0, now=T0, recent=recent, alerts=alerts))
        assert [(i.kind, i.scope) for i in one.incidents()] == [("partner_compromise", {"partner": "psp-1"})]
        spread = {T0: {**{f"hit:MODEL|psp-{n}|CN>US:USD:cnp": 14.0 for n in range(4)},
                       **{f"partner:psp-{n}": 300.0 for n in range(4)},
                       "corridor:CN>US:USD:cnp": 200.0, "corridor:CN>GB:GBP:cnp": 1000.0}}  # fmt: skip
        alerts = [alert(n, "MODEL", T0, partner=f"psp-{n % 4}", corridor="CN>US:USD:cnp") for n in range(40)]
        other = core()
        other.step(T0, Signals(at=T0, now=T0, recent=spread, alerts=alerts))
        found = [(i.kind, i.scope) for i in other.incidents()]
        assert found == [("corridor_surge", {"corridor": "CN>US:USD:cnp"})]

    def test_a_dismissed_surge_stays_dismissed_and_a_new_one_is_new(self) -> None:
        one = core()
        incident = open_incident(one)
        do(
            one,
            Move(incident=incident.id, actor="ana", role="senior", to="dismissed", reason="a load test"),
            T0,
        )
        one.step(T0 + MINUTE, guesses(T0 + MINUTE, 40.0))
        assert [i.phase for i in one.incidents()] == ["dismissed"]
        later = T0 + 90 * MINUTE
        one.step(later, guesses(later, 40.0))
        assert [i.phase for i in one.incidents()] == ["dismissed", "triage"]


class TestFailures:
    def beats(self, at: int) -> dict[str, dict[str, str | int | float]]:
        return {"scorer": {"status": "live", "at": at}}

    def run_outage(self, minutes: float) -> ResponseCore:
        """The scorer is there for an hour and then away."""
        one, now = core(), T0
        while now < T0 + 60 * MINUTE + int(minutes * MINUTE):
            now += 5000
            alive = min(now, T0 + 60 * MINUTE)
            one.step(now, Signals(at=T0, now=now, beats=self.beats(alive)))
        return one

    def test_a_scorer_that_is_away_burns_its_budget(self) -> None:
        assert self.run_outage(0.4).incidents() == []
        (incident,) = self.run_outage(1.5).incidents()
        assert (incident.kind, incident.scope) == ("availability_burn", {"component": "scorer"})
        assert incident.urgency == "high"
        assert float(incident.timeline[0].facts["burn"]) >= 14.4

    def test_a_store_that_does_not_answer_counts_too(self) -> None:
        one = core()
        for n in range(100):
            now = T0 + n * 5000
            beats = self.beats(now) if n < 10 else {}
            one.step(now, Signals(at=T0, now=now, beats=beats, reachable=n < 10))
        assert one.incidents() == []
        one.step(T0 + 500_000, Signals(at=T0, now=T0 + 500_000, beats=self.beats(T0 + 500_000)))
        assert [i.kind for i in one.incidents()] == ["store_loss", "availability_burn"]

    def test_a_flood_of_dead_letters(self) -> None:
        one = core()
        for n in range(40):
            dead = 0 if n < 20 else (n - 19) * 20
            counters = Counters(events_in=n * 1000, dead_letters=dead)
            one.step(T0 + n * 15_000, Signals(at=T0, now=T0 + n * 15_000, counters=counters))
        (incident,) = one.incidents()
        assert incident.kind == "dead_letter_flood"
        assert incident.impacts.payments_failed

    def test_an_old_list_and_a_broken_model(self) -> None:
        ages = {"list_sanctions_as_of": T0 - 30 * 3_600_000, "list_sanctions_max_age_ms": 86_400_000}
        beats: Any = {"screen": {"at": T0, **ages}}
        mark = Mark(at=T0, kind="score", name="stack", text_en="stack predicts far worse", text_zh="明显变差")
        report = LearnerReport(at=T0, version="m", examples=1, frauds=1, champion="stack", marks=[mark])
        one = core()
        one.step(T0, Signals(at=T0, now=T0, lists=lists_of(beats), learner=report))
        assert sorted(i.kind for i in one.incidents()) == ["list_outage", "model_collapse"]

    def test_what_detectors_remember_survives_a_restart(self) -> None:
        one = self.run_outage(0.9)
        again = ResponseCore(one.store)
        assert again.detector.state.bad["scorer"]


class TestPeople:
    def test_the_life_of_an_incident(self) -> None:
        one = core()
        id_ = open_incident(one).id
        by: dict[str, Any] = {"incident": id_, "actor": "ana", "role": "commander"}
        after = do(one, Acknowledge(**by), T0 + MINUTE)
        assert (after.acknowledged_at, after.commander) == (T0 + MINUTE, "ana")
        assert one.store.announced[-1].state == "acknowledged"
        do(one, Move(**by, to="declare"), T0 + 2 * MINUTE)
        do(one, Note(**by, reason="one merchant"), T0 + 3 * MINUTE)
        do(one, Decide(**by, text="contain the BIN", reason="91 % of it are guesses"), T0 + 3 * MINUTE)
        do(one, Situation(**by, reason="contained"), T0 + 4 * MINUTE)
        after = do(one, Handover(**by, to="bo", reason="watch the BIN"), T0 + 5 * MINUTE)
        assert after.commander == "bo"
        after = do(one, Know(**by, impacts=Impacts(customers=600)), T0 + 6 * MINUTE)
        assert after.severity == "S2", "600 customers under high urgency are S2"
        assert after.acknowledged_at is None, "it got worse: somebody answers anew"
        do(one, StepDone(**by, step="s1"), T0 + 6 * MINUTE)
        with pytest.raises(IncidentError, match="another person verifies"):
            do(one, StepDone(**by, step="s1", verify=True), T0 + 6 * MINUTE)
        for to in ("contain", "recover", "review"):
            after = do(one, Move(**by, to=to), T0 + 7 * MINUTE)  # type: ignore[arg-type]
        assert one.store.announced[-1].state == "resolved", "its alerts are heard again"
        do(one, Move(**by, to="plan_update"), T0 + 8 * MINUTE)
        with pytest.raises(IncidentError, match=r"not complete: .*root_cause.*plan_decision"):
            do(one, Move(**by, to="closed"), T0 + 8 * MINUTE)
        for section in SECTIONS:
            do(one, WriteReview(**by, section=section, text=f"on {section}"), T0 + 9 * MINUTE)
        action = Action(id="a1", text="limit guesses at the door", owner="fraud_lead", due="2026-10-01")
        do(one, AddAction(**by, action=action), T0 + 9 * MINUTE)
        unknown = PlanDecision(outcome="changed", reason="r", by="ana", at=T0, version="2", actions=["a9"])
        with pytest.raises(IncidentError, match="answers actions"):
            do(one, DecidePlan(**by, decision=unknown), T0 + 9 * MINUTE)
        do(one, DecidePlan(**by, decision=msgspec.structs.replace(unknown, actions=["a1"])), T0 + 9 * MINUTE)
        after = do(one, Move(**by, to="closed"), T0 + 10 * MINUTE)
        assert after.ended_at == T0 + 10 * MINUTE
        with pytest.raises(IncidentError, match="new incident"):
            do(one, Note(**by, reason="late"), T0 + 11 * MINUTE)
        chain = one.store.audit_of("incident", id_, 99)
        assert [e.action for e in chain[:4]] == ["detected", "triaged", "acknowledge", "move"]
        archive = [e.after or {} for e in chain if e.action == "archived"]
        assert len(chain) - len(archive) == len(after.timeline), (
            "every line of the timeline is in the audit chain"
        )
        assert {e["section"]: e.get("text") for e in archive} == {
            **{section: f"on {section}" for section in SECTIONS}, "actions": None, "plan_decision": None,
        }  # fmt: skip
        self.then_its_action(one, id_, by)

    @staticmethod
    def then_its_action(one: ResponseCore, id_: str, by: dict[str, Any]) -> None:
        """The action of a closed incident: it rings once it is late, and can still be done."""
        day = 86_400_000
        (left,) = left_to_do(one, T0)
        assert (left.incident, left.action.owner, left.late) == (id_, "fraud_lead", False)
        late = T0 + 31 * day
        one.step(late, Signals(at=late, now=late))
        one.step(late + 1000, Signals(at=late, now=late + 1000))
        rung = [change for change in one.store.announced if "action" in change.labels.get("mark", "")]
        assert [(change.kind, "was due on 2026-10-01" in change.text_en) for change in rung] == [
            ("notice", True)
        ]
        assert [each.late for each in left_to_do(one, late)] == [True]
        with pytest.raises(IncidentError, match="no open action 'a2'; open are: a1"):
            do(one, ActionDone(**by, action="a2", day="2026-10-03"), late)
        with pytest.raises(IncidentError, match="give it as YYYY-MM-DD"):
            do(one, ActionDone(**by, action="a1", day="soon"), late)
        do(one, ActionDone(**by, action="a1", day="2026-10-03"), late)
        assert left_to_do(one, late) == []
        one.step(late + 2000, Signals(at=late, now=late + 2000))
        assert one.incidents() == [], "nothing is left to do: it is listed no longer"

    def test_declared_by_hand(self) -> None:
        one = core()
        incident, effects = one.declare(
            "data_leak", {}, "cem", "compliance", "a file was found", Clock(T0, T0),
            impacts=Impacts(records=6000), exposed_usd=50_000, rate=0.1,
        )  # fmt: skip
        assert (incident.phase, incident.severity, incident.source) == ("declare", "S2", "hand")
        assert incident.loss.usd == 5000
        assert [entry.action for entry in effects.audits] == ["declared"]
        with pytest.raises(IncidentError, match="no kind 'flood'"):
            one.declare("flood", {}, "cem", "compliance", "?", Clock(T0, T0))
        with pytest.raises(RefusedError, match="auditor"):
            one.declare("data_leak", {}, "cem", "auditor", "?", Clock(T0, T0))

    def test_rights(self) -> None:
        one = core()
        id_ = open_incident(one).id
        for act in (Move(incident=id_, actor="x", role="analyst", to="declare"),
                    Acknowledge(incident=id_, actor="x", role="analyst"),
                    Regrade(incident=id_, actor="x", role="compliance", severity="S1", reason="r")):  # fmt: skip
            with pytest.raises(RefusedError):
                one.perform(act, Clock(T0, T0))

    def test_a_grade_given_by_hand_stays(self) -> None:
        one = core()
        id_ = open_incident(one).id
        by: dict[str, Any] = {"incident": id_, "actor": "ana", "role": "commander"}
        do(one, Regrade(**by, severity="S4", reason="a pen test"), T0)
        after = do(one, Know(**by, impacts=Impacts(customers=200_000)), T0)
        assert after.severity == "S4"

    def test_what_nobody_does_is_said_once(self) -> None:
        one = core()
        incident, _ = one.declare("phishing_campaign", {}, "cem", "compliance", "mails", Clock(T0, T0),
                                  impacts=Impacts(customers=6000))  # fmt: skip
        target = severity_table().targets[incident.severity]
        marks: list[tuple[int, str]] = []
        for minute in range(2 * target.sitrep + 1):
            now = T0 + minute * MINUTE
            for change in one.step(now, Signals(at=now, now=now)).changes:
                if change.kind == "notice":
                    marks.append((minute, change.labels["mark"]))
        assert marks == [
            (target.acknowledge, "unacknowledged"), (target.contain, "uncontained"), (target.sitrep, "sitrep"),
        ]  # fmt: skip
        by: dict[str, Any] = {"incident": incident.id, "actor": "ana", "role": "commander"}
        do(one, Situation(**by, reason="still open"), now)
        later = now + target.sitrep * MINUTE
        changes = one.step(later, Signals(at=later, now=later)).changes
        assert [c.labels["mark"] for c in changes if c.kind == "notice"] == ["sitrep"]


MOVES = sorted(NEXT)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(MOVES), max_size=25))
def test_no_illegal_move_and_no_gap_in_the_trail(moves: list[Any]) -> None:
    one = core()
    id_ = open_incident(one).id
    for n, to in enumerate(moves):
        before = one.incident(id_)
        act = Move(incident=id_, actor="ana", role="commander", to=to, reason="because")
        try:
            one.perform(act, Clock(T0 + n, T0 + n))
        except IncidentError:
            assert one.incident(id_) == before, "what is refused changes nothing"
            assert to not in NEXT[before.phase] or to == "closed"
        else:
            after = one.incident(id_)
            assert to in NEXT[before.phase]
            assert after.phase == to
            assert after.version == before.version + 1
    final = one.incident(id_)
    assert len(one.store.audit_of("incident", id_, 99)) == len(final.timeline) == final.version
    assert one.store.owed() == []


_impacts = st.builds(
    Impacts, customers=st.integers(0, 10**6), records=st.integers(0, 10**7), loss_usd=st.floats(0, 1e8),
    outage_min=st.floats(0, 1e4), payments_failed=st.integers(0, 10**7),
)  # fmt: skip


@given(st.sampled_from(["low", "medium", "high", "critical"]), _impacts)
def test_more_impact_is_never_less_severe(urgency: Any, impacts: Impacts) -> None:
    table = severity_table()
    severity = table.severity(urgency, impacts, 7.0)
    for name, value in msgspec.structs.asdict(impacts).items():
        unknown = msgspec.structs.replace(impacts, **{name: None})
        assert table.severity(urgency, unknown, 7.0) >= severity
        more = msgspec.structs.replace(impacts, **{name: value * 10 + 1})
        assert table.severity(urgency, more, 7.0) <= severity


@pytest.mark.parametrize(
    ("impacts", "column"),
    [({"customers": 499}, 0), ({"customers": 500}, 1), ({"records": 5000}, 1), ({"outage_min": 120}, 2),
     ({"payments_failed": 100_000}, 2), ({"records": 1_000_000}, 3), ({}, 0)],
)  # fmt: skip
def test_legal_triggers_lie_on_edges(impacts: dict[str, Any], column: int) -> None:
    assert severity_table().column(Impacts(**impacts), 7.0) == column
