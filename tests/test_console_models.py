"""The Models page: its three parts in every state and both languages, the choice of the champion, trust, back-tests."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest
from streamlit.testing.v1 import AppTest

from alerts.job_requests import BacktestRequest, decode_request
from alerts.jobs import Recording
from alerts.rights import ROLES, may
from dashboard.backtest_form import EXAMPLE, _uploaded, checked
from dashboard.text import translator
from dataflow import cli
from models.events import Control, decode
from tests.console_data import fill
from tests.console_models import SURGE, fill_models, report
from tests.streams import record
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]
PARTS = ("models", "rules", "backtests")
WEEK = Recording(name="week.jsonl.gz", size=1_200_000, modified_at=1_700_000_000_000, truth=True)


def page(part: str, language: str = "en", **query: str) -> AppTest:
    app = opened("overview", language)
    for name, value in {"part": part, "lang": language, **query}.items():
        app.query_params[name] = value
    app.switch_page("views/models.py").run()
    assert not app.exception
    return app


def sent(link: Breakable) -> list[Control]:
    """Control events that went out, oldest first."""
    events = [decode(line) for line in link.store.controls]
    return [event for event in events if isinstance(event, Control)]


def in_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, role: str) -> None:
    path = tmp_path / "console.json"
    path.write_text(json.dumps({"store_url": "memory://", "role": role, "actor": "ana"}))
    monkeypatch.setenv("TIDEGATE_CONSOLE", str(path))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_part_in_every_state(link: Breakable, part: str, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=20)
        fill_models(link.store, now())
        link.store.put_recordings([WEEK])
        link.store.request_job(BacktestRequest(recording=WEEK.name), "ana", "analyst", "k", now())
    link.down = state == "down"
    app = page(part, language)
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    text = words(app)
    if state == "empty":
        assert t({"models": "models.none", "rules": "rules.say_silent", "backtests": "bt.none"}[part]) in text
    elif state in ("down", "lost"):
        assert t("mode.down") in text
        assert "connection refused" in text
    if state == "lost":
        assert "UTC" in "".join(w.value for w in app.warning), "the last reading is shown as of its time"
    if state in ("filled", "lost"):
        found = [*app.get("plotly_chart"), *app.dataframe]
        assert len(found) >= {"models": 7, "rules": 1, "backtests": 0}[part]
        assert part != "backtests" or app.button(key="bt_cancel").disabled == (state == "lost")


def test_the_numbers_the_learner_told_are_on_the_page_and_nothing_is_made_up(link: Breakable) -> None:
    fill_models(link.store, now())
    app = page("models")
    assert [m.value for m in app.metric] == [
        "stack of all",
        "0.754",
        "0.340",
        "0.0032",
        "1d 7h",
        "◐ weighed down",
    ]
    text = words(app)
    assert "52,869 payments wait for their outcome; 3 outcomes came after" in text
    assert "budget 0.50% of payments. Best: 0.20" in text
    tables = {str(key): frame.value for key, frame in enumerate(app.dataframe)}
    told = " ".join(frame.to_string() for frame in tables.values())
    for words_ in ("▲ ahead in 2 of 3 checks", "collecting: 4/20 blocks, 31/100 frauds", "▼ worse: loss +13.1%",
                   "boosted trees −4%", "▲ drifting", "◆ promoted", "score drift"):  # fmt: skip
        assert words_ in told, words_
    link.store.put_learner_report(
        msgspec.structs.replace(link.store.learner_report(), standings=[], points=[], costs=None, label_delay={},
                                calibration=[], corridors=[], groups=[], marks=[], surges=[])
    )  # fmt: skip
    bare = page("models")
    assert [m.value for m in bare.metric][1:5] == ["no data"] * 4


def test_a_champion_is_pinned_and_released_with_a_reason(link: Breakable) -> None:
    fill_models(link.store, now())
    app = page("models")
    app.selectbox(key="pin_name").select("logistic")
    app.button(key="pin_do").click().run()
    assert not sent(link)
    assert "the reason is kept with the change" in words(app)
    app.text_input(key="pin_reason").input("incident 12")
    app.button(key="pin_do").click().run()
    (event,) = sent(link)
    assert (event.kind, event.version, event.actor, event.reason) == (
        "champion", "logistic", "analyst", "incident 12",
    )  # fmt: skip
    assert "was asked for at" in words(app), "until the learner answers"
    told = link.store.audit_of("champion", "logistic", 5)
    assert [(e.actor, e.role, e.action, e.reason) for e in told] == [
        ("analyst", "senior", "pinned", "incident 12")
    ]
    fill_models(link.store, now(), pinned="analyst: incident 12")
    app = page("models")
    app.text_input(key="unpin_reason").input("over")
    app.button(key="pin_release").click().run()
    assert sent(link)[-1].version == "auto"


def test_held_labels_are_trusted_with_a_reason(link: Breakable) -> None:
    fill_models(link.store, now())
    app = page("models")
    name = f"actor:{SURGE.name}"
    assert "count 25%" in words(app)
    app.text_input(key=f"trust_reason:{name}").input("she cleared a backlog")
    app.button(key=f"trust_do:{name}").click().run()
    (event,) = sent(link)
    assert (event.kind, event.version, event.reason) == ("trust", name, "she cleared a backlog")
    assert "Trusted at" in words(app)
    assert [e.action for e in link.store.audit_of("labels", name, 5)] == ["trusted"]


@pytest.mark.parametrize("role", ROLES)
def test_roles_see_only_verbs_they_may_use(
    link: Breakable, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    fill_models(link.store, now())
    link.store.put_recordings([WEEK])
    app = page("models")
    keys = {button.key for button in app.button}
    assert ("pin_do" in keys) == may(role, "model.pin")
    assert (f"trust_do:actor:{SURGE.name}" in keys) == may(role, "model.trust")
    app = page("backtests")
    assert app.button(key="bt_run").disabled != may(role, "backtest.request")


def test_a_back_test_is_asked_for_once_a_press(link: Breakable) -> None:
    link.store.put_recordings([WEEK])
    app = page("backtests")
    app.button(key="bt_run").click().run()
    app.toggle(key="bt_edges").set_value(True).run()
    app.number_input(key="bt_high").set_value(0.6).run()
    app.checkbox(key="bt_truth").set_value(False)
    app.number_input(key="bt_limit").set_value(500).run()
    app.button(key="bt_run").click().run()
    second, first = link.store.jobs(5)
    asked = [decode_request(job.kind, job.request) for job in (first, second)]
    assert asked[0] == BacktestRequest(
        recording=WEEK.name, pack=EXAMPLE, pack_name="new rules", extends=True, truth=True, served=True
    )
    assert asked[1].thresholds is not None
    assert (asked[1].thresholds.high, asked[1].limit, asked[1].truth) == (0.6, 500, False)
    assert (first.actor, first.role, first.state) == ("analyst", "senior", "queued")
    assert "queued for" in app.get("progress")[0].proto.text
    assert "No worker takes jobs (2 waiting)" in words(app)
    assert app.query_params["job"] in (second.id, [second.id])
    app.button(key="bt_cancel").click().run()
    assert [job.state for job in link.store.jobs(5)] == ["cancelled", "queued"]
    assert "Cancelled by analyst" in words(app)


def test_what_is_wrong_with_a_rule_is_said_with_its_place_before_anybody_waits(link: Breakable) -> None:
    link.store.put_recordings([WEEK])
    app = page("backtests")
    app.text_area(key="bt_text").input(EXAMPLE.replace("amount_usd >= 300", "amount_usd >> 300")).run()
    assert "new rules:5:" in words(app)
    assert app.button(key="bt_run").disabled
    app.segmented_control(key="bt_source").set_value("same").run()
    assert not app.button(key="bt_run").disabled
    app.toggle(key="bt_edges").set_value(True).run()
    app.number_input(key="bt_medium").set_value(0.9).run()
    assert "Edges must rise" in words(app)
    assert app.button(key="bt_run").disabled
    assert _uploaded("a\x1b[0m.toml", b"\xff\xfe").error == "a[0m.toml: the pack is not UTF-8 text (byte 0)"
    assert "bytes" in checked("#" * 800_000, "big.toml", extends=False).error
    whole = _uploaded("swapped.toml", b"\xef\xbb\xbf" + record.SWAPPED_PACK.encode())
    assert (whole.error, whole.extends, whole.rules > 0) == ("", False, True)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A real back-test's result, as the worker keeps it."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "new.toml").write_text(record.SWAPPED_PACK, encoding="utf-8")
    path = record.path_of("commerce")
    words_ = [
        "backtest",
        str(path),
        "--rules",
        str(folder / "new.toml"),
        "--thresholds",
        "medium=0.001",
        "--json",
    ]
    out = io.StringIO()
    with redirect_stdout(out):
        assert cli.main([*words_, "--config", str(record.SETTINGS)]) == 0
    return dict(json.loads(out.getvalue().splitlines()[-1]))


def finished(link: Breakable, result: str = "", error: str = "") -> str:
    job = link.store.request_job(BacktestRequest(recording=WEEK.name), "ana", "analyst", "k", now())
    assert link.store.take_job("w", now(), 1000)
    assert link.store.finish_job(job.id, "w", now(), result=result, error=error)
    return job.id


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_diff_of_a_back_test_is_shown(link: Breakable, language: str, result: dict[str, Any]) -> None:
    finished(link, json.dumps(result))
    app = page("backtests", language)
    text = words(app)
    new, gone = result["alerts"]["new"], result["alerts"]["gone"]
    assert [m.value for m in app.metric][:2] == [f"{new['payments']:,}", f"{gone['payments']:,}"]
    assert f"USD {new['fraud_usd']:,.0f}" in text
    rules, payments, actions = (frame.value for frame in app.dataframe)
    assert len(rules) == len(result["rules"])
    assert len(payments) == sum(len(rows) for rows in result["largest"].values())
    assert len(actions) == len(result["actions"])
    assert len(app.get("plotly_chart")) == 1


def test_a_failed_job_says_why_and_a_result_that_is_gone_says_so(link: Breakable) -> None:
    finished(link, error="x:20:55: expected <b>")
    text = words(page("backtests"))
    assert "x:20:55: expected &lt;b&gt;" in text
    assert "<b>" not in text.replace("<b>✕", "")


def test_texts_from_outside_draw_no_picture_and_no_link(link: Breakable) -> None:
    hostile = "![x](http://example.org/x.png) <img src=x>"
    found = report(now(), pinned=hostile)
    surge = msgspec.structs.replace(SURGE, name=hostile)
    link.store.put_learner_report(msgspec.structs.replace(found, surges=[surge]))
    app = page("models")
    text = words(app)
    assert "\\!\\[x\\]\\(http" in text
    assert "![x]" not in text
    assert "<img" not in "".join(str(getattr(e.proto, "body", "")) for e in app.get("html"))
