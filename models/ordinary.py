"""A quick look at a batch of lines and events: which of them surely hold nothing that the input may not hold?

What is not called ordinary is looked at one by one (models/clear_data.py says what is searched for, models/events.py
which characters are refused); the quick look may err on that side only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.clear_data import LARGE
from models.entities import Flags
from models.events import AnyEvent, Behaviour, Heartbeat, Label, Transaction
from models.kernels import kernel_in_place
from models.windows import Int64

Bytes = npt.NDArray[np.uint8]
_RUN = 13
"""Digits of the shortest card number, and of a time in ms."""
_EVENT_TIME = np.frombuffer(b'"event_time":', dtype=np.uint8)
_RECEIVED_AT = np.frombuffer(b'"received_at":', dtype=np.uint8)
_CONTENT = np.frombuffer(b"content_", dtype=np.uint8)
_ENVELOPE = np.frombuffer(b"e1.", dtype=np.uint8)
_MOST_VERSION, _TOKEN, _FIRST_PART = 9, 32, 27
_DOT, _UNDERSCORE = 46, 95


@kernel_in_place
def _is_digit_or_gap(byte: int) -> bool:
    return 48 <= byte <= 57 or byte == 32 or byte == 45


@kernel_in_place
def _follows(data: Bytes, mark: Bytes, at: int, first: int) -> bool:
    """Does `mark` stand before `at`, and not before `first`?"""
    start = at - mark.shape[0]
    if start < first:
        return False
    same = 0
    for k in range(mark.shape[0]):
        same += data[start + k] == mark[k]
    return bool(same == mark.shape[0])


@kernel_in_place
def _only_times(data: Bytes, first: int, last: int, event_time: Bytes, received_at: Bytes) -> bool:
    """Are the two times the only runs of _RUN digits or gaps in this line, and no longer than that?"""
    paid, received = 0, 0
    at = first + _RUN - 1
    while at < last:
        if not _is_digit_or_gap(data[at]):
            at += _RUN
            continue
        start = at
        while start > first and at - start < _RUN and _is_digit_or_gap(data[start - 1]):
            start -= 1
        end = at + 1
        while end < last and end - start <= _RUN and _is_digit_or_gap(data[end]):
            end += 1
        if end - start > _RUN:
            return False
        if end - start == _RUN:
            if _follows(data, event_time, start, first):
                paid += 1
            elif _follows(data, received_at, start, first):
                received += 1
            else:
                return False
        at = end + _RUN
    return paid == 1 and received == 1


@kernel_in_place
def _numbers(data: Bytes, lengths: Int64, event_time: Bytes, received_at: Bytes, ordinary: Flags) -> None:
    first = 0
    for i in range(lengths.shape[0]):
        last = first + lengths[i]
        ordinary[i] = _only_times(data, first, last, event_time, received_at)
        first = last


@kernel_in_place
def _is_content(data: Bytes, first: int, last: int, mark: Bytes) -> bool:
    """The form models.clear_data.CONTENT_FORM."""
    digits, token = first + mark.shape[0], last - _TOKEN
    if not 1 <= token - 1 - digits <= _MOST_VERSION or not _follows(data, mark, digits, first):
        return False
    others = 0
    for k in range(digits, token - 1):
        others += not 48 <= data[k] <= 57
    for k in range(token, last):
        others += not 98 <= data[k] <= 120
    return others == 0 and data[token - 1] == _UNDERSCORE


@kernel_in_place
def _is_envelope(data: Bytes, first: int, last: int, mark: Bytes) -> bool:
    """The form models.clear_data.is_envelope."""
    if last - first < _FIRST_PART + 1 or not _follows(data, mark, first + mark.shape[0], first):
        return False
    others, dots, early = 0, 0, 0
    # No branches: the compiler takes many bytes at once.
    for k in range(first, last):
        byte = data[k]
        letter = (byte >= 65) & (byte <= 90) | (byte >= 97) & (byte <= 122)
        digit = (byte >= 47) & (byte <= 57)
        dots += byte == _DOT
        others += not (letter | digit | (byte == 43) | (byte == 61) | (byte == _DOT))
    for k in range(first + mark.shape[0], first + _FIRST_PART):
        early += data[k] == _DOT
    return others == 0 and dots == 3 and early == 0 and data[first + _FIRST_PART] == _DOT


@kernel_in_place
def _forms(data: Bytes, lengths: Int64, envelopes: bool, mark: Bytes, ordinary: Flags) -> None:
    """Texts behind one another; an empty one is in order."""
    first = 0
    for i in range(lengths.shape[0]):
        last = first + lengths[i]
        if last > first:
            if envelopes:
                ordinary[i] &= _is_envelope(data, first, last, mark)
            else:
                ordinary[i] &= _is_content(data, first, last, mark)
        first = last


def ordinary(lines: Sequence[bytes], events: Sequence[AnyEvent]) -> Flags:
    """True (n,) for each line and its event that a slow look would find nothing in.

    lines: as they came, decoded without an error.
    """
    found = np.empty(len(lines), dtype=np.bool_)
    joined = b"".join(lines)
    _numbers(np.frombuffer(joined, dtype=np.uint8), _lengths(lines), _EVENT_TIME, _RECEIVED_AT, found)
    if b"@" in joined or b"\\" in joined or not joined.isascii():
        found &= [b"@" not in line and b"\\" not in line and line.isascii() for line in lines]
    _look([_text(event.content) for event in events], False, _CONTENT, found)
    _look([_text(event.envelope) for event in events], True, _ENVELOPE, found)
    if not _all_plain(events):
        found &= [_all_plain([event]) for event in events]
    return found


def _look(texts: Sequence[str], envelopes: bool, mark: Bytes, found: Flags) -> None:
    data = "".join(texts)
    if data.isascii():
        _forms(np.frombuffer(data.encode(), dtype=np.uint8), _lengths(texts), envelopes, mark, found)
    else:
        found[:] = False


def _lengths(texts: Sequence[bytes] | Sequence[str]) -> Int64:
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _text(text: str | None) -> str:
    # An empty text has no right form either.
    return "" if text is None else text or "-"


def _all_plain(events: Sequence[AnyEvent]) -> bool:
    """No address where its token belongs, and no number that may be one of a card; of kinds that have none else."""
    payments = [event for event in events if type(event) is Transaction]
    acts = [event for event in events if type(event) is Behaviour]
    others = {type(event) for event in events} - {Transaction, Behaviour, Label, Heartbeat}
    if others or any(payment.attributes is not None for payment in payments):
        return False
    amounts = [payment.amount for payment in payments] + [act.amount or 0 for act in acts]
    addresses = "".join([event.ip or "" for event in payments] + [event.ip or "" for event in acts])
    return max(amounts, default=0) < LARGE and not ("." in addresses or ":" in addresses)
