"""The contract of every receiver in the registry, over real sockets; formats as the services publish them."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from alerts.memory_store import MemoryStore
from alerts.receivers.message import Message
from alerts.receivers.post import Answer, addresses_of, new_client
from alerts.receivers.receiver import Receiver, Wire
from alerts.receivers.registry import KINDS, receiver_of
from alerts.receivers.specs import (
    DingTalkSpec,
    EmailSpec,
    LarkSpec,
    PagerDutySpec,
    SlackSpec,
    Spec,
    WebhookSpec,
    WeComSpec,
)
from alerts.routing.change import Change, change_of
from alerts.routing.intent import TOP, Intent, Says
from alerts.routing.reasons import Escalated, FirstNotification, StormSummary
from models.errors import SettingsError
from tests.certificates import Certificate, certificate_in
from tests.mailbox import Mailbox, mailbox
from tests.receiver import SECRET, Hook, hook
from tests.sending import raise_alerts

KEY = "0123456789abcdef0123456789abcdef"
PAN, MAIL = "4111 1111 1111 1111", "canary@person.example"
SIGNS = "SEC-canary-signing-key"


class Made(NamedTuple):
    """A receiver that leads to a real socket. said: the bytes of what arrived, in order."""

    spec: Spec
    environ: dict[str, str]
    answers: Callable[[int, bytes], None]
    said: Callable[[], list[bytes]]

    def receiver(self) -> Receiver:
        return receiver_of(self.spec, self.environ)


OK = {LarkSpec: b'{"code":0,"msg":"success"}', DingTalkSpec: b'{"errcode":0}', WeComSpec: b'{"errcode":0}'}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def box(certificate: Certificate) -> Iterator[Mailbox]:
    with mailbox(certificate.server, starttls=True) as running:
        yield running


@pytest.fixture
def web() -> Iterator[Hook]:
    with hook() as running:
        running.status = 200
        yield running


@pytest.fixture(params=list(KINDS), ids=lambda kind: kind.__name__)
def made(request: pytest.FixtureRequest, web: Hook, box: Mailbox, certificate: Certificate) -> Made:
    kind = request.param
    environ = {
        "URL": f"{web.url}/canary-token",
        "SIGN": SIGNS,
        "WHSEC": SECRET,
        "KEY": KEY,
        "MAIL": "canary-password",
    }

    def answers(status: int, body: bytes) -> None:
        web.status, web.answer = status, body
        box.refuses = "" if status < 300 else f"{450 if status >= 500 else 550} no"

    def said() -> list[bytes]:
        return [content for _, _, content in web.requests] or box.mails

    spec: Spec
    if kind is WebhookSpec:
        spec = WebhookSpec(name="r", url=web.url, secret_env="WHSEC", allow_private=True)
    elif kind is PagerDutySpec:
        spec = PagerDutySpec(name="r", url=web.url, secret_env="KEY", allow_private=True)
    elif kind is EmailSpec:
        spec = EmailSpec(
            name="r", host="hooks.test", port=box.port, sender="tidegate@house.test", to=["desk@house.test"], user="u",
            secret_env="MAIL", ca_file=str(certificate.file), allow_private=True,
        )  # fmt: skip
    else:
        signing = {"secret_env": "SIGN"} if kind in (LarkSpec, DingTalkSpec) else {}
        spec = kind(name="r", url_env="URL", allow_private=True, **signing)
    answers(200, OK.get(kind, b"ok"))
    return Made(spec, environ, answers, said)


WIRE = Wire(
    new_client(), lambda host, port: ["127.0.0.1"] if host == "hooks.test" else addresses_of(host, port)
)
DOWN = Wire(new_client(), lambda *_: ["10.0.0.1"])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message(says: Says = "open", total: int = 1, text: str = "", **labels: str) -> Message:
    store = MemoryStore()
    alerts = raise_alerts(store, 1, min(total, TOP))
    subjects = [change_of(alert) for alert in alerts]
    if text or labels:
        subjects = [
            msgspec.structs.replace(
                subjects[0], kind="incident", text_en=text, text_zh=text, labels={**subjects[0].labels, **labels},
                facts={"note": text},
            )
        ]  # fmt: skip
    intent = Intent(
        id="msg_0123456789abcdef", receiver="r", page="p", at=now_ms(), reason=FirstNotification(), says=says,
        thread="thread.1", group={"typology": "T12", "card": "tok_secret_1", **labels}, subjects=subjects,
        counts={"S1": total}, total=total,
    )  # fmt: skip
    return Message(intent=intent, alerts={a.id: a for a in alerts}, console_url="https://console.test/queue")


def text_of(raw: bytes) -> str:
    """All that can be read in what arrived."""
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False)
    except ValueError:
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        return f"{mail['Subject']}\n{mail.get_content()}"


class TestEveryReceiver:
    def test_it_is_taken_and_says_so(self, made: Made) -> None:
        receiver = made.receiver()
        answer = receiver.send(message(), now_ms(), WIRE)
        assert receiver.verdict(answer) == "delivered", answer
        assert len(made.said()) == 1

    @pytest.mark.parametrize("says", ["open", "acknowledged", "resolved"])
    @pytest.mark.parametrize("total", [1, 3, 100_000])
    def test_no_token_of_a_person_leaves_the_house(self, made: Made, says: Says, total: int) -> None:
        sent = message(says, total)
        assert made.receiver().verdict(made.receiver().send(sent, now_ms(), WIRE)) == "delivered"
        (raw,) = made.said()
        assert "tok_secret_1" not in text_of(raw)
        assert "tok_payer" not in text_of(raw)
        assert b"canary-password" not in raw
        assert SIGNS.encode() not in raw

    def test_clear_data_that_slipped_in_is_withheld(self, made: Made) -> None:
        made.receiver().send(
            message(text=f"card {PAN} of {MAIL}", card="tok_secret_9", component=MAIL), now_ms(), WIRE
        )
        said = text_of(made.said()[0])
        assert "4111" not in said
        assert "canary@" not in said
        assert "tok_secret_9" not in said

    def test_what_it_refuses_is_not_delivered(self, made: Made) -> None:
        receiver = made.receiver()
        for status in (500, 404):
            made.answers(status, b"no")
            assert receiver.verdict(receiver.send(message(), now_ms(), WIRE)) in ("busy", "refused")

    def test_it_never_goes_to_an_inner_address_unless_told_so(self, made: Made) -> None:
        if isinstance(made.spec, EmailSpec):
            spec: Spec = msgspec.structs.replace(made.spec, allow_private=False)
            environ = made.environ
        else:
            outer = (
                {"url": "https://hooks.test/x"} if isinstance(made.spec, WebhookSpec | PagerDutySpec) else {}
            )
            spec = msgspec.structs.replace(made.spec, allow_private=False, **outer)
            environ = {**made.environ, "URL": "https://hooks.test/x"}
        receiver = receiver_of(spec, environ)
        answer = receiver.send(message(), now_ms(), DOWN)
        assert (answer.status, receiver.verdict(answer)) == (None, "busy")
        assert "not public" in answer.detail
        assert made.said() == []

    def test_no_secret_is_shown(self, made: Made) -> None:
        receiver = made.receiver()
        for shown in (receiver.place, repr(receiver.spec), repr(receiver)):
            for secret in ("canary-token", "canary-password", SIGNS, KEY, SECRET):
                assert secret not in shown

    def test_a_missing_secret_is_named_without_it(self, made: Made) -> None:
        with pytest.raises(SettingsError, match="receiver r: "):
            receiver_of(made.spec, {})

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_both_languages(self, made: Made, language: str) -> None:
        spec = msgspec.structs.replace(made.spec, language=language)
        receiver_of(spec, made.environ).send(message(), now_ms(), WIRE)
        said = text_of(made.said()[0])
        assert ("设备或卡共用" if language == "zh" else "shared device or card") in said or "T12" in said

    def test_the_id_is_the_same_in_every_attempt(self, made: Made) -> None:
        for at in (now_ms(), now_ms() + 60_000):
            made.receiver().send(message(), at, WIRE)
        ids = []
        for raw in made.said():
            mail = email.message_from_bytes(raw)
            ids.append(mail["Message-ID"] or "msg_0123456789abcdef" in raw.decode() or "hook")
        assert len(set(ids)) == 1


@given(text=st.text(max_size=400), total=st.sampled_from([1, 7, 100_000]))
@example(text="\x00" * 400, total=1)
@example(text='<!channel> <@all> <at user_id="all">x</at> *_~`', total=1)
def test_any_text_makes_a_message_within_the_services_limits(text: str, total: int) -> None:
    environ = {"URL": "https://hooks.test/x", "SIGN": SIGNS}
    made = [
        receiver_of(kind(name="r", url_env="URL"), environ)
        for kind in (SlackSpec, LarkSpec, DingTalkSpec, WeComSpec)
    ]
    change = Change(
        kind="incident", id="i1", severity="S1", at=0, text_en=text, text_zh=text, facts={"note": text}
    )
    intent = Intent(
        id="msg_1", receiver="r", page="p", at=0, reason=Escalated("leads", 2), subjects=[change] * min(total, TOP),
        counts={"S1": total}, total=total,
    )  # fmt: skip
    sent = Message(intent=intent)
    for receiver in made:
        body = receiver.prepare(sent, 0).body  # type: ignore[attr-defined]
        found = json.loads(body)
        assert len(body) < 20_000
        words = found.get("text") or found.get("content")
        words = words if isinstance(words, str) else words.get("content", words.get("text"))
        assert len(words.encode()) <= (2048 if isinstance(receiver.spec, WeComSpec) else 4000)
        if not isinstance(receiver.spec, DingTalkSpec):
            assert "<" not in words, "nobody is called by a text"
        assert words.endswith("msg_1")


def one(made: Made, **given: Any) -> tuple[str, dict[str, Any]]:
    """What one kind posted: the path with its query, and the body."""
    made.receiver().send(message(**given), now_ms(), WIRE)
    return made.said()[0].decode(), json.loads(made.said()[0])


def only(kind: type[Spec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("made", [kind], indirect=True, ids=[kind.__name__])


class TestFormats:
    @only(WebhookSpec)
    def test_standard_webhooks_verify_with_the_public_library(self, made: Made, web: Hook) -> None:
        made.receiver().send(message(total=3), now_ms(), WIRE)
        _, headers, content = web.requests[0]
        event = Webhook(SECRET).verify(content, headers)
        assert event["type"] == "group.raised"
        assert (event["data"]["count"], len(event["data"]["worst"])) == (3, 3)

    @only(PagerDutySpec)
    @pytest.mark.parametrize("says", ["open", "acknowledged", "resolved"])
    def test_pagerduty_takes_only_fields_it_publishes(self, made: Made, says: Says) -> None:
        _, event = one(made, says=says, total=3)
        check_pagerduty(event)
        assert event["dedup_key"] == "tidegate.thread.1"
        assert made.receiver().verdict(Answer(400)) == "hopeless"
        assert made.receiver().verdict(Answer(202)) == "delivered"

    @only(SlackSpec)
    def test_slack_escapes_what_would_call_people(self, made: Made) -> None:
        _, body = one(made, text="<!channel> & <@U1>")
        assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body["text"]
        assert made.receiver().verdict(Answer(410)) == "gone"  # channel_is_archived

    @only(LarkSpec)
    def test_lark_signs_with_time_and_secret_as_the_key(self, made: Made) -> None:
        _, body = one(made)
        assert body["msg_type"] == "text"
        key = f"{body['timestamp']}\n{SIGNS}".encode()
        assert body["sign"] == base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        assert abs(int(body["timestamp"]) - time.time()) < 60

    @only(DingTalkSpec)
    def test_dingtalk_signs_in_the_query(self, made: Made, web: Hook) -> None:
        one(made)
        query = parse_qs(urlsplit(web.requests[0][0]).query)
        (at,), (sign,) = query["timestamp"], query["sign"]
        digest = hmac.new(SIGNS.encode(), f"{at}\n{SIGNS}".encode(), hashlib.sha256).digest()
        assert sign == base64.b64encode(digest).decode()
        assert len(at) == 13

    @pytest.mark.parametrize(
        ("kind", "status", "body", "verdict"),
        [
            (LarkSpec, 200, '{"code":0}', "delivered"),
            (LarkSpec, 200, '{"StatusCode":0,"StatusMessage":"success"}', "delivered"),
            (LarkSpec, 200, '{"code":19021,"msg":"sign match fail"}', "refused"),
            (LarkSpec, 200, '{"code":11232,"msg":"frequency limited"}', "busy"),
            (LarkSpec, 400, '{"code":9499,"msg":"too many request","data":{}}', "busy"),
            (LarkSpec, 400, '{"code":9499,"msg":"Bad Request","data":{}}', "refused"),
            (DingTalkSpec, 200, '{"errcode":310000,"errmsg":"sign not match"}', "refused"),
            (DingTalkSpec, 200, '{"errcode":130101,"errmsg":"send too fast"}', "busy"),
            (WeComSpec, 200, '{"errcode":45009,"errmsg":"api freq out of limit"}', "busy"),
            (WeComSpec, 200, '{"errcode":93000,"errmsg":"invalid webhook url"}', "refused"),
            (WeComSpec, 200, "<html>proxy</html>", "busy"),
        ],
    )
    def test_chats_say_no_in_the_body(self, kind: type[Spec], status: int, body: str, verdict: str) -> None:
        receiver = receiver_of(kind(name="r", url_env="URL"), {"URL": "https://hooks.test/x"})  # type: ignore[call-arg]
        assert receiver.verdict(Answer(status, text=body)) == verdict

    @only(EmailSpec)
    def test_mail_has_a_stable_id_and_a_failed_good_bye_changes_nothing(
        self, made: Made, box: Mailbox
    ) -> None:
        box.rude = True
        receiver = made.receiver()
        assert receiver.verdict(receiver.send(message(), now_ms(), WIRE)) == "delivered"
        mail = email.message_from_bytes(box.mails[0], policy=email.policy.default)
        assert mail["Message-ID"] == "<msg_0123456789abcdef@house.test>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"].startswith("[S1] ")
        assert len(box.logins) == 1

    def test_a_certificate_of_somebody_else_is_refused(self, box: Mailbox, tmp_path: Path) -> None:
        other = certificate_in(tmp_path)
        spec = EmailSpec(
            name="r", host="hooks.test", port=box.port, sender="a@b.test", to=["c@d.test"], ca_file=str(other.file),
            allow_private=True,
        )  # fmt: skip
        answer = receiver_of(spec, {}).send(message(), now_ms(), WIRE)
        assert (answer.status, answer.detail) == (None, "SSLCertVerificationError")
        assert box.mails == []

    def test_a_storm_is_one_summary(self) -> None:
        receiver = receiver_of(
            WebhookSpec(name="r", url="https://hooks.test/", secret_env="S"), {"S": SECRET}
        )
        sent = message(total=100_000)
        intent = msgspec.structs.replace(
            sent.intent, kinds={"first_notification": 9}, reason=StormSummary("x")
        )
        event = json.loads(receiver.prepare(msgspec.structs.replace(sent, intent=intent), 0).body)  # type: ignore[attr-defined]
        assert (event["type"], event["data"]["count"]) == ("storm.summary", 100_000)


FIELDS = {"routing_key", "event_action", "dedup_key", "client", "client_url", "links", "images", "payload"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


def check_pagerduty(event: dict[str, Any]) -> None:
    """Events API v2 as PagerDuty publishes it: fields, which are required when, values and lengths."""
    assert set(event) <= FIELDS
    assert event["routing_key"] == KEY
    assert event["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 0 < len(event["dedup_key"]) <= 255
    if event["event_action"] != "trigger":
        assert "payload" not in event
        return
    payload = event["payload"]
    assert {"summary", "source", "severity"} <= set(payload) <= PAYLOAD
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert 0 < len(payload["summary"]) <= 1024
    assert isinstance(payload["custom_details"], dict)
    assert all({"href"} <= set(link) <= {"href", "text"} for link in event.get("links", []))
    assert len(json.dumps(event).encode()) < 512 * 1024
