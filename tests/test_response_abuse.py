"""What must not be possible in the response, whoever tries: poisoned numbers, stale proposals, lost surges, leaks."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from alerts.memory_store import MemoryStore
from alerts.receivers.message import short
from alerts.response.acts import Acknowledge, Move, Regrade
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.measure import containment_rules
from alerts.routing.matching import length_ms
from alerts.routing.silence import new_silence
from models.containment import Containment
from models.errors import IncidentError, SettingsError
from tests.test_containment_workflow import MINUTE, T0, at, lane, propose, stored
from tests.test_incident_core import core, do, guesses, open_incident

HOUR = 60 * MINUTE


@pytest.mark.parametrize("usd", [math.nan, math.inf, 1e400, -1.0])
def test_a_loss_that_is_no_number_is_refused_and_blocks_nobody(usd: float) -> None:
    one = core()
    with pytest.raises(IncidentError, match="exposed amount"):
        one.declare("card_testing", {}, "ana", "senior", "x", at(), exposed_usd=usd)
    one.settle()
    assert one.incidents(live=False) == []


def test_a_proposal_whose_time_is_over_is_not_approved_even_where_nobody_ended_it() -> None:
    one = ResponseCore(stored())
    measure = propose(one)
    late = containment_rules().proposal_lapses_after_min
    with pytest.raises(IncidentError, match="propose it again"):
        one.approve(measure.id, "bo", "commander", at(late))
    assert lane(one) == []


@pytest.mark.parametrize("scope", [{"ip": "ip-1"}, {"device": "d-1"}])
def test_a_dry_run_that_saw_nothing_does_not_let_one_person_act_alone(scope: dict[str, str]) -> None:
    one = ResponseCore(MemoryStore())
    measure = propose(one, "suspend", scope)
    assert (measure.state, measure.dual) == ("proposed", True)


@pytest.mark.parametrize("behind", [20 * MINUTE, 3 * HOUR, 80 * HOUR])
def test_a_measure_holds_for_its_time_when_the_stream_is_behind_or_was_quiet(behind: int) -> None:
    """A backlog, a night without payments: what is received from now on is covered as long as people asked for."""
    one = ResponseCore(stored())
    clock = Clock(T0, T0 - behind)
    measure = propose(one, minutes=60, clock=clock)
    one.approve(measure.id, "bo", "commander", clock)
    (on,) = lane(one)
    assert msgspec.json.decode(on.payload or b"", type=Containment).until >= T0 + 60 * MINUTE
    one.lapse(Clock(T0 + 59 * MINUTE, T0 + 59 * MINUTE))
    assert one.measure(measure.id).state == "in_force"
    one.lapse(Clock(T0 + 60 * MINUTE, T0 + 60 * MINUTE))
    assert one.measure(measure.id).state == "expired"


def test_a_dismissed_surge_that_gets_worse_is_a_new_incident_and_one_that_goes_on_is_not() -> None:
    one = core()
    first = open_incident(one)
    assert first.severity != "S1"
    # A grave one is declared by itself; both can be dismissed.
    do(one, Move(incident=first.id, actor="bo", role="commander", reason="a sale", to="dismissed"), T0 + 1000)
    one.step(T0 + 2000, guesses(T0 + 2000, 31.0))
    assert len(one.incidents()) == 1
    worse = guesses(T0 + 3000, 31.0, alerts=_robbed(T0 + 3000))
    one.step(T0 + 3000, worse)
    found = one.incidents()
    assert [(i.phase == "dismissed") for i in found] == [True, False]
    assert found[1].severity < first.severity
    one.step(T0 + 4000, worse)
    assert len(one.incidents()) == 2


def _robbed(at_: int) -> Any:
    from tests.test_incident_core import alert

    return [alert(n, "T01", at_, usd=900_000.0, bin="400000", merchant="m-1") for n in range(30)]


def test_who_makes_it_worse_by_hand_calls_the_team_of_that_severity() -> None:
    one = core()
    first, _ = one.declare("list_outage", {"list": "ofac"}, "ana", "senior", "x", at())
    do(one, Acknowledge(incident=first.id, actor="bo", role="commander"), T0 + 1000)
    after = do(
        one, Regrade(incident=first.id, actor="bo", role="commander", reason="wide", severity="S1"), T0 + 2000
    )
    roles = {page.role for page in after.team}
    assert roles >= set(one.table.targets["S1"].team)
    assert after.acknowledged_at is None


CARD = "card_1_" + "bcdfghjkmnpqstvx" * 2


def test_no_token_of_a_person_is_announced() -> None:
    one = ResponseCore(stored())
    incident, told = one.declare(
        "account_takeover", {"customer": "customer-4711"}, "ana", "senior", "x", at()
    )
    measure = propose(one, "freeze", {"card": CARD}, incident=incident.id)
    one.approve(measure.id, "bo", "commander", at(1))
    said = str([*told.changes, *one.store.announcements("", 99)])
    assert "customer-4711" not in said
    assert CARD not in said
    assert short(f"blocked {CARD}, see there", 200) == "blocked card_…, see there"


@pytest.mark.parametrize("value", ["4111 1111 1111 1111", "a.person@mail.example"])
def test_a_scope_in_the_clear_is_refused_before_anything_is_kept(value: str) -> None:
    one = ResponseCore(stored())
    with pytest.raises(IncidentError, match="in the clear"):
        propose(one, "freeze", {"card": value})
    with pytest.raises(IncidentError, match="in the clear"):
        one.declare("account_takeover", {"customer": value}, "ana", "senior", "x", at())
    assert (one.measures(live=False), one.incidents(live=False)) == ([], [])


def test_a_silence_that_begins_in_a_million_years_is_refused() -> None:
    later = T0 + length_ms("99999999d", "--in")
    with pytest.raises(SettingsError, match="within a year"):
        new_silence(["type=*"], "ana", "x", T0, later, later + HOUR)
