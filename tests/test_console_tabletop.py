"""Training at the table in the console: taken from the first scene to the result, in every state, language and role."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from alerts.emergency.settings import SHIPPED
from alerts.tabletop.core import Tabletop
from alerts.tabletop.exercise import load_exercises
from alerts.tabletop.fitting import Table, fitted
from alerts.tabletop.rules import day_of
from alerts.tabletop.standing import ORDER
from dashboard import drill_data
from dashboard.text import EN, translator
from dashboard.training import MARKS
from tests.console_data import fill
from tests.console_drills import DAY_MS, page, trained
from tests.test_console_models import in_role
from tests.test_console_pages import Breakable, link, now, words
from tests.test_tabletop import BOOK

__all__ = ["link"]
ID = "card_testing"
HOSTILE = "![x](http://example.org/x.png) <img src=x>"


def training(link: Breakable) -> Tabletop:
    return Tabletop(link.store, load_exercises(), BOOK)


def table_of(id_: str = ID) -> Table:
    return fitted(load_exercises()[id_], BOOK, day_of(now()))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("view", ["list", "seat", "result"])
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_view_in_every_state(link: Breakable, view: str, language: str, state: str) -> None:
    t, query = translator(language), {}  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=5)
        done = trained(link.store, "analyst", now() - 60_000)
        going = training(link).begin("data_leak", "analyst", "analyst", now())
        query = {"seat": {"sitting": going.id}, "result": {"sitting": done.id}}.get(view, {})
    elif view != "list":
        query = {"sitting": "tt_none"}
    link.down = state == "down"
    app = page("tabletop", language, **query)
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    text = words(app)
    if state == "filled":
        told = {"list": "training.current", "seat": "table.briefing", "result": "table.right"}
        assert t(told[view]) in text
    elif state == "empty":
        assert t("training.none") in text or "tt\\_none" in text
    else:
        assert t("mode.down") in text
        assert "connection refused" in text
    if state in ("lost", "down"):
        assert all(
            b.disabled
            for b in app.button
            if (b.key or "").startswith(("table_begin", "table_answer", "table_u"))
        )


def test_an_exercise_is_taken_to_its_result(link: Breakable) -> None:
    app = press(page("tabletop"), f"table_begin:{ID}")
    (one,) = training(link).sittings()
    assert app.query_params["sitting"] in (one.id, [one.id])
    asked = table_of().questions
    for number, question in enumerate(asked):
        text = words(app)
        assert question.question.ask.en in text
        assert load_exercises()[ID].scene[question.scene].sees.en in text
        assert "s left" in text
        assert not any(scene.sees.en in text for scene in load_exercises()[ID].scene[question.scene + 1 :])
        if number == 0:
            press(app, "table_unsure")
            continue
        assert app.button(key="table_answer").disabled
        key = f"table:{one.id}:{question.question.id}"
        if question.many:
            for id_ in question.right:
                app.checkbox(key=f"{key}:{id_}").check().run()
        else:
            app.radio(key=key).set_value(question.right[0]).run()
        press(app, "table_answer")
    text = words(app)
    assert "✓ Passed · 86%" in text
    assert "✕ wrong" in text
    assert "By the plan" in text
    assert asked[0].question.why.en in text
    done = training(link).sitting(one.id)
    assert (done.state, done.person, done.passed) == ("done", "analyst", True)
    until = dt.date.fromisoformat(done.expires_on)
    assert (until - day_of(now())).days in (365, 366)
    text = words(press(app, "table_back"))
    assert "Who is trained: 1 current" in text
    assert f"{until}" in text
    assert app.button(key=f"table_begin:{ID}").label == "Take it again"


def test_what_must_never_be_done_is_said_and_an_exercise_can_be_given_up(link: Breakable) -> None:
    app = press(page("tabletop"), "table_begin:data_leak")
    (one,) = training(link).sittings()
    app.radio(key=f"table:{one.id}:first").set_value("wait_until_sure").run()
    press(app, "table_answer")
    press(app, "table_give_up")
    assert "Given up" in words(app)
    assert "must never be done" in words(app)
    assert training(link).sitting(one.id).state == "abandoned"


def test_nobody_answers_for_another_and_a_sitting_elsewhere_is_told(link: Breakable) -> None:
    one = training(link).begin(ID, "mei", "senior", now())
    assert "mei is taking this exercise" in words(page("tabletop", sitting=one.id))
    mine = training(link).begin(ID, "analyst", "senior", now())
    app = page("tabletop", sitting=mine.id)
    app.radio(key=f"table:{mine.id}:first").set_value("1").run()
    training(link).answer(mine.id, "first", ["4"], "analyst", "senior", now())
    press(app, "table_answer")
    assert "is not put now" in "".join(str(error.value) for error in app.error).replace("\\", "")
    assert training(link).sitting(mine.id).answers[0].chosen == ["4"]
    old = training(link).begin("data_leak", "analyst", "senior", now() - 5 * 3_600_000)
    assert "began more than 240 minutes ago" in words(page("tabletop", sitting=old.id))


def test_the_list_shows_who_is_current_expiring_and_lapsed(link: Breakable) -> None:
    trained(link.store, "ana", now() - 400 * DAY_MS)
    trained(link.store, "bo", now() - 350 * DAY_MS)
    trained(link.store, "cem", now() - 60_000)
    trained(link.store, "dan", now() - 60_000, wrong=7)
    text = words(page("tabletop"))
    assert "Who is trained: 1 lapsed, 1 not passed, 1 expiring, 1 current" in text
    places = [text.index(f"<b>{name}</b>") for name in ("ana", "dan", "bo", "cem")]
    assert places == sorted(places), "the most urgent first"
    assert "✕ lapsed" in text
    assert "◷ expiring" in text
    assert "✓ current" in text


def test_an_exercise_that_does_not_fit_its_plan_says_so(
    link: Breakable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_data, "FILES_FRESH_S", 0.0)
    shutil.copytree(SHIPPED, tmp_path / "plans")
    plan = tmp_path / "plans" / "card_testing.toml"
    plan.write_text(
        plan.read_text("utf-8").replace('id = "challenge_bin"', 'id = "challenge_issuer"'), "utf-8"
    )
    console = {"store_url": "memory://", "role": "senior", "plans": str(tmp_path / "plans")}
    (tmp_path / "console.json").write_text(json.dumps(console))
    monkeypatch.setenv("TIDEGATE_CONSOLE", str(tmp_path / "console.json"))
    app = page("tabletop")
    assert "has no preset 'challenge_bin'" in words(app).replace("\\", "")
    assert app.button(key=f"table_begin:{ID}").disabled
    assert not app.button(key="table_begin:data_leak").disabled
    plan.write_text("id = ", "utf-8")
    app = page("tabletop")
    assert "card_testing.toml" in words(page("schedule")).replace("\\", "")


@pytest.mark.parametrize(("role", "allowed"), [("analyst", True), ("auditor", True), ("commander", True)])
def test_everybody_may_train(
    link: Breakable, role: str, allowed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    assert page("tabletop").button(key=f"table_begin:{ID}").disabled != allowed


def test_names_of_people_draw_no_picture_and_no_link(link: Breakable) -> None:
    one = trained(link.store, HOSTILE, now())
    going = training(link).begin("data_leak", HOSTILE, "senior", now())
    for query in ({}, {"sitting": one.id}, {"sitting": going.id}):
        app = page("tabletop", **query)
        assert "<img" not in "\n".join(str(getattr(e.proto, "body", "")) for e in app.get("html"))
        said = [str(e.value) for e in (*app.markdown, *app.info, *app.caption)]
        assert "![x](" not in "\n".join(said)


def test_every_standing_has_a_mark_and_a_name() -> None:
    assert set(MARKS) == set(ORDER)
    assert {f"training.{state}" for state in ORDER} <= EN.keys()
