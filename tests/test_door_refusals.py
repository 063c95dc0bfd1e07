"""What the door refuses: every kind of malformed line ends sealed, with a reason that names the place."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.envelope import open_dead_letter
from alerts.custody.keyring import KeyRing
from dataflow.door import Door
from models.decision import DeadLetter
from models.errors import EventError
from models.events import MAX_LINE_BYTES, decode
from tests.canaries import CANARY_PATTERNS, TEST_PANS

NOW = 1_790_000_000_000
RING = KeyRing.for_tests()
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


MALFORMED: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "malformed", "`$`"),
    "blank": (b"   ", "malformed", "`$`"),
    "no json": (b"hello", "malformed", "byte 0"),
    "truncated": (raw()[:-9], "malformed", "`$`"),
    "two objects": (raw() + raw(), "malformed", "byte"),
    "array": (b"[" + raw() + b"]", "malformed", "`$`"),
    "null": (b"null", "malformed", "`$`"),
    "byte order mark": (b"\xef\xbb\xbf" + raw(), "malformed", "byte 0"),
    "latin-1": (raw(purpose="x").replace(b'"x"', b'"caf\xe9"'), "malformed", "byte 135"),
    "utf-16": (raw().decode().encode("utf-16"), "malformed", "byte 0"),
    "lone surrogate": (raw(purpose="\ud800 and more"), "malformed", "`$`"),
    "one megabyte": (raw(purpose="x" * 2**20), "oversize", "at most 65536"),
    "long text": (raw(purpose="x" * 257), "malformed", "`$.purpose`"),
    "no type": (b'{"id": "tx-1"}', "malformed", "`type`"),
    "unknown type": (raw(type="CANARY"), "malformed", "`$.type`"),
    "unknown field": (raw(amuont=3), "malformed", "`amount` is meant"),
    "unknown clear field": (raw(clear={"CANARY": "x"}), "malformed", "`$.clear`"),
    "missing amount": (
        json.dumps({k: v for k, v in PAYMENT.items() if k != "amount"}).encode(),
        "malformed",
        "`amount`",
    ),
    "missing id": (json.dumps({k: v for k, v in PAYMENT.items() if k != "id"}).encode(), "malformed", "`id`"),
    "empty id": (raw(id=""), "malformed", "`$.id`"),
    "long id": (raw(id="x" * 129), "malformed", "`$.id`"),
    "text amount": (raw(amount="12.50"), "malformed", "`$.amount`"),
    "fractional amount": (raw(amount=12.5), "malformed", "`$.amount`"),
    "boolean amount": (raw(amount=True), "malformed", "`$.amount`"),
    "negative amount": (raw(amount=-1), "malformed", "`$.amount`"),
    "huge amount": (raw(amount=10**16), "malformed", "`$.amount`"),
    "amount beyond 64 bits": (raw(amount=10**30), "malformed", "`$.amount`"),
    "NaN": (raw(attributes={"x": float("nan")}), "malformed", "byte"),
    "infinity": (
        raw(attributes={"x": 1}).replace(b'"x": 1', b'"x": 1e999'),
        "malformed",
        "`$.attributes[...]`",
    ),
    "text attribute": (raw(attributes={"x": "1"}), "malformed", "`$.attributes[...]`"),
    "short currency": (raw(currency="EU"), "malformed", "`$.currency`"),
    "long country": (raw(payer_country="DEU"), "malformed", "`$.payer_country`"),
    "unknown channel": (raw(channel="CANARY"), "malformed", "`$.channel`"),
    "newer version": (raw(v=2), "malformed", "`$.v`"),
    "time without offset": (raw(event_time="2026-09-21T14:13:20"), "malformed", "`$.event_time`"),
    "time in words": (raw(event_time="yesterday"), "malformed", "`$.event_time`"),
    "time in microseconds": (raw(event_time=NOW * 1000), "malformed", "`$.event_time`"),
    "time of year 2200": (raw(event_time="2200-01-01T00:00:00Z"), "malformed", "`$.event_time`"),
    "null time": (raw(event_time=None), "malformed", "`$.event_time`"),
    "control characters": (raw(purpose="a\x00b"), "control_characters", "`$.purpose`"),
    "escape sequence": (raw(merchant="\x1b[2J"), "control_characters", "`$.merchant`"),
    "control in clear": (raw(clear={"payer_name": "a\nb"}), "control_characters", "`$.clear.payer_name`"),
    "clear as text": (raw(clear="CANARY"), "malformed", "`$.clear`"),
    "number as name": (raw(clear={"payer_name": 5}), "malformed", "`$.clear.payer_name`"),
    "luhn": (raw(clear={"pan": "4111111111111112"}), "bad_pan", "`$.clear.pan`"),
    "letters in pan": (raw(clear={"pan": "4111CANARY1111"}), "bad_pan", "`$.clear.pan`"),
    "other digits in pan": (
        raw(clear={"pan": "４１１１１１１１１１１１１１１１"}),
        "bad_pan",
        "`$.clear.pan`",
    ),
    "short pan": (raw(clear={"pan": "4111"}), "malformed", "`$.clear.pan`"),
    "bad ip": (raw(clear={"ip": "203.0.113.256"}), "bad_ip", "`$.clear.ip`"),
    "pan in purpose": (raw(purpose="card 4111111111111111"), "clear_data", "`$.purpose`"),
    "pan as escapes": (
        raw(purpose="x").replace(b'"x"', b'"\\u0034111111111111111"'),
        "clear_data",
        "`$.purpose`",
    ),
    "mail in order id": (raw(order_id="canary@example.com"), "clear_data", "`$.order_id`"),
    "name repeated": (
        raw(purpose="for canary-ANNA", clear={"payer_name": "CANARY-Anna"}),
        "clear_data",
        "`$.purpose`",
    ),
    "account as payer": (raw(payer="1234567890", clear={"account": "1234567890"}), "clear_data", "`$.payer`"),
    "clear ip": (raw(ip="203.0.113.7"), "clear_data", "`$.ip`"),
    "two cards": (raw(card="my-token", clear={"pan": TEST_PANS[0]}), "conflicting_fields", "`$.card`"),
    "other bin": (raw(bin="555555", clear={"pan": TEST_PANS[0]}), "conflicting_fields", "`$.bin`"),
    "forged screen": (
        raw(screen={"list_version": "1", "score": 0.0, "matched_id": None, "band": "clear"}),
        "protected_field",
        "`$.screen`",
    ),
    "forged content": (raw(content="x"), "protected_field", "`$.content`"),
    "forged envelope": (raw(envelope="e1.a.b.c"), "protected_field", "`$.envelope`"),
    "deep payload": (
        b'{"type":"control","id":"c","event_time":1,"kind":"pin","version":"1","payload":' + b"[" * 30_000,
        "malformed",
        "nested too deeply",
    ),
    "deep nesting": (
        raw(attributes=0).replace(b'"attributes": 0', b'"attributes": ' + b"[" * 30_000),
        "malformed",
        "`$",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_input_is_sealed_with_a_reason_that_names_the_place(kind: str) -> None:
    line, reason, place = MALFORMED[kind]
    directory = MemoryDataKeys()
    at = Door(RING, directory, clock=lambda: NOW)
    letter = at.protect_line(line, "in.jsonl:17")
    assert isinstance(letter, DeadLetter)
    assert letter.reason == reason
    assert place in letter.detail
    assert letter.place == "in.jsonl:17"
    assert open_dead_letter(letter, RING, directory) == line[:MAX_LINE_BYTES]
    shown = msgspec.json.encode(letter)
    assert not [pattern for pattern in CANARY_PATTERNS if pattern in shown]
    assert at.counters.refused == {reason: 1}
    # the door goes on
    assert isinstance(at.protect_line(raw(), "in.jsonl:18"), bytes)
    assert (at.counters.lines, at.counters.protected) == (2, 1)


@given(
    st.binary(max_size=200)
    | st.recursive(st.text() | st.integers() | st.none(), st.lists).map(repr).map(str.encode)
)
@settings(deadline=None)
def test_no_bytes_bring_the_door_down(line: bytes) -> None:
    assert isinstance(door().protect_line(line, "x"), DeadLetter)


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(deadline=None)
def test_no_single_changed_byte_lets_a_canary_through(position: int, byte: int) -> None:
    line = bytearray(raw(payer="c", clear={"payer_name": "CANARY-Anna", "pan": TEST_PANS[0]}))
    line[position % len(line)] = byte
    out = door().protect_line(bytes(line), "x")
    shown = out if isinstance(out, bytes) else msgspec.json.encode(out)
    assert b"CANARY-A" not in shown
    assert TEST_PANS[0].encode() not in shown


def test_an_event_id_with_clear_data_in_it_is_not_repeated() -> None:
    letter = door().protect_line(raw(id="card 4111111111111111"), "x:1")
    assert isinstance(letter, DeadLetter)
    assert (letter.event_id, letter.kind, letter.undecodable) == (None, "transaction", False)
    other = door().protect_line(raw(clear={"ip": "nowhere"}), "x:1")
    assert isinstance(other, DeadLetter)
    assert other.event_id == "tx-1"


@pytest.mark.parametrize("kind", [kind for kind in MALFORMED if MALFORMED[kind][1] == "malformed"])
def test_behind_the_door_the_codec_repeats_nothing_either(kind: str) -> None:
    with pytest.raises(EventError) as caught:
        decode(MALFORMED[kind][0])
    assert "CANARY" not in str(caught.value)
