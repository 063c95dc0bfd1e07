"""The Silences & routing page: every part in every state and language, and what people do there, each flow to its end."""

from __future__ import annotations

from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl

import pytest

from alerts.merging import RuleSnooze
from alerts.receivers.lines import Breaker
from alerts.rights import ROLES, may
from alerts.routing.imagining import Verdict
from alerts.routing.reasons import NAMES, Reason
from alerts.routing.reconciling import Kind as GapKind
from alerts.routing.silence import new_silence
from alerts.routing.why import Fate
from dashboard.answering import Kind
from dashboard.text import EN, translator
from tests.console_data import fill
from tests.console_incidents import fill_incidents, press
from tests.console_routing import fill_routing, page
from tests.receiver import hook
from tests.sending import local, raise_alerts, sender_of
from tests.test_console_models import in_role
from tests.test_console_pages import Breakable, link, now, opened, words

__all__ = ["link"]
PARTS = ("why", "silences", "snoozes", "tree", "delivery")
HOSTILE = "![x](http://example.org/x.png) <img src=x>"
MINUTE = 60_000


def morning(link: Breakable) -> None:
    fill(link.store, now())
    fill_incidents(link.store, now())
    fill_routing(link.store, now())


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_part_in_every_state(link: Breakable, part: str, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        morning(link)
    link.down = state == "down"
    app = page(part, language)
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    text = words(app)
    empty = {
        "why": "why.nothing_yet", "silences": "silence.none", "snoozes": "snooze.none", "tree": "tree.none",
        "delivery": "gaps.nothing",
    }  # fmt: skip
    full = {
        "why": "why.receivers", "silences": "silence.ends_soon", "snoozes": "snooze.alert", "tree": "tree.title",
        "delivery": "dead_letters.attempts",
    }  # fmt: skip
    if state == "empty":
        assert t(empty[part]) in text
    elif state == "filled":
        assert t(full[part]).partition("{")[0] in text
    else:
        assert t("mode.down") in text
        assert "connection refused" in text
    if state == "lost":
        assert t(full[part]).partition("{")[0] in text, "the last reading is still shown"
        keys = {button.key or "" for button in app.button}
        assert not any(key.startswith(("do:", "silence_do", "snooze_do")) for key in keys)


def test_an_alert_that_is_silenced_says_so_and_pages_when_the_silence_ends(link: Breakable) -> None:
    (alert,) = raise_alerts(link.store, 1, 1, now=now())
    app = page("silences")
    assert app.button(key="silence_do").disabled
    app.text_area(key="silence_matchers").input("corridor").run()
    press(app, "silence_try")
    assert "is no matcher" in "".join(w.value for w in app.warning)
    app.text_area(key="silence_matchers").input("corridor=CN>*").run()
    press(app, "silence_try")
    assert "fit 1 of 1 alerts" in "".join(w.value for w in app.warning), "an S1 is a warning"
    assert not app.button(key="silence_do").disabled
    app.text_area(key="silence_matchers").input("corridor=CN>*\nseverity<=S2").run()
    assert app.button(key="silence_do").disabled, "the try was of other matchers"
    press(app, "silence_try")
    press(app, "silence_do")
    assert "give an actor and a reason" in words(app).replace("\\", "")
    app.text_input(key="silence_reason").input("planned work")
    app.text_input(key="silence_length").input("soon")
    press(app, "silence_do")
    assert "no length of time" in words(app).replace("\\", "")
    app.text_input(key="silence_length").input("1h")
    press(app, "silence_do")
    (made,) = link.store.silences()
    assert (made.matchers, made.actor, made.ends_at - made.starts_at) == (
        ["corridor=CN>*", "severity<=S2"],
        "analyst",
        60 * MINUTE,
    )
    with hook() as receiver:
        sender = sender_of(link.store, [local(receiver)])
        sender.step(now())
        assert not receiver.attempts
        text = words(page("why", q=alert.id))
        assert f"silence {made.id} of analyst holds it until" in text
        assert "planned work" in text
        assert "It pages nobody" in text
        assert "nobody is told: silenced" in text
        app = page("silences")
        press(app, f"do:end:{made.id}")
        assert "Say why" in words(app)
        app.text_input(key=f"reason:end:{made.id}").input("done early")
        press(app, f"do:end:{made.id}")
        assert "Ended" in words(app)
        sender.step(now() + 1)
        sender.step(now() + 1000)
        assert receiver.attempts
    text = words(page("why", q=alert.id))
    assert "It paged webhook-" in text
    assert "delivered, attempts: 1" in text
    trail = link.store.audit_of("silence", made.id, 9)
    assert [(entry.action, entry.reason) for entry in trail] == [
        ("added", "planned work"),
        ("expired", "done early"),
    ]


def test_an_answer_leads_to_a_silence_of_such_things(link: Breakable) -> None:
    (alert,) = raise_alerts(link.store, 1, 1, now=now())
    with hook() as receiver:
        sender_of(link.store, [local(receiver)]).step(now())
    (query,) = [
        e.proto.query_string
        for e in page("why", q=alert.id).get("page_link")
        if "match" in e.proto.query_string
    ]
    given = dict(parse_qsl(query))
    app = page(given["part"], match=given["match"])
    assert app.text_area(key="silence_matchers").value.splitlines() == [
        "type=alert",
        "typology=T12",
        "corridor=CN>US*",
    ]
    press(app, "silence_try")
    assert "fit 1 of 1 alerts" in "".join(w.value for w in app.warning)


def test_a_case_leads_to_why_it_paged(link: Breakable) -> None:
    (alert,) = raise_alerts(link.store, 1, 1, now=now())
    app = opened("queue", alert=alert.id)
    assert f"q={alert.id}" in [element.proto.query_string for element in app.get("page_link")]


def test_why_tells_of_incidents_acknowledgements_snoozes_and_what_is_unknown(link: Breakable) -> None:
    morning(link)
    app = page("why")
    text = words(app)
    assert "What came up last" in text
    assert "told: " in text
    told = {alert.status: alert for alert in link.store.alerts(("acknowledged", "snoozed"), "newest", 50)}
    said = words(page("why", q=told["acknowledged"].id))
    assert "wang acknowledged it at" in said
    assert "wang snoozed it until" in words(page("why", q=told["snoozed"].id))
    inhibited = next(
        alert for alert in link.store.alerts(("open",), "newest", 50) if link.store.incident_of([alert.id])
    )
    app = page("why", q=inhibited.id)
    assert "which is not over and is heard of itself" in words(app)
    assert any(
        link.store.incident_of([inhibited.id])[inhibited.id] in e.proto.query_string
        for e in app.get("page_link")
    )
    (fresh,) = raise_alerts(link.store, link.store.cursors()["hits"] + 1, 1, now=now())[:1]
    assert "the sender has not read it yet" in words(page("why", q=fresh.id))
    assert "no alert, incident or message of this id" in words(page("why", q="al\\_nothing"))
    app = page("why")
    app.text_input(key="why_text").input(inhibited.entity).run()
    assert not app.exception
    assert inhibited.id[:10] in words(app)


def test_something_imagined_draws_its_way_and_who_is_on_call_then(link: Breakable) -> None:
    morning(link)
    app = page("tree")
    assert "duty-analyst (pager)" not in words(app)
    app.selectbox(key="whatif_severity").select("S1")
    app.text_input(key="whatif_corridor").input("CN>US:CNY:cnp")
    app.text_input(key="whatif_at").input("2026-12-01 03:00").run()
    assert not app.exception
    text = words(app)
    assert "It would page archive, pager, mail, team" in text
    assert "takes it" in text
    assert "✕ type=incident" in text
    assert "schedule:duty (pager, mail)" in text, "the lead has it from Monday on"
    assert "until 12-07 01:00 UTC (12-07 09:00 local" in text
    assert "nobody acknowledged, step 1" in text
    app.text_input(key="whatif_at").input("tomorrow").run()
    assert "is no time" in "".join(w.value for w in app.warning)
    app.text_input(key="whatif_at").input("")
    quiet = next(one for one in link.store.silences() if one.active(now()))
    app.text_input(key="whatif_corridor").input(
        quiet.matchers[0].removeprefix("corridor=").replace("*", "CNY")
    ).run()
    assert f"Silence {quiet.id}" in words(app)


def test_snoozes_are_ended_and_dead_letters_sent_again_audited(link: Breakable) -> None:
    morning(link)
    app = page("snoozes")
    (snooze,) = link.store.rule_snoozes()
    (alert,) = link.store.alerts(("snoozed",), "newest", 5)
    assert "a known test card" in words(app)
    assert "the customer is called back" in words(app)
    for key in (snooze.key, alert.id):
        press(app, f"do:lift:{key}")
        assert "Say why" in words(app)
        app.text_input(key=f"reason:lift:{key}").input("over")
        press(app, f"do:lift:{key}")
    assert not link.store.rule_snoozes()
    assert link.store.alert(alert.id).status == "open"  # type: ignore[union-attr]
    (dead, *_) = link.store.dead_messages(5)
    app = page("delivery")
    assert "disabled (410)" in app.dataframe[0].value.to_string()
    press(app, f"do:resend:{dead.intent.id}")
    assert "Say why" in words(app)
    app.text_input(key=f"reason:resend:{dead.intent.id}").input("the archive is back")
    press(app, f"do:resend:{dead.intent.id}")
    (asked,) = link.store.resends()
    assert (asked.message_id, asked.actor, asked.reason) == (dead.intent.id, "analyst", "the archive is back")
    assert "analyst asked" in words(app)
    assert link.store.audit_of("message", dead.intent.id, 5)[-1].action == "resent"


def test_a_rule_is_snoozed_on_an_entity(link: Breakable) -> None:
    app = page("snoozes")
    for name, text in (("rule", "R007"), ("entity", "card_1_7"), ("length", "30d")):
        app.text_input(key=f"snooze_{name}").input(text)
    app.text_input(key="snooze_reason").input("a known test card")
    press(app, "snooze_do")
    assert "a snooze of S3 ends in the future and within" in words(app)
    app.text_input(key="snooze_length").input("20m")
    press(app, "snooze_do")
    (made,) = link.store.rule_snoozes()
    assert (made.rule, made.entity_kind, made.entity, made.severity) == ("R007", "card", "card_1_7", "S3")
    assert (made.actor, made.until - made.since) == ("analyst", 20 * MINUTE)
    assert "Snoozed: rule R007" in words(app)
    assert f"do:lift:{made.key}" in {button.key for button in app.button}


def test_gaps_are_shown(link: Breakable) -> None:
    raise_alerts(link.store, 1, 2, now=now() - 5 * MINUTE)
    app = page("delivery")
    assert "Gaps: 2" in words(app)
    assert "not routed" in app.dataframe[-1].value.to_string()


@pytest.mark.parametrize("role", ROLES)
def test_roles_see_only_verbs_they_may_use(
    link: Breakable, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    morning(link)
    silences = {button.key or "" for button in page("silences").button}
    assert ("silence_do" in silences) == may(role, "silence.add")
    assert any(key.startswith("do:end:") for key in silences) == may(role, "silence.expire")
    (snooze,) = link.store.rule_snoozes()
    (alert,) = link.store.alerts(("snoozed",), "newest", 5)
    snoozes = {button.key for button in page("snoozes").button}
    assert (f"do:lift:{snooze.key}" in snoozes) == may(role, "snooze.lift")
    assert ("snooze_do" in snoozes) == may(role, "snooze.set")
    assert (f"do:lift:{alert.id}" in snoozes) == may(role, "alert.reopen")
    delivery = {button.key or "" for button in page("delivery").button}
    assert any(key.startswith("do:resend:") for key in delivery) == may(role, "delivery.resend")


def test_refusals_of_the_core_are_said_in_chinese(link: Breakable) -> None:
    raise_alerts(link.store, 1, 1, now=now())
    app = page("silences", "zh")
    app.text_area(key="silence_matchers").input("corridor").run()
    press(app, "silence_try")
    (said,) = [w.value for w in app.warning]
    assert "不是匹配条件" in said
    assert "is no matcher" not in said
    app.text_area(key="silence_matchers").input("type=*").run()
    press(app, "silence_try")
    app.text_input(key="silence_reason").input("维护")
    app.text_input(key="silence_length").input("40d")
    press(app, "silence_do")
    assert "不超过 30 天" in words(app)
    assert not link.store.silences()


def test_texts_from_outside_draw_no_picture_and_no_link(link: Breakable) -> None:
    morning(link)
    at = now()
    link.store.add_silence(
        new_silence([f"partner={HOSTILE}"], HOSTILE, HOSTILE, at, at, at + MINUTE), "senior"
    )
    link.store.snooze_rule(
        RuleSnooze(
            rule=HOSTILE, entity_kind=HOSTILE, entity=HOSTILE, severity="S3", since=at, until=at + MINUTE, actor=HOSTILE,
            role="senior", reason=HOSTILE,
        ),
        at,
    )  # fmt: skip
    for part in PARTS:
        app = page(part, q=HOSTILE if part == "why" else "")
        if part == "tree":
            app.selectbox(key="whatif_severity").select("S1")
            app.text_input(key="whatif_partner").input(HOSTILE).run()
        html = "\n".join(str(getattr(e.proto, "body", "")) for e in app.get("html"))
        assert "<img" not in html, part
        shown = [str(e.value) for kind in ("markdown", "info", "warning", "caption") for e in app.get(kind)]
        assert "![x](" not in "\n".join(shown), part


def test_every_word_of_the_router_has_a_name() -> None:
    wanted = {
        "gap": get_args(GapKind), "fate": get_args(Fate), "branch": get_args(Verdict), "breaker": get_args(Breaker),
        "why.kind": get_args(Kind),
    }  # fmt: skip
    for kind, values in wanted.items():
        assert {f"{kind}.{value}" for value in values} <= EN.keys()
    assert {str(one.__struct_config__.tag) for one in get_args(Reason)} <= NAMES.keys()
