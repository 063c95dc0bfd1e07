"""The quick look at an event's line never passes what the slow search would find."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.door import Door
from dataflow.simulate import Simulator
from models.clear_data import find_clear, find_misplaced, may_hold_more
from models.errors import EventError
from models.events import decode
from models.ordinary import ordinary

PAN = "4111111111111111"
LINE: dict[str, Any] = {
    "type": "transaction", "id": "a", "event_time": 1_795_428_000_000, "received_at": 1_795_428_000_000,
    "amount": 5, "currency": "USD", "channel": "cnp",
}  # fmt: skip
CONTENT = "content_1_" + "bcdfghjk" * 4
ENVELOPE = "e1." + "0a" * 12 + ".1.QUJD"
FORMS = [
    CONTENT, CONTENT[:-1], CONTENT + "b", CONTENT.replace("_1_", "_12345678901_"), CONTENT.replace("1", "x"),
    CONTENT.upper(), "content_1_" + "a" * 32, ENVELOPE, ENVELOPE + ".", ENVELOPE.replace("a.1", "a.1_"),
    ENVELOPE + "\u00e9", ENVELOPE.replace("e1.0", "e1..")[:60], "e1.", "e1." + "0a" * 11 + "b.11.QUJD", "", "x",
]  # fmt: skip
HIDDEN = [
    PAN, "4111 1111 1111 1111", "4111-1111-1111-1111", "pay 4111111111111111 now", "someone@example.com", "5" * 12,
    "1795428000000", "0" * 40, "plain", "\u00e9", "378282246310005",
]  # fmt: skip


def looked_at(line: bytes) -> tuple[str | None, str | None]:
    """(what the engine's way finds, what the slow search finds)"""
    event = decode(line)
    quick = find_clear(event) if may_hold_more(line, event) else find_misplaced(event)
    # Whatever stands beside it in the batch.
    beside = json.dumps({**LINE, "content": CONTENT}, separators=(",", ":")).encode()
    first, last = ordinary([beside, line, beside], [decode(beside), event, decode(beside)])[1:]
    assert last
    return None if first else quick, find_clear(event)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["purpose", "order_id", "merchant", "device", "ip", "card"]), st.sampled_from(HIDDEN)
    ),
    st.sampled_from([None, 1e12, -4.111111111111111e15, 41111111111.11111e5, 12.5]),
    st.sampled_from([1_795_428_000_000, 17_954, 179_542_800_000]),
    st.booleans(),
)
def test_the_quick_look_finds_what_the_slow_search_finds(
    texts: dict[str, str], number: float | None, time: int, spaced: bool
) -> None:
    event = {**LINE, **texts, "event_time": time}
    if number is not None:
        event["attributes"] = {"x": number}
    for escaped in (True, False):
        line = json.dumps(event, ensure_ascii=escaped, separators=(", ", ": ") if spaced else (",", ":"))
        quick, slow = looked_at(line.encode())
        assert quick == slow


def test_digits_hide_neither_in_exponents_nor_in_escapes_nor_behind_repeated_times() -> None:
    plain = json.dumps(LINE)
    for found, hidden in (
        ('"amount": 5', '"amount": 41111111111.11e2'),
        ('"event_time": 1795428000000', '"event_time": 1.795428e12, "purpose": "4111111111111111"'),
        (
            '"event_time": 1795428000000',
            '"event_time": 1795428000000, "event_time": 5, "purpose": "4111111111111111"',
        ),
        ('"channel"', '"purpose": "\\u0034111111111111111", "channel"'),
        ('"received_at": 1795428000000', '"received_at": 179542800000, "purpose": "4111111111111111"'),
    ):
        assert found in plain
        try:
            quick, slow = looked_at(plain.replace(found, hidden).encode())
        except EventError:
            continue
        assert quick == slow, hidden


@settings(deadline=None)
@given(
    st.sampled_from([None, *FORMS]),
    st.sampled_from([None, *FORMS]),
    st.sampled_from([None, "a.b", "1.2.3.4", "::1"]),
)
def test_only_what_has_its_form_is_ordinary(
    content: str | None, envelope: str | None, address: str | None
) -> None:
    event = {**LINE, "content": content, "envelope": envelope, "ip": address}
    for ascii_ in (True, False):
        line = json.dumps(event, ensure_ascii=ascii_, separators=(",", ":")).encode()
        decoded = decode(line)
        if ordinary([line], [decoded])[0]:
            assert find_misplaced(decoded) is None
        else:
            assert (
                find_misplaced(decoded) is not None or b"\\" in line or not line.isascii() or address == "a.b"
            )


def test_what_the_door_writes_is_ordinary() -> None:
    door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: 1_795_428_000_000)
    simulator = Simulator(3, customers=50)
    events = list(islice(simulator.stream(), 500))
    lines = [door.protect(simulator.raw(event)) for event in events]
    found = ordinary(lines, [decode(line) for line in lines])
    assert found.mean() > 0.95
