"""Webhooks over real sockets, checked by the public Standard Webhooks verifier; the clock is virtual."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.alert import Alert, hit_of
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.store import Commit, Store
from alerts.webhook import MAX_OWED, WebhookSender
from alerts.webhook_message import MAX_BODY_BYTES, body, webhook_id
from alerts.webhook_plan import (
    JITTER,
    SCHEDULE_S,
    WebhookReceiver,
    asked_delay_ms,
    delay_ms,
    signing_keys,
)
from alerts.webhook_post import is_public
from dataflow.embedded import embedded
from models.decision import Counters, Decision, Reason, RuleHit, Versions, encode_decision
from models.errors import SettingsError, StoreError

SECRET = "whsec_" + base64.b64encode(b"a published test key, 32 bytes!!").decode()
OTHER = "whsec_" + base64.b64encode(b"another published test key, 32 b").decode()
ENV = {"HOOK": SECRET}


class Receiver:
    """A receiver on a real port: verifies, remembers, and answers what it is told to."""

    def __init__(self) -> None:
        self.status, self.headers = 204, {}  # type: tuple[int, dict[str, str]]
        self.verified: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, object]] = {}
        self.attempts: list[str] = []
        self.timestamps: list[int] = []
        self.paths: list[str] = []
        self.hosts: list[str] = []
        self.refused_for_id: dict[str, int] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers["content-length"]))
        id_ = request.headers["webhook-id"]
        self.attempts.append(id_)
        self.timestamps.append(int(request.headers["webhook-timestamp"]))
        self.paths.append(request.path)
        self.hosts.append(request.headers["host"])
        status = self.refused_for_id.get(id_, self.status)
        if 200 <= status < 300:
            self.bodies[id_] = Webhook(SECRET).verify(content, dict(request.headers))
            self.verified[id_] += 1
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.stop()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def raise_alerts(store: Store, first: int, count: int, severity: str = "critical") -> list[Alert]:
    """Open `count` alerts on as many cards."""
    rule = RuleHit(id="R1", version="1", action="HOLD", severity=severity, typology="T12")  # type: ignore[arg-type]
    decisions = [
        Decision(
            id=f"e{n}",
            event_time=1_700_000_000_000 + n,
            risk=0.97,
            band="medium",
            action="HOLD",
            rules=[rule],
            reasons=[
                Reason(
                    code="card_count_1h", kind="feature", text_en="14 payments in 1 h", text_zh="1 小时 14 笔"
                )
            ],
            versions=Versions("m", "r", "l", "f"),
            context={
                "card": f"tok_secret_{n}",
                "payer": f"tok_payer_{n}",
                "amount_usd": 12.5,
                "corridor": "CN>US",
            },
        )
        for n in range(first, first + count)
    ]
    store.commit(
        Commit(
            first_decision_ordinal=first,
            decisions=[encode_decision(d) for d in decisions],
            hits=[hit_of(d, first + i) for i, d in enumerate(decisions)],
            first_dead_ordinal=1,
            dead=[],
            counters=Counters(),
            minutes={},
            stream_time=decisions[-1].event_time,
        )
    )
    return [alert for d in decisions for alert in store.alerts_of("card", str(d.context["card"]), 1)]


def local(receiver: Receiver, **settings: object) -> WebhookReceiver:
    return WebhookReceiver(url=receiver.url, secret_env="HOOK", allow_private=True, **settings)  # type: ignore[arg-type]


def sender_of(store: Store, *receivers: WebhookReceiver, **options: object) -> WebhookSender:
    return WebhookSender(store, receivers, environ=ENV, **options)  # type: ignore[arg-type]


def advance(sender: WebhookSender, now: int, until: int) -> int:
    """Step from due to due on the virtual clock, as `run` does on the real one."""
    while now <= until:
        due = sender.step(now)
        now = until + 1 if due is None else max(due, now)
    return until


class TestDelivery:
    def test_a_verified_thin_message_without_tokens(self, store: MemoryStore, receiver: Receiver) -> None:
        (alert,) = raise_alerts(store, 1, 1)
        sender = sender_of(store, local(receiver), console_url="http://127.0.0.1:8501/queue")
        assert sender.step(now_ms()) is None
        (id_,) = receiver.verified
        assert id_ == webhook_id(alert.id, "S1", receiver.url)
        message = receiver.bodies[id_]
        assert message["type"] == "alert.raised"
        data = message["data"]
        assert data == data | {  # type: ignore[operator]
            "alert_id": alert.id,
            "severity": "S1",
            "typology": "T12",
            "action": "HOLD",
            "band": "medium",
            "count": 1,
            "amount_usd": 12.5,
            "corridor": "CN>US",
            "reasons": [
                {"code": "card_count_1h", "text_en": "14 payments in 1 h", "text_zh": "1 小时 14 笔"}
            ],
            "console_url": f"http://127.0.0.1:8501/queue?alert={alert.id}",
        }
        assert "tok_" not in json.dumps(message)
        assert receiver.paths == ["/hook"]
        assert receiver.hosts == [f"127.0.0.1:{receiver.port}"]
        (delivery,) = store.deliveries(5)
        assert (delivery.outcome, delivery.status, delivery.attempt) == ("delivered", 204, 1)

    def test_each_receiver_hears_from_its_severity_on(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 1, severity="critical")
        raise_alerts(store, 2, 1, severity="high")
        sender_of(store, local(receiver, min_severity="S1")).step(now_ms())
        assert [b["data"]["severity"] for b in receiver.bodies.values()] == ["S1"]  # type: ignore[index]

    def test_a_worse_alert_is_a_new_message(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 1, severity="high")
        sender = sender_of(store, local(receiver))
        sender.step(now_ms())
        hit = hit_of(msgspec.json.decode(store.recent_decisions(1)[0], type=Decision), 2)
        batch = Commit(
            first_decision_ordinal=2,
            decisions=[],
            hits=[msgspec.structs.replace(hit, severity="S1", event_id="e2")],
            first_dead_ordinal=1,
            dead=[],
            counters=Counters(),
            minutes={},
            stream_time=0,
        )
        store.commit(batch)
        sender.step(now_ms())
        assert sorted(b["data"]["severity"] for b in receiver.bodies.values()) == ["S1", "S2"]  # type: ignore[index]
        assert max(receiver.verified.values()) == 1

    def test_both_keys_sign_while_a_secret_rotates(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 1)
        WebhookSender(store, [local(receiver)], environ={"HOOK": f"{OTHER} {SECRET}"}).step(now_ms())
        assert len(receiver.verified) == 1

    def test_a_stranger_s_key_does_not_verify(self, store: MemoryStore, receiver: Receiver) -> None:
        alert = raise_alerts(store, 1, 1)[0]
        sender = WebhookSender(store, [local(receiver)], environ={"HOOK": OTHER})
        content = body(alert, "S1")
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(content, sender_headers(sender, receiver, content))


def sender_headers(sender: WebhookSender, receiver: Receiver, content: bytes) -> dict[str, str]:
    from alerts.webhook_message import headers

    return headers(sender._keys[receiver.url], "msg_x", now_ms(), content)


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 404, 302, 429])
    def test_after_an_outage_all_arrive_once(
        self, store: MemoryStore, receiver: Receiver, status: int
    ) -> None:
        raise_alerts(store, 1, 30)
        sender = sender_of(store, local(receiver))
        receiver.status, receiver.headers = status, {"location": f"{receiver.url}/elsewhere"}
        end = now_ms()
        now = advance(sender, end - 240_000, end - 120_000)
        assert not receiver.verified
        assert "/hook/elsewhere" not in receiver.paths
        raise_alerts(store, 31, 10)
        receiver.status = 204
        advance(sender, now, end + 240_000)
        expected = {webhook_id(a.id, "S1", receiver.url) for a in store.alerts(("open",), "newest", 99)}
        assert set(receiver.verified) == expected
        assert set(receiver.verified.values()) == {1}
        assert len(expected) == 40

    def test_a_receiver_that_is_not_there(self, store: MemoryStore) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            raise_alerts(store, 1, 50)
            sender = sender_of(store, WebhookReceiver(url=url, secret_env="HOOK", allow_private=True))
            advance(sender, 0, 600_000)
        deliveries = store.deliveries(1000)
        assert {d.outcome for d in deliveries} == {"retry"}
        assert {d.status for d in deliveries} == {None}
        # The line rests: it is probed about once a minute and does not burn the attempts of fifty messages.
        assert 10 <= len(deliveries) <= 20

    def test_one_bad_message_does_not_hold_up_the_others(
        self, store: MemoryStore, receiver: Receiver
    ) -> None:
        alerts = raise_alerts(store, 1, 5)
        bad = webhook_id(alerts[0].id, "S1", receiver.url)
        receiver.refused_for_id[bad] = 400
        sender_of(store, local(receiver)).step(now_ms())
        assert len(receiver.verified) == 4
        assert bad not in receiver.verified

    def test_exhausted_attempts_become_a_dead_letter(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 1)
        sender = sender_of(store, local(receiver))
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
    def test_retry_after_is_honoured(self, store: MemoryStore, receiver: Receiver, status: int) -> None:
        raise_alerts(store, 1, 1)
        receiver.status, receiver.headers = status, {"retry-after": "1000"}
        assert sender_of(store, local(receiver)).step(5000) == 1_005_000

    def test_410_disables_until_the_settings_change(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 3)
        receiver.status = 410
        sender = sender_of(store, local(receiver))
        assert sender.step(now_ms()) is None
        assert len(receiver.attempts) == 1
        assert [d.outcome for d in store.deliveries(9)] == ["dead"] * 3
        receiver.status = 204
        raise_alerts(store, 4, 1)
        for same in (sender, sender_of(store, local(receiver))):
            assert same.step(now_ms()) is None
        assert not receiver.verified
        sender_of(store, local(receiver, min_severity="S3")).step(now_ms())
        assert len(receiver.verified) == 1

    def test_a_down_receiver_does_not_stop_the_other(self, store: MemoryStore, receiver: Receiver) -> None:
        down = Receiver()
        try:
            down.status = 500
            raise_alerts(store, 1, MAX_OWED + 50)
            sender = sender_of(store, local(down), local(receiver))
            now = now_ms()
            advance(sender, now, now + 1000)
        finally:
            down.stop()
        assert len(receiver.verified) == MAX_OWED + 50
        assert len(down.attempts) == 1


class KilledError(Exception):
    """Stands for kill -9 in mid-step."""


class TestRestart:
    @pytest.mark.parametrize("kept", ["memory", "valkey"])
    def test_a_killed_sender_goes_on_under_the_same_ids(
        self, kept: str, receiver: Receiver, tmp_path: Path
    ) -> None:
        if kept == "memory":
            self._kill_and_go_on(MemoryStore(), receiver)
        else:
            with embedded(tmp_path) as url:
                self._kill_and_go_on(RedisStore(url), receiver)

    def _kill_and_go_on(self, store: MemoryStore | RedisStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 12)
        now = now_ms()
        first = sender_of(store, local(receiver))
        real_save, saves = store.save_sender_state, 0

        def dies_at_the_fifth(state: bytes) -> None:
            nonlocal saves
            saves += 1
            if saves == 5:
                raise KilledError
            real_save(state)

        store.save_sender_state = dies_at_the_fifth  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            first.step(now)
        store.save_sender_state = real_save  # type: ignore[method-assign]
        assert len(receiver.verified) == 4
        advance(sender_of(store, local(receiver)), now, now + 1000)
        # The message whose answer was not saved came twice, under one id; all others once.
        assert sorted(receiver.verified.values()) == [1] * 11 + [2]

    def test_an_attempt_is_not_forgotten(self, store: MemoryStore, receiver: Receiver) -> None:
        raise_alerts(store, 1, 1)
        receiver.status = 500
        due = sender_of(store, local(receiver)).step(0)
        again = sender_of(store, local(receiver))
        assert again.step(0) == due
        assert len(receiver.attempts) == 1

    def test_run_delivers_waits_out_the_store_and_stops(self, store: MemoryStore, receiver: Receiver) -> None:
        real, failures = store.outbox, [StoreError("down"), StoreError("down")]

        def flaky(after: str, limit: int) -> list[object]:
            if failures:
                raise failures.pop()
            return list(real(after, limit))

        store.outbox = flaky  # type: ignore[assignment, method-assign]
        raise_alerts(store, 1, 3)
        stop = threading.Event()
        thread = threading.Thread(target=sender_of(store, local(receiver)).run, args=(stop,))
        thread.start()
        for _ in range(500):
            if len(receiver.verified) == 3 and "sender" in store.beats():
                break
            time.sleep(0.02)
        stop.set()
        thread.join()
        assert len(receiver.verified) == 3
        assert store.beats()["sender"]["owed"] == 0


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::",
            "::1",
            "fe80::1%eth0",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ],
    )
    def test_inner_addresses_are_refused(self, address: str, store: MemoryStore) -> None:
        assert not is_public(address)
        raise_alerts(store, 1, 1)
        hook = WebhookReceiver(url="https://hooks.example/x", secret_env="HOOK")
        sender_of(store, hook, resolve=lambda *_: [address]).step(0)
        (delivery,) = store.deliveries(5)
        assert (delivery.outcome, delivery.status) == ("retry", None)
        assert "not public" in delivery.detail

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
    def test_outer_addresses_are_taken(self, address: str) -> None:
        assert is_public(address)

    def test_the_checked_address_is_the_one_connected_to(
        self, store: MemoryStore, receiver: Receiver
    ) -> None:
        raise_alerts(store, 1, 1)
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[str]:
            asked.append(f"{host}:{port}")
            return ["127.0.0.1"]

        url = f"http://does-not-resolve.invalid:{receiver.port}/hook?token=x"
        hook = WebhookReceiver(url=url, secret_env="HOOK", allow_private=True)
        sender_of(store, hook, resolve=resolve).step(now_ms())
        assert len(receiver.verified) == 1
        assert asked == [f"does-not-resolve.invalid:{receiver.port}"]
        assert receiver.hosts == asked
        assert "token" not in store.deliveries(1)[0].url


class TestSettings:
    def test_a_secret_file_must_be_private(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text(SECRET + "\n")
        hook = WebhookReceiver(url="https://hooks.example/x", secret_file=str(path))
        path.chmod(0o644)
        with pytest.raises(SettingsError, match="chmod 600"):
            signing_keys(hook)
        path.chmod(0o600)
        assert signing_keys(hook) == [b"a published test key, 32 bytes!!"]

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
        hook = WebhookReceiver(**{"url": "https://hooks.example/", "secret_env": "HOOK"} | settings)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=message) as caught:
            signing_keys(hook, ENV | {"SHORT": "whsec_aHVudGVyMg==", "ODD": "hunter2"})
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
    store = MemoryStore()
    (alert,) = raise_alerts(store, 1, 1)
    reasons = [Reason(code=t, kind="feature", text_en=t * 40, text_zh=t * 40) for t in texts]
    alert.decision = msgspec.structs.replace(
        alert.decision, reasons=reasons, context={"corridor": corridor * 1000}
    )
    alert.typology = corridor * 1000
    assert len(body(alert, "S1", "http://console/queue")) < MAX_BODY_BYTES
