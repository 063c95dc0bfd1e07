"""What people do on the Incidents page, each flow to its end: contain by two people, lead, notify, review and close."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.response import acts
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.review import SECTIONS
from models.events import Control
from tests.console_data import fill
from tests.console_incidents import as_person, declared, moved, page, press
from tests.test_console_models import in_role, sent
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]


def test_from_an_alert_to_a_corridor_contained_by_two_people_and_undone(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    alert = link.store.alerts(("open",), "priority", 1)[0]
    app = opened("queue", alert=alert.id)
    key = f"declare_do:{alert.id}"
    press(app, key)
    assert "Say why" in words(app)
    app.text_input(key=f"declare_reason:{alert.id}").input("forty like this one")
    app.selectbox(key=f"declare_kind:{alert.id}").select("corridor_surge")
    press(app, key)
    (id_,) = set(link.store.incident_of([alert.id]).values())
    assert any(id_ in element.proto.query_string for element in app.get("page_link"))

    app = page("contain", incident=id_)
    assert app.selectbox(key=f"contain_from:{id_}").value == "challenge_corridor"
    corridor = str(alert.decision.context["corridor"]).partition(":")[0]
    assert app.text_area(key=f"contain_scope:{id_}").value == f"corridor={corridor}"
    assert app.button(key="contain_do").disabled, "a dry run comes first"
    press(app, "contain_dry")
    assert "it would newly stop" in words(app)
    assert not app.button(key="contain_do").disabled
    app.text_area(key=f"contain_scope:{id_}").input("corridor=ZZ>CN").run()
    assert app.button(key="contain_do").disabled, "the dry run was of another corridor"
    app.text_area(key=f"contain_scope:{id_}").input(f"corridor={corridor}").run()
    app.text_input(key="contain_reason").input("losses rise")
    press(app, "contain_do")
    assert "second person" in words(app)
    (measure,) = ResponseCore(link.store).measures()
    assert (measure.incident, measure.state, measure.radius is not None) == (id_, "proposed", True)
    assert f"approve_do:{measure.id}" not in {b.key for b in app.button}, "nobody approves what is their own"

    as_person(app, "bo")
    press(app, f"approve_do:{measure.id}")
    (event,) = sent(link)
    assert (event.kind, event.actor) == ("containment", "bo")
    assert "the flow has not taken it yet" in words(app)
    link.store.note_effects([event.id], now() + 120)
    app.run()
    assert "in force in the stream since" in words(app)

    press(app, f"undo_do:{measure.id}")
    assert "Say why" in words(app)
    app.text_input(key=f"undo_reason:{measure.id}").input("it is over")
    press(app, f"undo_do:{measure.id}")
    assert "it is over" in words(app)
    assert [type(e) for e in sent(link)] == [Control, Control]
    assert b'"lift"' in bytes(sent(link)[-1].payload or b"")
    app = page("timeline", incident=id_)
    told = app.dataframe[-1].value.to_string()
    assert told.count("containment") >= 3
    assert "waits for approval" in told
    assert "undone" in told
    assert "alert" in told


def test_people_lead_an_incident(link: Breakable) -> None:
    id_ = declared(link).id
    app = page("timeline", incident=id_)
    press(app, "act_do:acknowledge")
    for verb, field, value in (("handover", "act_to", "cem"), ("assign", "act_person", "dora")):
        press(app, f"act_do:{verb}")
        assert "Say who" in words(app)
        app.text_input(key=field).input(value)
        if verb == "assign":
            app.selectbox(key="act_role").select("scribe")
        app.text_area(key=f"act_reason:{verb}").input("end of the shift")
        press(app, f"act_do:{verb}")
    press(app, "act_do:note")
    assert "a note has a text" in words(app).replace("\\", "")
    for verb in ("note", "situation"):
        app.text_area(key=f"act_reason:{verb}").input("two partners")
        press(app, f"act_do:{verb}")
    app.text_area(key="act_facts").input("records=6000\npersonal_data=true\ncause")
    press(app, "act_do:know")
    assert "NAME" in words(app)
    app.text_area(key="act_facts").input("records=-1")
    press(app, "act_do:know")
    assert "0 or more" in words(app).replace("\\", "")
    app.text_area(key="act_facts").input("records=6000\npersonal_data=true\ncause=a backup")
    press(app, "act_do:know")
    app.selectbox(key="act_phase").select("investigate")
    press(app, "act_do:move")
    one = ResponseCore(link.store).incident(id_)
    assert (one.commander, one.phase, one.impacts.records) == ("cem", "investigate", 6000)
    assert one.facts == {"personal_data": True, "cause": "a backup"}
    assert {page.role: page.by for page in one.team}["incident_commander"] == "dora" or "dora" in str(
        one.team
    )
    assert {"note", "situation", "handover", "assign", "know", "move"} <= {e.kind for e in one.timeline}


def test_a_notice_goes_out_with_its_gaps_named_and_a_reason(
    link: Breakable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, "compliance")
    id_ = declared(link, "data_leak", personal_data=True).id
    app = page("notify", incident=id_)
    text = words(app)
    assert "◷" in text or "✕" in text
    assert "It lacks" in text
    notice = app.selectbox(key="notice_id").value
    assert notice in text
    press(app, "notice_do:sent")
    assert "Not written" in words(app)
    app.text_input(key="notice_reason:sent").input("the rest follows")
    core = ResponseCore(link.store)
    know = acts.Know(incident=id_, actor="ana", role="senior", facts={"what_happened": "a backup was open"})
    core.perform(know, Clock(now(), now()))
    press(app, "notice_do:sent")
    assert "changed since you read it" in words(app)
    assert not core.incident(id_).notices
    app.text_input(key="notice_reason:sent").input("the rest follows")
    press(app, "notice_do:sent")
    kept = core.incident(id_).notices[notice]
    assert (kept.by, kept.reason, bool(kept.missing)) == ("ana", "the rest follows", True)
    assert "what_happened" not in kept.missing
    other = app.selectbox(key="notice_id").value
    assert other != notice
    app.text_input(key="notice_reason:waive").input("sealed")
    press(app, "notice_do:waive")
    assert core.incident(id_).not_applicable == {other: "sealed"}


def test_an_incident_closes_only_with_every_section_and_a_plan_decision(
    link: Breakable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, "commander")
    id_ = declared(link).id
    app = page("review", incident=id_)
    assert app.button(key="review_to:review").disabled
    moved(link, id_, "investigate", "recover")
    press(app.run(), "review_to:review")
    assert app.text_area(key=f"section:{id_}:timeline").value.strip(), "prefilled from the record"
    text = words(app)
    for name in ("Root cause", "What failed", "Actions", "Decision on the plan"):
        assert name in text.partition("it lacks")[2], name
    press(app, "review_to:plan_update")
    assert app.button(key="review_to:closed").disabled
    one = ResponseCore(link.store).incident(id_)
    assert one.review is not None
    for section in SECTIONS:
        if not one.review.sections.get(section):
            app.text_area(key=f"section:{id_}:{section}").input(f"on {section}")
            press(app, f"section_do:{section}")
    press(app, "action_do")
    assert "an action has an owner" in words(app).replace("\\", "")
    app.text_input(key="action_owner").input("cem")
    app.text_input(key="action_text").input("watch the corridor")
    press(app, "action_do")
    app.segmented_control(key="plan_outcome").set_value("changed")
    app.text_input(key="plan_reason").input("a new step")
    press(app, "plan_do")
    assert "name the version" in words(app).replace("\\", "")
    app.text_input(key="plan_version").input("1.1")
    app.multiselect(key="plan_actions").select("a1")
    press(app, "plan_do")
    assert "The review is complete" in words(app)
    press(app, "review_to:closed")
    closed = ResponseCore(link.store).incident(id_)
    assert closed.phase == "closed"
    assert closed.review is not None
    assert (closed.review.actions[0].owner, closed.review.plan_decision.version) == ("cem", "1.1")  # type: ignore[union-attr]
    press(app, "action_done:a1")
    assert ResponseCore(link.store).incident(id_).review.actions[0].done  # type: ignore[union-attr]
