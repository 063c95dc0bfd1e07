"""Every page in both languages, filled, empty and with the store down; and the verbs of the queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from alerts.memory_store import MemoryStore
from alerts.store import Store
from dashboard import data
from dashboard.text import translator
from models.decision import Counters, Decision
from models.errors import StoreError
from models.events import Label, decode
from tests.console_data import commit, fill

APP = "../dashboard/app.py"
PAGES = ("overview", "queue", "monitoring")


class Breakable:
    """A store that can be unplugged."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.down = False

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise StoreError("store at test: connection refused; start it again")
        return getattr(self.store, name)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Breakable]:
    found = Breakable(MemoryStore())

    def connect(url: str) -> Store:
        assert url == "memory://"
        return found  # type: ignore[return-value]

    monkeypatch.setattr(data, "connect", connect)
    for name in ("FRESH_S", "MODELS_FRESH_S", "RESULT_FRESH_S"):
        monkeypatch.setattr(data, name, 0.0)
    monkeypatch.setenv("REDIS_URL", "memory://")
    monkeypatch.delenv("TIDEGATE_CONSOLE", raising=False)
    st.cache_resource.clear()
    yield found
    st.cache_resource.clear()


def now() -> int:
    return int(time.time() * 1000)


def opened(page: str, language: str = "en", **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    app.query_params["lang"] = language
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if page != "overview":
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """All text of the page."""
    found = [
        str(e.value) for kind in ("caption", "info", "warning", "error", "success") for e in app.get(kind)
    ]
    found += [f"{m.label} {m.value} {m.delta}" for m in app.metric]
    found += [str(getattr(e.proto, "body", "")) for e in app.get("html")]
    return "\n".join(found)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_page_in_every_state(link: Breakable, page: str, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=45)
    link.down = state == "down"
    app = opened(page, language)
    if state == "lost":
        link.down = True
        app.run()
    assert not app.exception
    text = words(app)
    if state == "filled":
        assert t("mode.live") in text
    elif state == "empty":
        assert t("mode.none") in text
        assert page != "queue" or t("queue.empty") in text
    else:
        assert t("mode.down") in text
        assert "connection refused" in text
    if state == "lost":
        assert "UTC" in "".join(w.value for w in app.warning), "the last reading is shown as of its time"
        for name in ("fraud", "legitimate", "escalate", "snooze"):
            assert page != "queue" or app.button(key=name).disabled


def test_a_process_that_does_not_count_its_restarts_has_them_told_by_the_supervisor(link: Breakable) -> None:
    fill(link.store, now(), minutes=5)
    link.store.beat("jobs", {"status": "live"}, now())
    link.store.beat("supervisor", {"status": "live", "jobs_restarts": 4, "restarts": 6}, now())
    tables = [frame.value for frame in opened("monitoring").dataframe]
    table = next(table for table in tables if "Process" in table).set_index("Process")
    assert table.loc["jobs", ["Status", "Restarts"]].tolist() == ["● live", "4"]
    assert table.loc["learner", "Restarts"] == "2", "what it says itself comes first"


def test_no_data_is_not_zero(link: Breakable) -> None:
    for metric in opened("overview").metric:
        assert metric.value == "no data"


def test_a_verdict_becomes_labels_and_selects_the_next_alert(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    first, second = link.store.alerts(("open",), "priority", 2)
    before = len(link.store.queued)
    app = opened("queue")
    assert app.session_state["selected"] == first.id
    assert link.store.alert(first.id).claimed_by == "analyst"  # type: ignore[union-attr]
    app.button(key="fraud").click().run()
    labels = [decode(line) for line in link.store.queued[before:]]
    assert {label.transaction_id for label in labels if isinstance(label, Label)} == set(first.event_ids)
    assert all(label.fraud for label in labels if isinstance(label, Label))
    assert app.session_state["selected"] == second.id
    app.button(key="undo").click().run()
    assert link.store.alert(first.id).status == "open"  # type: ignore[union-attr]
    assert app.session_state["selected"] == first.id


def test_a_verdict_on_what_has_changed_is_not_written(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    first = link.store.alerts(("open",), "priority", 1)[0]
    app = opened("queue")
    version = app.session_state["snapshot"].alerts[0].version
    more = msgspec.structs.replace(first.decision, id="tx-late", event_time=first.last_time + 1)
    add(link.store, more)
    app.button(key="fraud").click().run()
    after = link.store.alert(first.id)
    assert after is not None
    assert (after.status, after.count) == ("open", first.count + 1)
    assert after.version > version
    assert "payments joined this alert (1)" in words(app)


def add(store: MemoryStore, decision: Decision) -> None:
    commit(store, [decision], [], Counters(events_in=10**6), decision.event_time)


def test_a_claim_of_somebody_else_disables_the_keys_and_is_passed_over(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    first, second = link.store.alerts(("open",), "priority", 2)
    link.store.claim(first.id, "wang", now(), 300_000, "senior")
    assert opened("queue").session_state["selected"] == second.id
    app = opened("overview", alert=first.id)
    app.switch_page("views/queue.py").run()
    app.session_state["selected"] = first.id
    app.run()
    assert app.button(key="fraud").disabled
    assert "wang is working on this" in words(app)


def test_frozen_pictures_neither_claim_nor_move(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    opened("queue", freeze="1")
    assert not any(a.claimed_by for a in link.store.alerts(("open",), "priority", 50))


def test_texts_from_outside_are_escaped(link: Breakable) -> None:
    fill(link.store, now(), minutes=45)
    worst = link.store.alerts(("open",), "priority", 1)[0].decision
    reasons = [msgspec.structs.replace(worst.reasons[0], text_en="<img src=x onerror=alert(1)>")]
    context = {**worst.context, "device": "<script>", "amount_usd": 10**7}
    add(link.store, msgspec.structs.replace(worst, id="<b>x", reasons=reasons, context=context, risk=0.99))
    text = words(opened("queue"))
    assert "&lt;img src=x" in text
    assert "<img" not in text
    assert "<script>" not in text


def test_a_missing_store_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("TIDEGATE_CONSOLE", raising=False)
    st.cache_resource.clear()
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert "set REDIS_URL" in app.error[0].value
