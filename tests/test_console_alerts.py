"""The keys of a case: acknowledge, assign, unsure, and the second person's confirm and refuse, on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from alerts.alert import Alert
from alerts.lifecycle import FourEyes
from tests.console_data import fill
from tests.console_incidents import press
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]


def first_of(link: Breakable) -> Alert:
    fill(link.store, now(), minutes=45)
    return link.store.alerts(("open",), "priority", 1)[0]


Queue = Callable[..., AppTest]


@pytest.fixture
def queue_of(link: Breakable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Queue:
    """The queue as a person has it before them, every verdict under four eyes."""

    # The console sets it on what stands between it and the store.
    link.store.four_eyes = FourEyes(severities=("S1", "S2", "S3", "S4"))

    def open_it(name: str, alert: Alert, language: str = "en", role: str = "senior") -> AppTest:
        path = tmp_path / "console.json"
        told = {"store_url": "memory://", "actor": name, "role": role}
        path.write_text(json.dumps(told))
        monkeypatch.setenv("TIDEGATE_CONSOLE", str(path))
        st.cache_resource.clear()
        return selected(opened("queue", language), alert)

    return open_it


def present(link: Breakable, alert: Alert) -> Alert:
    found = link.store.alert(alert.id)
    assert found is not None
    return found


def selected(app: AppTest, alert: Alert) -> AppTest:
    app.session_state["selected"] = alert.id
    app.run()
    assert not app.exception
    return app


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def test_opening_claims_and_acknowledges_nothing_until_the_key_is_pressed(link: Breakable) -> None:
    first = first_of(link)
    app = opened("queue")
    assert (present(link, first).claimed_by, present(link, first).status) == ("analyst", "open")
    press(app, "acknowledge")
    after = present(link, first)
    assert (after.status, after.acknowledged_by) == ("acknowledged", "analyst")
    assert app.session_state["selected"] == first.id, "who acknowledges stays with it"
    assert "acknowledge" not in keys(app)
    assert "acknowledged by analyst" in words(app)
    press(app, "undo")
    assert present(link, first).status == "open"


def test_unsure_closes_without_a_label(link: Breakable) -> None:
    first = first_of(link)
    app = opened("queue")
    before = len(link.store.queued)
    press(app, "unsure")
    assert present(link, first).verdict == "unsure"
    assert len(link.store.queued) == before


def test_assign_gives_it_to_a_person_and_takes_it_back(link: Breakable) -> None:
    first = first_of(link)
    app = opened("queue")
    for name, wanted in (("wang", "wang"), ("", None)):
        app.text_input(key=f"assign:{first.id}:{present(link, first).version}").input(name)
        press(app, "do:assign")
        assert present(link, first).assigned_to == wanted
        assert ("assigned to wang" in words(app)) == bool(wanted)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_second_person_confirms_or_refuses(link: Breakable, queue_of: Queue, language: str) -> None:
    first = first_of(link)
    app = press(queue_of("ana", first, language), "fraud")
    assert present(link, first).status == "proposed"
    selected(app, first)
    assert not {"fraud", "legitimate", "unsure", "escalate", "do:refuse"} & keys(app), "they lead nowhere now"
    assert app.button(key="confirm").disabled, "nobody confirms their own"
    press(app, "undo")
    assert present(link, first).status == "open", "undo withdraws what was only proposed"
    press(selected(app, first), "fraud")
    press(selected(app, first), "withdraw")
    assert present(link, first).status == "open"
    press(app, "fraud")

    other = queue_of("bo", first, language)
    press(other, "do:refuse")
    assert present(link, first).status == "proposed", "a refusal needs a reason"
    other.text_input(key="reason:refuse").input("look again")
    press(other, "do:refuse")
    assert (present(link, first).status, present(link, first).verdict) == ("open", None)
    press(other, "legitimate")

    before = len(link.store.queued)
    press(queue_of("ana", first, language), "confirm")
    after = present(link, first)
    assert (after.verdict, after.resolved_by, after.confirmed_by) == ("legitimate", "bo", "ana")
    assert len(link.store.queued) == before + len(first.event_ids)


def test_who_may_not_confirm_is_told_who_may(link: Breakable, queue_of: Queue) -> None:
    first = first_of(link)
    press(queue_of("ana", first), "fraud")
    app = queue_of("cy", first, role="analyst")
    assert app.button(key="confirm").disabled
    assert "senior" in app.button(key="confirm").help
    assert "do:refuse" not in keys(app)
