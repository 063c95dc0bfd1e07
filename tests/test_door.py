"""The door: what comes out, what is refused and why, and that nothing clear comes out at all."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import FileDataKeys, MemoryDataKeys
from alerts.custody.envelope import open_envelope
from alerts.custody.keyring import KeyRing
from alerts.custody.pseudonym import Pseudonyms
from dataflow.door import Door
from models.clear_data import find_clear
from models.decision import DeadLetter
from models.errors import EventError
from models.events import (
    AnyEvent,
    Behaviour,
    ClearFields,
    Control,
    ScreenResult,
    Transaction,
    decode,
    encode,
)
from tests.canaries import CANARY_PATTERNS, TEST_PANS, canary_lines

NOW = 1_790_000_000_000
RING = KeyRing.for_tests()
TOKENS = Pseudonyms(RING)
PAYMENT = {
    "type": "transaction",
    "id": "tx-1",
    "event_time": NOW,
    "amount": 1250,
    "currency": "EUR",
    "channel": "cnp",
}


def door(**settings_: object) -> Door:
    return Door(RING, MemoryDataKeys(), clock=lambda: NOW + 7, **settings_)  # type: ignore[arg-type]


def raw(**fields: object) -> bytes:
    return json.dumps(PAYMENT | fields).encode()


def protected(line: bytes, at: Door | None = None) -> AnyEvent:
    return decode((at or door()).protect(line))


def payment(line: bytes, at: Door | None = None) -> Transaction:
    event = protected(line, at)
    assert isinstance(event, Transaction)
    return event


def test_a_payment_without_clear_fields_only_gains_time_and_content() -> None:
    event = payment(raw(payer="cust-1", merchant="m-1"))
    assert event.received_at == NOW + 7
    assert event.envelope is None
    assert event.content is not None
    bare = json.loads(encode(event))
    del bare["content"], bare["received_at"]
    assert bare == PAYMENT | {"payer": "cust-1", "merchant": "m-1"}


def test_every_clear_field_goes_to_its_home_and_into_the_envelope() -> None:
    clear = {
        "payer_name": "CANARY-Anna",
        "payee_name": "CANARY-Ben",
        "pan": "4111 1111 1111 1111",
        "account": "DE89 3704 0044 0532 0130 00",
        "payee_account": "gb29nwbk60161331926819",
        "email": "CANARY@example.com",
        "phone": "+999155500001",
        "address": "CANARY Street 1",
        "ship_name": "CANARY-Cara",
        "ship_address": "CANARY  lane 2",
        "ip": "::ffff:203.0.113.7",
        "birth_date": "1987-06-05",
    }
    directory = MemoryDataKeys()
    event = payment(raw(clear=clear), Door(RING, directory, clock=lambda: NOW))
    assert event.card == TOKENS.token("card", "4111111111111111")
    assert (event.bin, event.last4) == ("411111", "1111")
    assert event.payer == TOKENS.token("account", "DE89370400440532013000")
    assert event.payee == TOKENS.token("account", "GB29NWBK60161331926819")
    assert event.ip == TOKENS.token("ip", "203.0.113.7")
    assert event.ship_token == TOKENS.token("address", "canary lane 2")
    assert open_envelope(event, RING, directory) == ClearFields(**clear)


def test_the_payer_is_the_senders_then_account_then_mail_then_phone() -> None:
    clear = {"account": "DE89370400440532013000", "email": "canary@example.com", "phone": "+999155500001"}
    assert payment(raw(payer="cust-1", clear=clear)).payer == "cust-1"
    for name, value in (("account", clear["account"]), ("email", clear["email"]), ("phone", clear["phone"])):
        assert payment(raw(clear=clear)).payer == TOKENS.token(name, value)  # type: ignore[arg-type]
        del clear[name]
    assert payment(raw(clear={"account": " - ", "phone": "5550100"})).payer == TOKENS.token(
        "phone", "5550100"
    )
    assert payment(raw(clear={"ship_name": "CANARY X"})).ship_token == TOKENS.token("name", "canary x")


def test_a_behaviour_may_leave_its_payer_to_the_door() -> None:
    login = {"type": "behaviour", "kind": "login", "id": "b-1", "event_time": NOW}
    event = protected(json.dumps(login | {"clear": {"account": "1234567890", "pan": TEST_PANS[0]}}).encode())
    assert isinstance(event, Behaviour)
    assert event.payer == TOKENS.token("account", "1234567890")
    assert event.card == TOKENS.token("card", TEST_PANS[0])
    with pytest.raises(EventError, match="required field `payer`"):
        door().protect(json.dumps(login).encode())


@pytest.mark.parametrize(
    "event",
    [
        {"type": "label", "transaction_id": "tx-1", "fraud": True, "source": "chargeback"},
        {"type": "heartbeat", "component": "c-1"},
        {"type": "settlement", "kind": "settled", "amount": 1, "currency": "EUR"},
        {"type": "control", "kind": "pin", "version": "1"},
    ],
)
def test_other_events_keep_clear_fields_in_the_envelope_only(event: dict[str, object]) -> None:
    directory = MemoryDataKeys()
    line = json.dumps(
        event | {"id": "o-1", "event_time": NOW, "clear": {"payer_name": "CANARY-Anna"}}
    ).encode()
    out = Door(RING, directory, clock=lambda: NOW).protect(line)
    assert b"CANARY" not in out
    assert open_envelope(decode(out), RING, directory) == ClearFields(payer_name="CANARY-Anna")


def test_a_control_keeps_its_payload_on_one_line() -> None:
    control = {"type": "control", "id": "c-1", "event_time": NOW, "kind": "pin", "version": "1"}
    out = door().protect(
        json.dumps(control | {"payload": {"entity": "card", "keys": [1]}}, indent=2).encode()
    )
    assert b"\n" not in out
    event = decode(out)
    assert isinstance(event, Control)
    assert bytes(event.payload) == b'{"entity":"card","keys":[1]}'
    letter = door().protect_line(
        json.dumps(control | {"payload": {"text": "4111111111111111"}}).encode(), "x"
    )
    assert isinstance(letter, DeadLetter)
    assert letter.detail.startswith("a card number - at `$.payload`")


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2026-09-21T13:46:40Z", 1_789_998_400_000),
        ("2026-09-21T21:46:40.250+08:00", 1_789_998_400_250),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_times_may_be_text_with_an_offset(text: str, millis: int) -> None:
    event = payment(raw(event_time=text, received_at=text))
    assert (event.event_time, event.received_at) == (millis, millis)


def test_content_stands_for_what_was_sent_not_for_when_it_came() -> None:
    clear = {"pan": TEST_PANS[0], "payer_name": "CANARY-Anna"}
    first = payment(raw(clear=clear))
    again = payment(raw(clear=dict(reversed(clear.items())), received_at=NOW + 99))
    assert first.content == again.content
    assert first.envelope != again.envelope
    text_time = "2026-09-21T14:13:20Z"
    assert payment(raw(clear=clear, event_time=text_time)).event_time == NOW
    assert payment(raw(clear=clear, event_time=text_time)).content == first.content
    others = [
        raw(clear=clear | {"payer_name": "CANARY-Anne"}),
        raw(clear=clear, event_time=NOW + 1),
        raw(clear=clear, amount=1251),
        raw(clear=clear, merchant="m-1"),
        raw(),
    ]
    assert len({payment(line).content for line in others} | {first.content}) == len(others) + 1


name = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "payer_name": name,
            "payee_name": name,
            "address": name,
            "account": name,
            "email": st.emails(),
            "phone": name,
            "ip": st.ip_addresses().map(str),
            "pan": st.sampled_from(TEST_PANS),
        },
    ),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    st.text(max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_out_is_canonical_and_what_goes_in_can_be_recovered(
    clear: dict[str, str], attributes: dict[str, float], purpose: str
) -> None:
    directory = MemoryDataKeys()
    at = Door(RING, directory, clock=lambda: NOW)
    out = at.protect_line(raw(clear=clear, attributes=attributes, purpose=purpose), "x:1")
    if isinstance(out, DeadLetter):
        assert out.reason in {"clear_data", "control_characters"}
        assert out.event_id == "tx-1"
        return
    event = decode(out)
    assert encode(event) == out
    assert open_envelope(event, RING, directory) == ClearFields(**clear)
    assert find_clear(event) is None


# screening and recorded streams


def test_a_screen_sees_clear_values_and_only_its_result_travels() -> None:
    seen: list[ClearFields] = []
    result = ScreenResult(list_version="l-1", score=0.93, matched_id="SYNTH-7", band="review")

    def screen(clear: ClearFields) -> ScreenResult:
        seen.append(clear)
        return result

    event = payment(raw(clear={"payer_name": "CANARY-Anna"}), door(screen=screen))
    assert event.screen == result
    assert seen == [ClearFields(payer_name="CANARY-Anna")]
    assert payment(raw(), door(screen=screen)).screen is None


def test_a_screen_that_fails_stops_the_payment_and_keeps_the_name_secret() -> None:
    def screen(clear: ClearFields) -> ScreenResult:
        raise RuntimeError(f"cannot judge {clear.payer_name}")

    letter = door(screen=screen).protect_line(raw(clear={"payer_name": "CANARY-Anna"}), "x:1")
    assert isinstance(letter, DeadLetter)
    assert letter.reason == "screen_failed"
    assert "CANARY" not in letter.detail


def test_a_recorded_stream_passes_again_unchanged_where_that_is_allowed() -> None:
    line = door().protect(raw(clear={"payer_name": "CANARY-Anna", "pan": TEST_PANS[0]}))
    again = door(protected_input=True)
    assert again.protect(line) == line
    with pytest.raises(EventError, match="only the door sets this field"):
        door().protect(line)
    forged = json.dumps(json.loads(line) | {"envelope": "CANARY-Anna"}).encode()
    with pytest.raises(EventError, match=r"\$\.envelope"):
        again.protect(forged)
    with pytest.raises(EventError, match=r"\$\.clear"):
        again.protect(json.dumps(json.loads(line) | {"clear": {"payer_name": "CANARY"}}).encode())


# canaries


def test_no_canary_of_20000_events_is_seen_again(tmp_path: Path) -> None:
    keys = tmp_path / "data" / "data-keys.jsonl"
    now = [NOW]
    at = Door(
        KeyRing.load_or_create(tmp_path / "data" / "keyring.json", NOW),
        FileDataKeys(keys),
        clock=lambda: now[0],
    )
    outputs: list[bytes] = []
    reasons: Counter[str] = Counter()
    for number, line in enumerate(canary_lines(20_000, seed=5)):
        now[0] += 250
        out = at.protect_line(line, f"canaries.jsonl:{number + 1}")
        if isinstance(out, DeadLetter):
            reasons[out.reason] += 1
            out = msgspec.json.encode(out)
        outputs.append(out)
    everything = b"\n".join([*outputs, keys.read_bytes(), repr(at.counters).encode()])
    assert not [pattern for pattern in CANARY_PATTERNS if pattern in everything]
    assert sum(reasons.values()) == 1000
    assert set(reasons) == {"malformed", "clear_data"}
    assert at.counters.protected == 19_000
    # 20 000 events at four a second are 5 000 s: a data key for each ten minutes
    assert len(keys.read_bytes().splitlines()) == 9


def test_the_canaries_would_be_found_if_they_were_there() -> None:
    everything = b"\n".join(canary_lines(2000, seed=5))
    missing = {pattern for pattern in CANARY_PATTERNS if pattern not in everything}
    assert not missing


def test_an_account_has_one_token_whichever_side_names_it() -> None:
    """Where the sender names people, their accounts still tell who received what the other later pays."""
    account = {"account": "DE00 SYNTH 1"}
    received = payment(raw(payer="cust-1", clear={"payee_account": "de00-synth-1"}))
    own = payment(raw(clear=account))
    named = payment(raw(payer="cust-2", payee="shop", clear={**account, "payee_account": "FR00 SYNTH 2"}))
    assert received.payee == own.payer == named.payer_account == TOKENS.token("account", "DE00SYNTH1")
    assert named.payee_account == TOKENS.token("account", "FR00SYNTH2")
    assert (received.payer_account, received.payee_account) == (None, None)
    assert (own.payer_account, named.payer, named.payee) == (None, "cust-2", "shop")
    assert payment(raw(clear={**account, "email": "ada@example.com"})).payer_account is None


def test_parties_of_documents_are_tokens_of_names() -> None:
    names = {"order_name": "SYNTH Ada", "waybill_name": "SYNTH Eve", "payer_name": " synth  ada"}
    event = payment(raw(clear=names, documents={"order_amount": 1250, "order_goods": "610910"}))
    assert event.documents is not None
    assert event.documents.order_party == event.documents.payment_party == TOKENS.token("name", "synth ada")
    assert event.documents.waybill_party == TOKENS.token("name", "synth eve")
    assert (event.documents.order_amount, event.documents.order_goods) == (1250, "610910")
    assert payment(raw(clear={"payer_name": "SYNTH Ada"})).documents is None
    sent = payment(raw(clear=names, documents={"order_party": "own-token"}))
    assert sent.documents is not None
    assert sent.documents.order_party == "own-token"


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ({"order_party": "ada@example.com"}, "an e-mail address - at `$.documents.order_party`"),
        ({"waybill_goods": "shirts"}, "`$.documents.waybill_goods`"),
        ({"quantity": 0}, "`$.documents.quantity`"),
        ({"order_amout": 5}, "`order_amount` is meant"),
    ],
)
def test_documents_are_held_to_their_form(documents: dict[str, object], says: str) -> None:
    with pytest.raises(EventError) as refused:
        door().protect(raw(documents=documents))
    assert says in refused.value.detail


def test_clear_values_are_looked_for_in_documents_too() -> None:
    with pytest.raises(EventError, match="clear_data"):
        door().protect(raw(documents={"order_party": "SYNTH Ada"}, clear={"order_name": "SYNTH Ada"}))
