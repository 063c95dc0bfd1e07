"""What comes in: decode, count, and refuse with a reason that names the place.

The counting identity starts here: every entry is counted once in `events_in` and once under what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

import msgspec
import numpy as np

from models.clear_data import find_clear, find_misplaced, may_hold_more
from models.columns import Float
from models.decision import Counters, DeadLetter
from models.errors import EventError
from models.events import (
    FUTURE_TOLERANCE_MS,
    AnyEvent,
    Behaviour,
    Control,
    Heartbeat,
    Label,
    Settlement,
    Transaction,
    check_characters,
    decode,
    decode_all,
    encode,
)
from models.fields import Fields
from models.hashing import Hashes, hash_lines
from models.money import MAX_USD, FxTable, reason_of
from models.ordinary import ordinary
from models.rows import Item

_KEPT_BYTES = 4096
_COUNTER: dict[type, str] = {
    Transaction: "transactions",
    Behaviour: "behaviours",
    Label: "labels",
    Heartbeat: "others",
    Settlement: "others",
}


class Taken:
    """Entries of a batch that are events, in stream order. items: of the whole step; positions: theirs among them."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.events: list[AnyEvent] = []
        self.positions: list[int] = []

    def add(self, event: AnyEvent, position: int) -> None:
        """Take one event; position: of its entry in the step."""
        self.positions.append(position)
        self.events.append(event)

    def item(self, i: int) -> Item:
        """The entry of the i-th event."""
        return self._items[self.positions[i]]

    def contents(self) -> Hashes:
        """Hash of what each sender sent: the door's content token, else the bytes."""
        return hash_lines(
            [
                event.content.encode() if event.content is not None else self._bytes(i)
                for i, event in enumerate(self.events)
            ]
        )

    def _bytes(self, i: int) -> bytes:
        line = self.item(i).line
        return line if line is not None else encode(self.events[i])


def read(items: Sequence[Item], counters: Counters) -> list[AnyEvent | DeadLetter]:
    """Decode entries and count them; what is refused is a dead letter in its place.

    Control events are counted by `met`, because they are numbered.
    """
    counters.events_in += len(items)
    found = _decoded(items, counters)
    doubtful = _doubtful(items, found)
    for i in doubtful:
        found[i] = _checked(found[i], items[i], counters)
    for kind, number in Counter(map(type, found)).items():
        if kind in _COUNTER:
            name = _COUNTER[kind]
            setattr(counters, name, getattr(counters, name) + number)
    for i in doubtful:
        found[i] = _searched(found[i], items[i], counters)
    for i, event in enumerate(found):
        if not isinstance(event, DeadLetter) and event.event_time > event.received_at + FUTURE_TOLERANCE_MS:
            ahead = (event.event_time - event.received_at) / 1000
            detail = f"event_time is {ahead:.0f} s after received_at - at `$.event_time`"
            found[i] = refused(event, items[i].place, items[i].line, "future_event", detail, counters)
    return found


def _decoded(items: Sequence[Item], counters: Counters) -> list[AnyEvent | DeadLetter]:
    """Events, with control characters not yet looked for."""
    lines = [item.line for item in items if item.line is not None and item.error is None]
    if len(lines) == len(items):
        try:
            return list(decode_all(lines))
        except EventError:
            pass  # which line it is, and whether it is the only one, is found out below
    found: list[AnyEvent | DeadLetter] = []
    for item in items:
        try:
            if item.error is not None:
                raise item.error
            found.append(item.event if item.event is not None else decode(item.line or b""))
        except EventError as error:
            found.append(_undecodable(item, error, counters))
    return found


def _doubtful(items: Sequence[Item], found: Sequence[AnyEvent | DeadLetter]) -> list[int]:
    """Places of events that came as lines and are to be looked at one by one."""
    lines = [item.line for item in items]
    if None not in lines and DeadLetter not in set(map(type, found)):
        plain = ordinary(cast(list[bytes], lines), cast(Sequence[AnyEvent], found))
        return np.flatnonzero(~plain).tolist()
    at = [i for i, line in enumerate(lines) if line is not None and not isinstance(found[i], DeadLetter)]
    plain = ordinary([lines[i] or b"" for i in at], [cast(AnyEvent, found[i]) for i in at])
    return [at[k] for k in np.flatnonzero(~plain).tolist()]


def _checked(event: AnyEvent | DeadLetter, item: Item, counters: Counters) -> AnyEvent | DeadLetter:
    """The event, or the dead letter of one with control characters in its texts."""
    assert not isinstance(event, DeadLetter)
    try:
        check_characters(event, item.line or b"")
    except EventError as error:
        return _undecodable(item, error, counters)
    return event


def _searched(event: AnyEvent | DeadLetter, item: Item, counters: Counters) -> AnyEvent | DeadLetter:
    """The event, or the dead letter of one that carries clear personal data."""
    if isinstance(event, DeadLetter):
        return event
    line = item.line or b""
    # The slow search only where the line shows more long numbers than its times, or a mailbox.
    clear = find_clear(event) if may_hold_more(line, event) else find_misplaced(event)
    if clear is None:
        return event
    letter = refused(event, item.place, line, "clear_data", clear, counters)
    # The id may be the very thing: it stays in the sealed bytes only.
    return msgspec.structs.replace(letter, event_id=None)


def _undecodable(item: Item, error: EventError, counters: Counters) -> DeadLetter:
    counters.undecodable += 1
    return DeadLetter(
        reason=error.reason, detail=error.detail, place=item.place, undecodable=True, data=_text(item.line)
    )


def met(event: AnyEvent | DeadLetter, counters: Counters) -> None:
    """Count a Control event, refused or not, when the stream comes to it."""
    if type(event) is Control or (type(event) is DeadLetter and event.kind == "control"):
        counters.controls += 1


def refused(
    event: AnyEvent, place: str, line: bytes | None, reason: str, detail: str, counters: Counters
) -> DeadLetter:
    """The dead letter of a well-formed event that is refused for what it says."""
    if isinstance(event, Transaction):
        counters.dead_lettered += 1
    else:
        counters.refused_others += 1
    return DeadLetter(
        reason=reason, detail=detail, place=place, undecodable=False, kind=type(event).__name__.lower(),
        event_id=event.id, data=_text(line if line is not None else encode(event)),
    )  # fmt: skip


def dollars(fields: Fields, fx: FxTable) -> tuple[Float, dict[int, tuple[str, str]]]:
    """Amounts of a batch's payments in US dollars (m,), and (reason, detail) by place for those that have none."""
    payments = fields.payments
    times = np.array(payments["event_time"], dtype=np.int64)
    usd, errors = fx.column(payments["amount"], payments["currency"], times)
    bad = {i: (reason_of(message), f"{message} - at `$.currency`") for i, message in errors.items()}
    for i in np.flatnonzero(usd > MAX_USD).tolist():
        bad[i] = (
            "amount_out_of_range",
            f"{usd[i]:.0f} US dollars, at most {MAX_USD:.0f} - at `$.amount`",
        )
    return usd, bad


def _text(line: bytes | None) -> str | None:
    return None if line is None else line[:_KEPT_BYTES].decode("utf-8", "replace")
