"""Webhooks over real sockets, checked by the public Standard Webhooks verifier; the clock is virtual."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.memory_store import MemoryStore
from alerts.receivers.message import Message
from alerts.receivers.post import is_public
from alerts.receivers.retry import JITTER, SCHEDULE_S, asked_delay_ms, delay_ms
from alerts.receivers.specs import WebhookReceiver
from alerts.receivers.webhook import MAX_BODY_BYTES, body, headers
from alerts.receivers.webhook import Webhook as Sending
from alerts.redis_store import RedisStore
from alerts.routing.change import change_of
from alerts.routing.intent import Intent
from alerts.routing.keeping import Saved
from alerts.routing.reasons import FirstNotification
from dataflow.embedded import embedded
from models.decision import Reason
from models.errors import SettingsError, StoreError
from tests.receiver import SECRET, Hook, hook
from tests.sending import ENV, OTHER, advance, local, page_id, raise_alerts, sender_of


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as running:
        yield running


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class TestDelivery:
    def test_a_verified_thin_message_without_tokens(self, store: MemoryStore, receiver: Hook) -> None:
        (alert,) = raise_alerts(store, 1, 1)
        sender = sender_of(store, [local(receiver)], console_url="http://127.0.0.1:8501/queue")
        assert sender.step(now_ms()) is None
        (id_,) = receiver.verified
        assert id_ == page_id(alert, receiver.url)
        message = receiver.bodies[id_]
        assert message["type"] == "alert.raised"
        assert message["data"] == message["data"] | {
            "alert_id": alert.id, "severity": "S1", "typology": "T12", "action": "HOLD", "band": "medium",
            "count": 1, "amount_usd": 12.5, "corridor": "CN>US", "reason": "first_notification",
            "reasons": [{"code": "card_count_1h", "text_en": "14 payments in 1 h", "text_zh": "1 小时 14 笔"}],
            "console_url": f"http://127.0.0.1:8501/queue?alert={alert.id}",
        }  # fmt: skip
        assert "tok_" not in json.dumps(message)
        path, sent, _ = receiver.requests[0]
        assert (path, sent["host"]) == ("/hook", f"127.0.0.1:{receiver.port}")
        (delivery,) = store.deliveries(5)
        assert (delivery.outcome, delivery.status, delivery.attempt) == ("delivered", 204, 1)

    def test_each_receiver_hears_from_its_severity_on(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1, severity="critical")
        raise_alerts(store, 2, 1, severity="high")
        sender_of(store, [local(receiver, min_severity="S1")]).step(now_ms())
        assert [b["data"]["severity"] for b in receiver.bodies.values()] == ["S1"]

    def test_a_worse_alert_is_a_new_message(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1, severity="high", card="c")
        sender = sender_of(store, [local(receiver)])
        sender.step(now_ms())
        raise_alerts(store, 2, 1, severity="critical", card="c")
        sender.step(now_ms())
        assert sorted(b["data"]["severity"] for b in receiver.bodies.values()) == ["S1", "S2"]
        assert max(receiver.verified.values()) == 1

    def test_both_keys_sign_while_a_secret_rotates(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1)
        sender_of(store, [local(receiver)], {"HOOK": f"{OTHER} {SECRET}"}).step(now_ms())
        assert len(receiver.verified) == 1

    def test_a_stranger_s_key_does_not_verify(self) -> None:
        sending = Sending(WebhookReceiver(url="https://x/", secret_env="OTHER").spec(), ENV)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(b"{}", headers(sending.keys, "msg_x", now_ms(), b"{}"))


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 404, 302, 429])
    def test_after_an_outage_all_arrive_once(self, store: MemoryStore, receiver: Hook, status: int) -> None:
        raise_alerts(store, 1, 30)
        sender = sender_of(store, [local(receiver)])
        receiver.status, receiver.headers = status, {"location": f"{receiver.url}/elsewhere"}
        end = now_ms()
        now = advance(sender, end - 240_000, end - 120_000)
        assert not receiver.verified
        assert {path for path, _, _ in receiver.requests} == {"/hook"}, "redirects are not followed"
        raise_alerts(store, 31, 10)
        receiver.status = 204
        advance(sender, now, end + 240_000)
        alerts = store.alerts(("open",), "newest", 99)
        assert set(receiver.verified) == {page_id(alert, receiver.url) for alert in alerts}
        assert set(receiver.verified.values()) == {1}
        assert len(alerts) == 40

    def test_a_receiver_that_is_not_there(self, store: MemoryStore) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            raise_alerts(store, 1, 50)
            sender = sender_of(store, [WebhookReceiver(url=url, secret_env="HOOK", allow_private=True)])
            advance(sender, 0, 600_000)
        deliveries = store.deliveries(1000)
        assert {(d.outcome, d.status) for d in deliveries} == {("retry", None)}
        # The line rests: it is probed about once a minute, however many messages wait.
        assert 10 <= len(deliveries) <= 20

    def test_a_page_that_waits_alone_goes_out_within_a_minute_of_the_recovery(
        self, store: MemoryStore, receiver: Hook
    ) -> None:
        raise_alerts(store, 1, 1)
        sender = sender_of(store, [local(receiver)])
        receiver.status = 503
        end = now_ms()
        now = advance(sender, end - 12 * 3_600_000, end)
        receiver.status = 204
        advance(sender, now, now + 80_000)
        assert len(receiver.verified) == 1

    def test_after_a_day_without_an_answer_it_is_a_dead_letter(
        self, store: MemoryStore, receiver: Hook
    ) -> None:
        raise_alerts(store, 1, 1)
        receiver.status = 500
        sender = sender_of(store, [local(receiver)])
        advance(sender, 0, 25 * 3_600_000)
        (done,) = store.done_messages(5)
        assert done.outcome == "dead"
        assert 24 * 3_600_000 <= done.at <= 24 * 3_600_000 + 80_000

    @pytest.mark.parametrize(("status", "seconds"), [(400, 1), (500, 60)])
    def test_one_bad_message_does_not_hold_up_the_others(
        self, store: MemoryStore, receiver: Hook, status: int, seconds: int
    ) -> None:
        alerts = raise_alerts(store, 1, 5)
        bad = page_id(alerts[0], receiver.url)
        receiver.refused_for_id[bad] = status
        now, sender = now_ms(), sender_of(store, [local(receiver)])
        advance(sender, now, now + seconds * 1000)
        assert len(receiver.verified) == 4
        assert bad not in receiver.verified
        raise_alerts(store, 6, 20)
        advance(sender, now + seconds * 1000, now + 150_000)
        assert len(receiver.verified) == 24
        assert receiver.attempts.count(bad) < 8

    def test_exhausted_attempts_become_a_dead_letter(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1)
        sender = sender_of(store, [local(receiver)])
        receiver.status = 400
        advance(sender, 0, 3 * 24 * 3_600_000)
        log = store.deliveries(99)[::-1]
        assert [d.outcome for d in log] == ["retry"] * len(SCHEDULE_S) + ["dead"]
        assert [d.attempt for d in log] == list(range(1, len(SCHEDULE_S) + 2))
        assert len({d.webhook_id for d in log}) == 1
        gaps = [b.at - a.at for a, b in pairwise(log)]
        for gap, seconds in zip(gaps, SCHEDULE_S, strict=True):
            assert (1 - JITTER) * 1000 * seconds <= gap <= (1 + JITTER) * 1000 * seconds
        assert sender.step(10**12) is None

    @pytest.mark.parametrize("status", [429, 503, 400])
    def test_retry_after_is_honoured(self, store: MemoryStore, receiver: Hook, status: int) -> None:
        raise_alerts(store, 1, 1)
        receiver.status, receiver.headers = status, {"retry-after": "1000"}
        advance(sender_of(store, [local(receiver)]), 5000, 1_004_999)
        assert len(receiver.attempts) == 1
        advance(sender_of(store, [local(receiver)]), 1_005_000, 1_005_000)
        assert len(receiver.attempts) == 2

    def test_410_disables_until_the_settings_change(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 3)
        receiver.status = 410
        sender = sender_of(store, [local(receiver)])
        now = now_ms()
        advance(sender, now, now + 1000)
        assert len(receiver.attempts) == 1
        assert [d.outcome for d in store.deliveries(9)] == ["dead"] * 3
        receiver.status = 204
        raise_alerts(store, 4, 1)
        for same in (sender, sender_of(store, [local(receiver)])):
            advance(same, now, now + 1000)
        assert not receiver.verified
        raise_alerts(store, 5, 1)
        changed = msgspec.structs.replace(local(receiver), secret_env="NEW")
        sender_of(store, [changed], {"NEW": SECRET}).step(now)
        assert len(receiver.verified) == 1


class KilledError(Exception):
    """Stands for kill -9 in mid-step."""


class TestRestart:
    @pytest.mark.parametrize("kept", ["memory", "valkey"])
    def test_a_killed_sender_goes_on_under_the_same_ids(
        self, kept: str, receiver: Hook, tmp_path: Path
    ) -> None:
        if kept == "memory":
            self._kill_and_go_on(MemoryStore(), receiver)
        else:
            with embedded(tmp_path) as url:
                self._kill_and_go_on(RedisStore(url), receiver)

    def _kill_and_go_on(self, store: MemoryStore | RedisStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 12)
        now = now_ms()
        first = sender_of(store, [local(receiver)])
        real, attempts = store.save_routing, 0

        def dies_at_the_fifth_attempt(version: int, saved: Saved) -> int:
            nonlocal attempts
            attempts += bool(saved.deliveries)
            if attempts == 5:
                raise KilledError
            return real(version, saved)

        store.save_routing = dies_at_the_fifth_attempt  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            advance(first, now, now + 1000)
        store.save_routing = real  # type: ignore[method-assign]
        assert len(receiver.verified) == 5
        advance(sender_of(store, [local(receiver)]), now, now + 1000)
        # The message whose answer was not saved came twice, under one id; all others once.
        assert sorted(receiver.verified.values()) == [1] * 11 + [2]

    def test_an_answer_outlives_a_store_that_goes_away(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 3)
        sender, real = sender_of(store, [local(receiver)]), store.save_routing

        def down(version: int, saved: Saved) -> int:
            if saved.deliveries:
                raise StoreError("down")
            return real(version, saved)

        now = now_ms()
        store.save_routing = down  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            sender.step(now)
        store.save_routing = real  # type: ignore[method-assign]
        advance(sender, now, now + 1000)
        assert sorted(receiver.verified.values()) == [1, 1, 1]
        assert [d.outcome for d in store.deliveries(9)] == ["delivered"] * 3

    def test_an_attempt_is_not_forgotten(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1)
        receiver.status = 500
        now = now_ms()
        advance(sender_of(store, [local(receiver)]), now, now)
        advance(sender_of(store, [local(receiver)]), now, now)
        assert len(receiver.attempts) == 1


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::",
            "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
            "fec0::1", "64:ff9b:1::a00:1", "::10.0.0.1",
        ],
    )  # fmt: skip
    def test_inner_addresses_are_refused(self, address: str, store: MemoryStore) -> None:
        assert not is_public(address)
        raise_alerts(store, 1, 1)
        outer = WebhookReceiver(url="https://hooks.example/x", secret_env="HOOK")
        sender_of(store, [outer], resolve=lambda *_: [address]).step(0)
        (delivery,) = store.deliveries(5)
        assert (delivery.outcome, delivery.status) == ("retry", None)
        assert "not public" in delivery.detail

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
    def test_outer_addresses_are_taken(self, address: str) -> None:
        assert is_public(address)

    def test_the_checked_address_is_the_one_connected_to(self, store: MemoryStore, receiver: Hook) -> None:
        raise_alerts(store, 1, 1)
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[str]:
            asked.append(f"{host}:{port}")
            return ["127.0.0.1"]

        url = f"http://does-not-resolve.invalid:{receiver.port}/hook?token=x"
        named = WebhookReceiver(url=url, secret_env="HOOK", allow_private=True)
        sender_of(store, [named], resolve=resolve).step(now_ms())
        assert len(receiver.verified) == 1
        assert asked == [f"does-not-resolve.invalid:{receiver.port}"] == [receiver.requests[0][1]["host"]]
        assert "token" not in store.deliveries(1)[0].url


class TestSettings:
    def test_a_secret_file_must_be_private(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text(SECRET + "\n")
        spec = WebhookReceiver(url="https://hooks.example/x", secret_file=str(path)).spec()
        path.chmod(0o644)
        with pytest.raises(SettingsError, match="chmod 600"):
            Sending(spec)
        path.chmod(0o600)
        assert len(Sending(spec).keys) == 1

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"url": "http://hooks.example/"}, "https"),
            ({"url": "https://user:hunter2@hooks.example/"}, "must not carry"),
            ({"url": "https:///x"}, "needs a host"),
            ({"url": "https://h:port/"}, "cannot be read"),
            ({"secret_file": "/x"}, "either"),
            ({"secret_env": None}, "either"),
            ({"secret_env": "UNSET"}, "holds no secret"),
            ({"secret_env": "SHORT"}, "24 to 64"),
            ({"secret_env": "ODD"}, "whsec_"),
        ],
    )
    def test_wrong_settings_are_named_without_secrets(self, settings: dict[str, str], message: str) -> None:
        spec = WebhookReceiver(**{"url": "https://hooks.example/", "secret_env": "HOOK"} | settings).spec()  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=message) as caught:
            Sending(spec, ENV | {"SHORT": "whsec_aHVudGVyMg==", "ODD": "hunter2"})
        assert "hunter2" not in str(caught.value)
        assert "aHVudGVyMg" not in str(caught.value)


@given(st.text(min_size=1), st.integers(1, len(SCHEDULE_S)))
def test_delays_are_derived_and_near_the_schedule(id_: str, failed: int) -> None:
    delay = delay_ms(id_, failed)
    assert delay == delay_ms(id_, failed)
    assert delay is not None
    assert abs(delay / 1000 - SCHEDULE_S[failed - 1]) <= JITTER * SCHEDULE_S[failed - 1] + 0.001
    assert delay_ms(id_, len(SCHEDULE_S) + 1) is None


def test_delays_spread() -> None:
    assert len({delay_ms(f"msg_{n}", 1) for n in range(100)}) > 90


@given(st.text() | st.integers(-5, 10**12).map(str))
def test_any_retry_after_is_taken_calmly(text: str) -> None:
    assert 0 <= asked_delay_ms(text, now_ms()) <= 24 * 3_600_000


def test_retry_after_as_a_date() -> None:
    assert asked_delay_ms(formatdate(2000, usegmt=True), 1_900_000) == 100_000
    assert asked_delay_ms("-1", 0) == asked_delay_ms("soon", 0) == asked_delay_ms(None, 0) == 0


@given(st.text(), st.lists(st.text(max_size=5000), max_size=40))
@example("\x00", ["\x00" * 5000] * 40)
def test_the_body_stays_small(corridor: str, texts: list[str]) -> None:
    (alert,) = raise_alerts(MemoryStore(), 1, 1)
    reasons = [Reason(code=t, kind="feature", text_en=t * 40, text_zh=t * 40) for t in texts]
    alert.decision = msgspec.structs.replace(
        alert.decision, reasons=reasons, context={"corridor": corridor * 1000}
    )
    alert.typology = corridor * 1000
    intent = Intent(
        id="msg_1", receiver="r", page="p", at=0, reason=FirstNotification(), subjects=[change_of(alert)],
        counts={"S1": 1}, total=1,
    )  # fmt: skip
    message = Message(intent=intent, alerts={alert.id: alert}, console_url="http://console/queue")
    assert len(body(message)) < MAX_BODY_BYTES
