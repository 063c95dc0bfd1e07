"""The Incidents page and the banner in every state, language and role, with texts from outside."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from alerts.response import acts
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.phases import Phase
from alerts.response.review import SECTIONS
from alerts.rights import ROLES, may
from alerts.routing.plan import default_plan
from dashboard.incident_verbs import VERBS
from dashboard.text import EN, translator
from tests.console_data import fill
from tests.console_incidents import contained, declared, moved, page
from tests.sending import advance, sender_of
from tests.test_console_models import in_role
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]
PAGES = ("overview", "queue", "incidents", "routing", "monitoring", "models")
PARTS = ("timeline", "contain", "notify", "review")
HOSTILE = "![x](http://example.org/x.png) <img src=x>"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", ["", *PARTS])
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_board_and_incident_in_every_state(link: Breakable, part: str, language: str, state: str) -> None:
    t, id_ = translator(language), "in_none" if part else ""  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=20)
        one = declared(link)
        contained(link, one.id)
        moved(link, one.id, *(("recover", "review") if part == "review" else ()))
        id_ = one.id if part else ""
    link.down = state == "down"
    app = page(part, language, id_)
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    text = words(app)
    if state == "filled":
        assert f"{one.severity} {t(f'severity.{one.severity}')}" in text
        assert t("measure.in_force") in text or part not in ("", "contain")
    elif state == "empty":
        assert t("board.quiet") in text or "in\\_none" in text
    else:
        assert t("mode.down") in text
        assert "connection refused" in text
    if state == "lost":
        keys = {button.key or "" for button in app.button}
        assert not any(
            key.startswith(("act_do", "approve", "undo", "declare_do", "notice_do")) for key in keys
        )
        assert all(b.disabled for b in app.button if (b.key or "").startswith(("section_do", "review_to")))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", PAGES)
def test_the_banner_is_on_every_page_while_something_is_in_force(
    link: Breakable, name: str, language: str
) -> None:
    t = translator(language)  # type: ignore[arg-type]
    mark = t("banner.in_force", what="|", until="|", who="|").partition("|")[0]
    assert mark not in words(opened(name, language))
    measure = contained(link, declared(link).id)
    app = opened(name, language)
    assert f"{mark}{t('contain_verb.hold')} · {t('entity.corridor')} GB&gt;CN" in words(app)
    assert "bo" in words(app)
    link.down = True
    app.run()
    assert t("banner.as_of", time="|").partition("|")[0] in words(app), (
        "the last reading is shown as of its time"
    )
    link.down = False
    ResponseCore(link.store).end(measure, "bo", "commander", "over", Clock(now(), now()))
    app.run()
    assert mark not in words(app)


def test_a_proposal_is_on_the_banner_as_one_and_links_to_its_incident(link: Breakable) -> None:
    one = declared(link)
    contained(link, one.id, approve=False)
    app = opened("overview")
    assert "Containment waits for approval: Hold" in words(app).replace("hold", "Hold")
    assert any(one.id in element.proto.query_string for element in app.get("page_link"))


@pytest.mark.parametrize("role", ROLES)
def test_roles_see_only_verbs_they_may_use(
    link: Breakable, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    fill(link.store, now(), minutes=20)
    one = declared(link)
    waiting, running = contained(link, one.id, approve=False), contained(link, one.id)
    board = {button.key for button in page().button}
    assert ("declare_do:" in board) == may(role, "incident.declare")
    assert (f"approve_do:{waiting}" in board) == may(role, "containment.approve")
    assert (f"undo_do:{running}" in board) == may(role, "containment.undo")
    timeline = {button.key for button in page("timeline", incident=one.id).button}
    for verb, act in VERBS.items():
        assert (f"act_do:{verb}" in timeline) == may(role, act.right), verb
    contain = {button.key for button in page("contain", incident=one.id).button}
    assert ("contain_do" in contain) == may(role, "containment.propose")
    notify = {button.key for button in page("notify", incident=one.id).button}
    assert ("notice_do:sent" in notify) == may(role, "incident.notify")
    moved(link, one.id, "recover", "review")
    review = page("review", incident=one.id)
    assert review.button(key="section_do:root_cause").disabled != may(role, "incident.review")
    assert review.button(key="review_to:plan_update").disabled != may(role, "incident.command")


def test_texts_from_outside_draw_no_picture_and_no_link(link: Breakable) -> None:
    fill(link.store, now(), minutes=20)
    one = declared(link, reason=HOSTILE)
    core = ResponseCore(link.store)
    measure, _ = core.propose(
        "hold",
        {"merchant": HOSTILE[:40]},
        HOSTILE,
        HOSTILE[:60],
        "senior",
        Clock(now(), now()),
        incident=one.id,
    )
    moved(link, one.id, "investigate", "recover", "review")
    act = acts.AddAction(
        incident=one.id, actor="ana", role="senior",
        action=acts.Action(id="a1", text=HOSTILE, owner=HOSTILE, due="2026-01-01"),
    )  # fmt: skip
    core.perform(act, Clock(now(), now()))
    for part in ("", *PARTS):
        app = page(part, incident=one.id if part else "")
        html = "\n".join(str(getattr(e.proto, "body", "")) for e in app.get("html"))
        assert "<img" not in html
        assert "![x](" not in "\n".join(str(e.value) for e in app.markdown)
    assert measure.live


def test_every_word_of_the_response_has_a_name() -> None:
    assert {f"phase.{name}" for name in get_args(Phase)} <= EN.keys()
    assert {f"entry.{one.__struct_config__.tag}" for one in get_args(acts.AnyAct)} <= EN.keys()
    assert {f"section.{name}" for name in SECTIONS} <= EN.keys()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_team_of_an_incident_that_no_route_tells_of_is_not_shown_as_paged(
    link: Breakable, language: str
) -> None:
    t, one = translator(language), declared(link)  # type: ignore[arg-type]
    told = t("incident.team_untold")
    assert told not in words(page("timeline", language, one.id))
    advance(sender_of(link.store, default_plan([])), now(), now() + 60_000)
    assert told in words(page("timeline", language, one.id))
