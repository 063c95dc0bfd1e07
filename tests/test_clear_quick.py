"""The quick look at an event's line never passes what the slow search would find."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.clear_data import find_clear, find_misplaced, may_hold_more
from models.errors import EventError
from models.events import decode

PAN = "4111111111111111"
LINE: dict[str, Any] = {
    "type": "transaction", "id": "a", "event_time": 1_795_428_000_000, "received_at": 1_795_428_000_000,
    "amount": 5, "currency": "USD", "channel": "cnp",
}  # fmt: skip
HIDDEN = [
    PAN, "4111 1111 1111 1111", "4111-1111-1111-1111", "pay 4111111111111111 now", "someone@example.com", "5" * 12,
    "1795428000000", "0" * 40, "plain", "\u00e9", "378282246310005",
]  # fmt: skip


def looked_at(line: bytes) -> tuple[str | None, str | None]:
    """(what the engine's way finds, what the slow search finds)"""
    event = decode(line)
    quick = find_clear(event) if may_hold_more(line, event) else find_misplaced(event)
    return quick, find_clear(event)


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
