"""From the store through the router to real sockets, on a virtual clock."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.clerk import attend
from alerts.memory_store import MemoryStore
from alerts.receivers.attempts import Attempt, InLine, InThreads
from alerts.receivers.message import Message
from alerts.receivers.post import Answer, Outgoing
from alerts.receivers.webhook import Webhook
from alerts.redis_store import RedisStore
from alerts.response.documents import Write
from alerts.routing.change import Change
from alerts.routing.keeping import Saved
from alerts.routing.reasons import (
    Acknowledged,
    Fallback,
    FirstNotification,
    Inhibited,
    Reason,
    Silenced,
    code,
)
from alerts.routing.silence import new_silence
from dataflow.embedded import embedded
from models.errors import StoreError
from tests.receiver import Hook, hook
from tests.sending import ENV, advance, raise_alerts, sender_of
from tests.test_receivers import KEY, check_pagerduty

MINUTE, HOUR = 60_000, 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def first() -> Iterator[Hook]:
    with hook() as running:
        running.virtual = True
        yield running


@pytest.fixture
def second() -> Iterator[Hook]:
    with hook() as running:
        running.status = 202
        yield running


def plan_of(first: Hook, second: Hook, notify: str = '["hook"]', more: str = "") -> str:
    """Two receivers: `hook` (Standard Webhooks) and `pager` (PagerDuty)."""
    return f"""
fallback = "pager"
[route]
notify = {notify}
group_by = ["typology"]
group_wait = "10s"
group_interval = "1m"
repeat_interval = "0s"
{more}
[[receivers]]
type = "webhook"
name = "hook"
url = "{first.url}"
secret_env = "HOOK"
allow_private = true
[[receivers]]
type = "pagerduty"
name = "pager"
url = "{second.url}"
secret_env = "KEY"
allow_private = true
"""


def environ() -> dict[str, str]:
    return {**ENV, "KEY": KEY}


def events(pager: Hook) -> list[dict[str, Any]]:
    return [json.loads(content) for _, _, content in pager.requests]


def class_of(event: dict[str, Any]) -> str:
    return str(event.get("payload", {}).get("class"))


class TestOutage:
    @pytest.mark.parametrize("kept", ["memory", "valkey"])
    def test_an_hour_of_outage_and_every_message_exactly_once(
        self, kept: str, first: Hook, second: Hook, tmp_path: Path
    ) -> None:
        if kept == "memory":
            self._outage(MemoryStore(), first, second)
        else:
            with embedded(tmp_path) as url:
                self._outage(RedisStore(url), first, second)

    def _outage(self, store: MemoryStore | RedisStore, first: Hook, second: Hook) -> None:
        """Both receivers fail for an hour in which alerts come up every minute; then they answer again."""
        end = now_ms()
        now = end - HOUR
        text = (
            plan_of(first, second, '["hook", "pager"]')
            .replace('["typology"]', '["id"]')
            .replace('"10s"', '"0s"')
        )
        text = text.replace('fallback = "pager"\n', "")
        sender = sender_of(store, text, environ())
        first.status = second.status = 503
        first.virtual = False
        ids = []
        for minute in range(60):
            ids += [alert.id for alert in raise_alerts(store, minute + 1, 1, now=now)]
            if minute % 20 == 10:
                sender = sender_of(store, text, environ())
            now = advance(sender, now, now + MINUTE)
        assert not first.verified
        assert len(second.requests) < 150, "the line rests"
        first.status, second.status = 204, 202
        second.requests.clear()
        advance(sender, now, now + 2 * MINUTE)
        assert set(first.verified.values()) == {1}
        told = [body["data"]["alert_id"] for body in first.bodies.values() if body["type"] == "alert.raised"]
        assert sorted(told) == sorted(ids)
        for event in events(second):
            check_pagerduty(event)
        triggers = [e for e in events(second) if e["event_action"] == "trigger" and class_of(e) == "alert"]
        assert Counter(str(event["dedup_key"]) for event in triggers).most_common(1)[0][1] == 1
        assert len(triggers) == 60
        found = store.reconcile(now + 2 * MINUTE)
        assert (found.alerts, found.told, found.gaps) == (60, 60, [])

    def test_one_of_two_receivers_fails_and_the_other_hears_at_once(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        first.status = 500
        (alert,) = raise_alerts(store, 1, 1, now=now_ms())
        now = now_ms()
        advance(
            sender_of(store, plan_of(first, second, '["hook", "pager"]'), environ()), now, now + 3 * MINUTE
        )
        pages = [e for e in events(second) if class_of(e) == "alert"]
        assert len(pages) == 1
        why = store.why(alert.id)
        assert why is not None
        assert {heard.receiver: heard.fate for heard in why.heard} == {
            "hook": "in_flight",
            "pager": "delivered",
        }
        assert store.reconcile(now + 10 * MINUTE).gaps == []
        # The others hear of the one that is in trouble; it does not hear of itself.
        about = [e for e in events(second) if class_of(e) == "self"]
        assert len(about) == 1
        assert "Receiver hook does not answer." in str(about[0])

    def test_one_that_refuses_everything_is_news_to_the_others(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        """A url that was taken down answers 404, which is about no message in particular."""
        first.status = 404
        raise_alerts(store, 1, 4, now=now_ms())
        now = now_ms()
        text = plan_of(first, second, '["hook", "pager"]').replace('["typology"]', '["id"]')
        sender = sender_of(store, text, environ())
        advance(sender, now, now + 10 * MINUTE)
        (news,) = [e for e in events(second) if class_of(e) == "self"]
        assert "Receiver hook refuses all messages." in str(news)
        first.status = 204
        advance(sender, now + 10 * MINUTE, now + HOUR)
        over = [e for e in events(second) if e["dedup_key"] == news["dedup_key"]]
        assert [e["event_action"] for e in over] == ["trigger", "resolve"]

    def test_when_every_receiver_fails_the_fallback_hears(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        first.status = 500
        (alert,) = raise_alerts(store, 1, 1, now=now_ms())
        now = now_ms()
        sender = sender_of(store, plan_of(first, second), environ())
        advance(sender, now, now + 4 * MINUTE)
        (gap,) = store.reconcile(now + 4 * MINUTE).gaps
        assert (gap.kind, gap.receiver) == ("undelivered", "hook")
        advance(sender, now + 4 * MINUTE, now + 7 * MINUTE)
        why = store.why(alert.id)
        assert why is not None
        assert [(h.receiver, h.reason, h.fate) for h in why.heard] == [
            ("hook", FirstNotification(), "in_flight"), ("pager", Fallback("every_receiver_failed"), "delivered"),
        ]  # fmt: skip
        assert store.reconcile(now + 7 * MINUTE).gaps == []

    def test_a_disabled_line_is_a_gap_until_somebody_else_heard(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        first.status = 410
        (alert,) = raise_alerts(store, 1, 1, now=now_ms())
        now = now_ms()
        text = plan_of(first, second).replace('fallback = "pager"\n', "")
        advance(sender_of(store, text, environ()), now, now + 10 * MINUTE)
        (gap,) = store.reconcile(now + 10 * MINUTE).gaps
        assert (gap.kind, gap.alert_id) == ("dead", alert.id)


def reason_of(store: MemoryStore, alert_id: str, receiver: str = "hook") -> Reason:
    why = store.why(alert_id)
    assert why is not None
    return next(one.reason for one in [*why.unheard, *why.heard] if one.receiver == receiver)


class TestWhy:
    def test_grouped_acknowledged_resolved(self, store: MemoryStore, first: Hook, second: Hook) -> None:
        alerts = raise_alerts(store, 1, 3, now=now_ms())
        now = now_ms()
        sender = sender_of(store, plan_of(first, second, '["hook", "pager"]'), environ())
        advance(sender, now, now + 5000)
        assert code(reason_of(store, alerts[0].id)) == "waiting_for_group"
        advance(sender, now + 5000, now + 20_000)
        assert [b["type"] for b in first.bodies.values()] == ["group.raised"]
        for alert in alerts:
            store.set_status(alert.id, 1, "acknowledged", "ana", now, "senior")
        advance(sender, now + 20_000, now + 30_000)
        assert reason_of(store, alerts[1].id) == Acknowledged("acknowledged")
        for alert in alerts:
            store.resolve(alert.id, 2, "fraud", "ana", now, "senior")
        advance(sender, now + 30_000, now + 3 * MINUTE)
        assert [e["event_action"] for e in events(second)] == ["trigger", "acknowledge", "resolve"]
        assert len({e["dedup_key"] for e in events(second)}) == 1
        why = store.why(alerts[0].id)
        assert why is not None
        told = [(m.receiver, code(m.reason)) for m in why.history]
        assert ("pager", "first_notification") in told
        assert ("pager", "resolved") in told

    def test_silenced_then_told_when_it_ends_with_notices(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        now = now_ms() - HOUR
        made = new_silence(["corridor=CN>*"], "ana", "planned work", now, now, now + 30 * MINUTE)
        store.add_silence(made, "senior")
        sender = sender_of(store, plan_of(first, second), environ())
        (alert,) = raise_alerts(store, 1, 1, now=now)
        advance(sender, now, now + 10 * MINUTE)
        assert reason_of(store, alert.id) == Silenced(made.id, made.ends_at)
        assert not first.requests
        assert store.reconcile(now + 10 * MINUTE).reasons == {"silenced": 1}
        advance(sender, now + 10 * MINUTE, now + 40 * MINUTE)
        said = [json.loads(content) for _, _, content in first.requests]
        assert [event["type"] for event in said] == ["notice.raised", "alert.raised", "notice.raised"]
        assert "ends soon" in str(said[0])
        assert "has ended" in str(said[2])

    def test_children_of_an_incident_stay_quiet_until_it_is_over(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        now = now_ms() - HOUR
        sender = sender_of(store, plan_of(first, second), environ())
        (alert,) = raise_alerts(store, 1, 1, now=now)
        store.respond([Write("incident", "in_1", 0, 1, b"{}")], [(alert.id, "in_1")])
        incident = Change(
            kind="incident", id="in_1", severity="S1", at=now, version=1, text_en="card testing"
        )
        store.announce(incident)
        advance(sender, now, now + 5 * MINUTE)
        assert reason_of(store, alert.id) == Inhibited("in_1")
        assert [json.loads(c)["type"] for _, _, c in first.requests] == ["incident.raised"]
        over = msgspec.structs.replace(incident, state="resolved", version=2)
        store.announce(over)
        advance(sender, now + 5 * MINUTE, now + 10 * MINUTE)
        assert code(reason_of(store, alert.id)) in ("first_notification", "new_alerts")

    def test_a_missed_deadline_is_a_notice(self, store: MemoryStore, first: Hook, second: Hook) -> None:
        now = now_ms() - HOUR
        sender = sender_of(store, plan_of(first, second), environ())
        raise_alerts(store, 1, 1, now=now)
        advance(sender, now, now + MINUTE)
        for minute in (4, 6, 10):
            attend(store, now + minute * MINUTE)
        advance(sender, now + 10 * MINUTE, now + 20 * MINUTE)
        said = " ".join(content.decode() for _, _, content in first.requests)
        assert "close to its deadline" in said
        assert "has missed its deadline" in said


class TestByHand:
    def test_a_dead_letter_goes_out_again_under_its_id(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        (alert,) = raise_alerts(store, 1, 1, now=now_ms())
        first.status = 410
        now = now_ms()
        text = plan_of(first, second)
        advance(sender_of(store, text, environ()), now, now + MINUTE)
        (dead,) = [one for one in store.done_messages(9) if one.outcome == "dead"]
        first.status = 204
        again = sender_of(
            store, text.replace('secret_env = "HOOK"', 'secret_env = "HOOK"\nlanguage = "zh"'), environ()
        )
        store.ask_resend(dead.intent.id, "ana", "senior", "it is back", now)
        advance(again, now + MINUTE, now + 2 * MINUTE)
        assert first.verified == {dead.intent.id: 1}
        assert store.resends() == []
        why = store.why(alert.id)
        assert why is not None
        assert ("hook", "delivered") in [(h.receiver, h.fate) for h in why.heard]

    def test_one_that_waits_for_its_next_attempt_is_tried_now(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        raise_alerts(store, 1, 1, now=now_ms())
        first.status = 400
        now = now_ms()
        sender = sender_of(store, plan_of(first, second), environ())
        advance(sender, now, now + MINUTE)
        (id_,) = set(first.attempts)
        first.status = 204
        store.ask_resend(id_, "ana", "senior", "mended", now)
        sender.step(now + MINUTE + 1)
        assert first.verified == {id_: 1}


class TestStart:
    def test_what_was_there_before_the_first_start_is_told(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        alerts = raise_alerts(store, 1, 40, now=now_ms())
        store.resolve(alerts[0].id, 1, "fraud", "ana", now_ms(), "senior")
        now = now_ms()
        sender = sender_of(store, plan_of(first, second), environ())
        advance(sender, now, now + MINUTE)
        (event,) = first.bodies.values()
        assert event["data"]["count"] == 39
        raise_alerts(store, 41, 1, now=now)
        advance(sender, now + MINUTE, now + 3 * MINUTE)
        assert sum(body["data"].get("count", 0) for body in first.bodies.values()) == 40

    def test_intents_positions_and_state_are_in_one_write_before_the_first_attempt(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        text = plan_of(first, second).replace('"10s"', '"0s"')
        now = now_ms()
        sender = sender_of(store, text, environ())
        sender.step(now)
        raise_alerts(store, 1, 1, now=now)
        seen: list[set[str]] = []
        real = store.save_routing

        def watched(version: int, saved: Saved) -> int:
            seen.append({name[:2] for name in saved.put} | {f"requests:{len(first.requests)}"})
            return real(version, saved)

        store.save_routing = watched  # type: ignore[method-assign]
        sender.step(now + 1000)
        assert {"t:", "g:", "o:", "p:", "fe", "requests:0"} <= seen[0]

    def test_two_senders_do_not_page_twice(self, store: MemoryStore, first: Hook, second: Hook) -> None:
        raise_alerts(store, 1, 5, now=now_ms())
        now = now_ms()
        text = plan_of(first, second).replace('"10s"', '"0s"')
        one, other = sender_of(store, text, environ()), sender_of(store, text, environ())
        one.step(now)
        raise_alerts(store, 6, 1, now=now)
        for _ in range(4):
            for sender in (one, other):
                try:
                    sender.step(now + MINUTE)
                except StoreError:
                    continue
        assert set(first.verified.values()) == {1}

    def test_another_plan_keeps_what_was_told(self, store: MemoryStore, first: Hook, second: Hook) -> None:
        raise_alerts(store, 1, 3, now=now_ms())
        now = now_ms()
        advance(sender_of(store, plan_of(first, second), environ()), now, now + MINUTE)
        other = plan_of(first, second, '["hook", "pager"]').replace('["typology"]', '["id"]')
        advance(sender_of(store, other, environ()), now + MINUTE, now + 2 * MINUTE)
        assert len(first.requests) == 1
        assert len(events(second)) == 3


class TestLines:
    def test_what_is_over_is_said_after_the_pages_of_its_thread(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        """An old trigger after the resolve would open the incident at the on-call service again."""
        second.status = 503
        text = (
            plan_of(first, second, '["pager"]').replace('"10s"', '"0s"').replace('fallback = "pager"\n', "")
        )
        now = now_ms() - HOUR
        sender = sender_of(store, text, environ())
        raise_alerts(store, 1, 1, severity="high", now=now, card="c")
        advance(sender, now, now + 5 * MINUTE)
        (alert,) = raise_alerts(store, 2, 1, severity="critical", now=now, card="c")
        advance(sender, now + 5 * MINUTE, now + 10 * MINUTE)
        store.resolve(alert.id, alert.version, "fraud", "ana", now, "senior")
        advance(sender, now + 10 * MINUTE, now + 20 * MINUTE)
        second.status = 202
        second.requests.clear()
        advance(sender, now + 20 * MINUTE, now + 25 * MINUTE)
        assert [event["event_action"] for event in events(second)] == ["trigger", "trigger", "resolve"]

    def test_a_resolve_waits_for_a_page_that_was_refused(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        second.status = 404
        text = (
            plan_of(first, second, '["pager"]').replace('"10s"', '"0s"').replace('fallback = "pager"\n', "")
        )
        now = now_ms() - HOUR
        sender = sender_of(store, text, environ())
        (alert,) = raise_alerts(store, 1, 1, now=now)
        advance(sender, now, now + 3 * MINUTE)
        store.resolve(alert.id, alert.version, "fraud", "ana", now, "senior")
        second.status = 202
        second.requests.clear()
        advance(sender, now + 3 * MINUTE, now + HOUR)
        assert [event["event_action"] for event in events(second)] == ["trigger", "resolve"]

    def test_an_attempt_without_an_end_is_given_up_and_a_late_answer_still_counts(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        class Drips(InLine):
            """Every attempt hangs until somebody lets it end."""

            def start(self, receiver: str, message_id: str, at: int, send: Callable[[], Answer]) -> None:
                hanging.append((receiver, message_id, at))

        hanging: list[tuple[str, str, int]] = []
        attempts = Drips()
        sender = sender_of(
            store, plan_of(first, second).replace('"10s"', '"0s"'), environ(), attempts=attempts
        )
        raise_alerts(store, 1, 1, now=now_ms())
        now = now_ms()
        advance(sender, now, now + MINUTE)
        assert len(hanging) == 1
        advance(sender, now + MINUTE, now + 3 * MINUTE)
        assert len(hanging) == 2
        assert [(d.outcome, d.detail) for d in store.deliveries(5)] == [
            ("retry", "no end of it within two minutes")
        ]
        receiver, message, at = hanging[0]
        attempts.ended.append(Attempt(receiver, message, at, Answer(204)))
        sender.step(now + 3 * MINUTE)
        assert [done.outcome for done in store.done_messages(5)] == ["delivered"]

    def test_a_state_that_cannot_be_read_pages_again_rather_than_nobody(
        self, store: MemoryStore, first: Hook, second: Hook
    ) -> None:
        (alert,) = raise_alerts(store, 1, 1, now=now_ms())
        now = now_ms()
        advance(sender_of(store, plan_of(first, second), environ()), now, now + MINUTE)
        version, _ = store.routing_state()
        store.save_routing(version, Saved({f"t:{alert.id}": b"\xc1 of another version"}))
        sender = sender_of(store, plan_of(first, second), environ())
        advance(sender, now + MINUTE, now + 2 * MINUTE)
        assert sender.forgotten == 1
        assert list(first.verified.values()) == [2], "under the same id"

    def test_a_message_that_we_cannot_write_holds_up_no_other(
        self, store: MemoryStore, first: Hook, second: Hook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Webhook.prepare

        def prepare(self: Webhook, message: Message, now: int) -> Outgoing:
            if message.intent.subjects[0].id == bad.id:
                raise ValueError("no such thing was foreseen")
            return real(self, message, now)

        bad, *others = raise_alerts(store, 1, 4, now=now_ms())
        monkeypatch.setattr(Webhook, "prepare", prepare)
        text = plan_of(first, second).replace('"10s"', '"0s"').replace('["typology"]', '["id"]')
        sender = sender_of(store, text, environ(), attempts=InThreads())
        for _ in range(400):
            sender.step(now_ms())
            sender.wait(0.02)
            if len(first.verified) == len(others):
                break
        assert {body["data"]["alert_id"] for body in first.bodies.values()} == {alert.id for alert in others}
        assert [d.detail for d in store.deliveries(9) if d.alert_id == bad.id] == [
            "our own mistake (ValueError)"
        ]
