"""What comes in: decode, count, and refuse with a reason that names the place.

The counting identity starts here: every entry is counted once in `events_in` and once under what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    decode,
    encode,
)
from models.hashing import Hashes, hash_lines
from models.money import MAX_USD, FxTable, reason_of
from models.rows import Item, Rows

_KEPT_BYTES = 4096
_COUNTER: dict[type, str] = {
    Transaction: "transactions",
    Behaviour: "behaviours",
    Label: "labels",
    Control: "controls",
    Heartbeat: "others",
    Settlement: "others",
}


class Taken:
    """Entries of a batch that are events: parallel lists in stream order."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.places: list[str] = []
        self.lines: list[bytes | None] = []
        self.positions: list[int] = []

    def add(self, event: AnyEvent, item: Item, position: int) -> None:
        """Take one event; position: of its entry in the step."""
        self.positions.append(position)
        self.events.append(event)
        self.places.append(item.place)
        self.lines.append(item.line)

    def contents(self) -> Hashes:
        """Hash of what each sender sent: the door's content token, else the bytes."""
        return hash_lines(
            [
                event.content.encode()
                if event.content is not None
                else line
                if line is not None
                else encode(event)
                for event, line in zip(self.events, self.lines, strict=True)
            ]
        )


def read(item: Item, counters: Counters) -> AnyEvent | DeadLetter:
    """Decode and count one entry."""
    counters.events_in += 1
    event = item.event
    if event is None:
        try:
            if item.error is not None:
                raise item.error
            event = decode(item.line or b"")
        except EventError as error:
            counters.undecodable += 1
            return DeadLetter(
                reason=error.reason,
                detail=error.detail,
                place=item.place,
                undecodable=True,
                data=_text(item.line),
            )
    name = _COUNTER[type(event)]
    setattr(counters, name, getattr(counters, name) + 1)
    line = item.line
    if line is not None:
        # The slow search only where the line shows more long numbers than its times, or a mailbox.
        found = find_clear(event) if may_hold_more(line, event) else find_misplaced(event)
        if found is not None:
            letter = refused(event, item.place, line, "clear_data", found, counters)
            # The id may be the very thing: it stays in the sealed bytes only.
            return msgspec.structs.replace(letter, event_id=None)
    if event.event_time > event.received_at + FUTURE_TOLERANCE_MS:
        ahead = (event.event_time - event.received_at) / 1000
        detail = f"event_time is {ahead:.0f} s after received_at - at `$.event_time`"
        return refused(event, item.place, item.line, "future_event", detail, counters)
    return event


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


def dollars(events: Sequence[AnyEvent], rows: Rows, fx: FxTable) -> tuple[Float, dict[int, tuple[str, str]]]:
    """Amounts in US dollars (n,), NaN for other rows, and (reason, detail) for each payment that has none."""
    out = np.full(len(events), np.nan)
    at = [i for i, e in enumerate(events) if type(e) is Transaction]
    payments = [e for e in events if type(e) is Transaction]
    if not payments:
        return out, {}
    usd, errors = fx.column([t.amount for t in payments], [t.currency for t in payments], rows.times[at])
    out[at] = usd
    bad = {at[i]: (reason_of(message), f"{message} - at `$.currency`") for i, message in errors.items()}
    for i in np.flatnonzero(usd > MAX_USD).tolist():
        bad[at[i]] = (
            "amount_out_of_range",
            f"{usd[i]:.0f} US dollars, at most {MAX_USD:.0f} - at `$.amount`",
        )
    return out, bad


def _text(line: bytes | None) -> str | None:
    return None if line is None else line[:_KEPT_BYTES].decode("utf-8", "replace")
