"""The Lists page: every state in both languages; add, remove, take in and give out, each to its end and audited."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from alerts.lists.adding import new_entry
from alerts.lists.exchange import Exchange, Indicator, read, written
from alerts.rights import ROLES, may
from dashboard.text import translator
from models.errors import SettingsError
from models.events import Control
from tests.console_data import fill
from tests.console_incidents import press
from tests.console_lists import DAY, ENTRIES, fill_lists
from tests.console_routing import page
from tests.test_console_models import in_role, sent
from tests.test_console_pages import Breakable, link, now, words

__all__ = ["link"]
HOSTILE = "![x](http://example.org/x.png) <img src=x>"
KEY, SALT = bytes(range(32)), "ab" * 16
CLUB = Exchange("club", SALT, KEY)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The console of a member of an exchange."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    key = keys / "club.key"
    key.touch(0o600)
    key.write_text(KEY.hex())
    path = tmp_path / "console.json"
    club = {"name": "club", "key_file": str(key), "salt": SALT}
    path.write_text(
        json.dumps({"store_url": "memory://", "role": "compliance", "lists": {"exchanges": [club]}})
    )
    monkeypatch.setenv("TIDEGATE_CONSOLE", str(path))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_state(link: Breakable, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=10)
        fill_lists(link.store, now())
    link.down = state == "down"
    app = page(language=language, name="lists")
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    numbers = {metric.label: metric.value for metric in app.metric}
    if state in ("filled", "lost"):
        assert [*numbers.values()] == ["4", "3", "2", "1", "2", "0"]
        told = app.dataframe[0].value.to_string()
        assert t("lists.no_end") in told
        assert t("lists.basis.law") in told
    elif state == "empty":
        assert t("lists.none") in words(app)
        assert set(numbers.values()) == {"0"}
    else:
        assert set(numbers.values()) == {t("no_data")}
    if state in ("down", "lost"):
        assert t("mode.down") in words(app)
        assert not {"add_do", "remove_do"} & {button.key for button in app.button}


def test_an_entity_is_added_found_and_taken_off(link: Breakable) -> None:
    fill_lists(link.store, now())
    before = len(sent(link))
    app = page(name="lists")
    press(app, "add_do")
    assert "has a token, a source and a reason" in words(app)
    app.selectbox(key="add_list").select("watch")
    app.selectbox(key="add_entity").select("merchant").run()
    for name, text in (("token", "SYNTH-SHOP-11"), ("source", "desk"), ("reason", "odd refunds")):
        app.text_input(key=f"add_{name}").input(text)
    app.number_input(key="add_days").set_value(7.0)
    app.selectbox(key="add_action:watch").select("HOLD")
    press(app, "add_do")
    assert "On the list amber: watch: merchant SYNTH-SHOP-11" in words(app).replace("\\", "")
    (event,) = sent(link)[before:]
    assert isinstance(event, Control)
    assert (event.kind, event.actor) == ("lists", "analyst")
    (kept,) = [one for one in link.store.kept_lists() if one.entry.token == "SYNTH-SHOP-11"]
    assert (kept.entry.list, kept.entry.asks, kept.added_by) == ("watch", "HOLD", "analyst")
    assert abs((kept.entry.until or 0) - now() - 7 * DAY) < 60_000
    app.text_input(key="lists_text").input("refunds").run()
    assert len(app.dataframe[0].value) == 2, "this one, and the other one that was looked at for that"
    app.segmented_control(key="lists_which").set_value("block").run()
    assert "No entry fits" in words(app)
    app.segmented_control(key="lists_which").set_value("watch").run()
    app.selectbox(key="remove_key").select(kept.entry.key)
    press(app, "remove_do")
    assert "say why the entry goes" in words(app)
    app.text_input(key="remove_reason").input("looked at, fine")
    press(app, "remove_do")
    assert "Off the list" in words(app)
    assert kept.entry.key not in {one.entry.key for one in link.store.kept_lists()}
    trail = link.store.audit_of("list", ":".join(kept.entry.key), 9)
    assert [(entry.action, entry.reason) for entry in trail] == [
        ("added", "odd refunds"),
        ("removed", "looked at, fine"),
    ]


def test_what_may_not_be_is_refused_in_the_readers_language(link: Breakable) -> None:
    app = page(language="zh", name="lists")
    for name, text in (("token", "4111111111111111"), ("source", "desk"), ("reason", "x")):
        app.text_input(key=f"add_{name}").input(text)
    press(app, "add_do")
    assert "含明文个人数据" in words(app)
    app.text_input(key="add_token").input("card_1_7")
    app.checkbox(key="add_law").check()
    press(app, "add_do")
    assert "无权执行" in words(app), "what rests on the law takes compliance"
    assert not link.store.kept_lists()
    given = {"source": "s", "reason": "r", "confidence": 1, "action": None, "at": 0}
    for list_, days, by_law in (
        ("watch", None, True),
        ("block", 3.0, True),
        ("block", None, False),
        ("none", 3.0, False),
    ):
        with pytest.raises(SettingsError) as caught:
            new_entry(list_, "card", "c", days=days, by_law=by_law, **given)  # type: ignore[arg-type]
        assert caught.value.zh


def test_indicators_are_taken_in_and_given_out(link: Breakable, member: None) -> None:
    at = now()
    app = page(name="lists")
    one = Indicator(
        list="block", entity="device", form="plain", hash=CLUB.hash("plain", "d-9"), source="them", confidence=90,
        until=at + DAY,
    )  # fmt: skip
    app.file_uploader[0].upload("theirs.jsonl", written(CLUB, [one], at), "application/jsonl").run()
    press(app, "share_in")
    assert "1 awaited" in words(app).replace("\\", "")
    assert len(link.store.awaited_indicators()) == 1
    other = Exchange("club", SALT, bytes(32))
    app.file_uploader[0].upload("forged.jsonl", written(other, [one], at), "application/jsonl").run()
    press(app, "share_in")
    assert "not made with the key of exchange club" in words(app)
    for name, text in (("token", "psp-9"), ("source", "desk"), ("reason", "x")):
        app.text_input(key=f"add_{name}").input(text)
    app.selectbox(key="add_entity").select("partner")
    press(app, "add_do")
    press(app, "share_out")
    assert "1 indicators" in words(app)
    _, data, _ = app.session_state["share_made"]
    assert [found.hash for found in read(CLUB, data, "ours").indicators] == [CLUB.hash("plain", "psp-9")]
    assert b"psp-9" not in data
    trail = link.store.audit_of("list", "exchange club", 9)
    assert [entry.action for entry in trail] == ["imported", "exported"]


@pytest.mark.parametrize("role", ROLES)
def test_roles_see_only_verbs_they_may_use(
    link: Breakable, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    fill_lists(link.store, now())
    buttons = {button.key for button in page(name="lists").button}
    assert ("add_do" in buttons) == may(role, "lists.add")
    assert ("remove_do" in buttons) == may(role, "lists.remove")


def test_texts_from_outside_draw_no_picture_and_no_link(link: Breakable) -> None:
    app = page(name="lists")
    for name in ("token", "source", "reason"):
        app.text_input(key=f"add_{name}").input(HOSTILE)
    press(app, "add_do")
    shown = [str(e.value) for kind in ("markdown", "success", "error", "caption") for e in app.get(kind)]
    assert not any(re.search(r"(?<!\\)!\[x\]\(", text) for text in shown)
    assert len(link.store.kept_lists()) == 1
    assert len(ENTRIES) == 9
