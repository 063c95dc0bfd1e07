"""Working through the plan of an incident, and alerts that join one: on the page, and what stands written afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.emergency.settings import EmergencySettings
from alerts.response import acts
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.planned import plans_by
from models.errors import IncidentError
from tests.console_data import fill
from tests.console_incidents import CORRIDOR, as_person, declared, moved, page, press
from tests.test_console_models import in_role
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]


def planned(link: Breakable) -> str:
    """An incident that follows its plan."""
    core = ResponseCore(link.store, plan_of=plans_by(EmergencySettings().book))
    one, _ = core.declare("corridor_surge", CORRIDOR, "ana", "commander", "a surge", Clock(now(), now()))
    return one.id


@pytest.mark.parametrize("language", ["en", "zh"])
def test_steps_are_done_by_one_and_verified_by_another(
    link: Breakable, language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, "commander")
    id_ = planned(link)
    app = page("plan", language, id_)
    assert {"en": "Corridor surge", "zh": "通道欺诈激增"}[language] in words(app)
    press(app, "step_do:3")
    assert app.button(key="step_verify:3").disabled, "nobody verifies what they did"
    as_person(app, "bo")
    press(app, "step_verify:3")
    done = ResponseCore(link.store).incident(id_).steps["3"]
    assert (done.by, done.verified_by) == ("ana", "bo")
    assert {"step_do:3", "step_verify:3"}.isdisjoint({button.key for button in app.button})
    moved(link, id_, "investigate", "recover")
    ways = [key for button in app.run().button if (key := button.key or "").startswith("step_do:r")]
    assert len(ways) > 1
    assert not app.button(key=ways[0]).disabled
    assert app.button(key=ways[1]).disabled, "the check before it has not passed"


def test_an_incident_without_a_plan_says_so(link: Breakable) -> None:
    assert "follows no plan" in words(page("plan", incident=declared(link).id))


def test_an_alert_joins_an_incident_at_work_and_only_one(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    first, second = link.store.alerts(("open",), "priority", 2)
    one, other = declared(link), declared(link, "card_testing")
    app = opened("queue", alert=first.id)
    app.selectbox(key=f"join_to:{first.id}").select(one.id)
    press(app, f"join_do:{first.id}")
    assert any(one.id in element.proto.query_string for element in app.get("page_link"))
    core, clock = ResponseCore(link.store), Clock(now(), now())
    kept = core.incident(one.id)
    assert (kept.alert_ids, kept.alert_count, kept.timeline[-1].kind) == ([first.id], 1, "attach")
    assert core.store.incident_of([first.id]) == {first.id: one.id}
    for incident, alert, why in (
        (one.id, first.id, "already"), (other.id, first.id, "belongs to"), (one.id, "al_none", "no alert"),
    ):  # fmt: skip
        with pytest.raises(IncidentError, match=why):
            core.perform(acts.Attach(incident=incident, actor="ana", role="senior", alert=alert), clock)
    moved(link, other.id, "investigate", "recover", "review")
    with pytest.raises(IncidentError, match="new incident"):
        core.perform(acts.Attach(incident=other.id, actor="ana", role="senior", alert=second.id), clock)


def test_a_decision_is_written_into_the_log(
    link: Breakable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, "commander")
    id_ = declared(link).id
    app = page("timeline", incident=id_)
    app.text_input(key="act_decision").input("no payout before noon")
    app.text_area(key="act_reason:decide").input("the pattern of the last surge")
    press(app, "act_do:decide")
    entry = ResponseCore(link.store).incident(id_).timeline[-1]
    assert (entry.kind, entry.facts["decision"]) == ("decide", "no payout before noon")
