"""The door: raw event lines in, protected event lines out; nothing clear gets past it.

    decode strictly → screen names in memory → tokens for what has a place in the event → one sealed envelope
    for all clear fields → check that no clear text is left anywhere → protected line

    clear field              place in the event (first that is set fills it)      token purpose
    pan                      card, bin (first six), last4                         card
    account, email, phone    payer, unless the sender set one                     account, email, phone
    payee_account            payee, unless the sender set one                     account
    account, payee_account   payer_account, payee_account, where payer or payee   account
                             name somebody already
    ip                       ip                                                   ip
    ship_address, ship_name  ship_token                                           address, name
    order_name, waybill_name documents.order_party, documents.waybill_party;      name
                             payer_name is documents.payment_party beside them

Everything else in `clear` lives in the envelope only. What cannot be taken becomes a dead letter with its
bytes sealed and a reason that names the place and repeats no value.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from typing import Any

import msgspec

from alerts.custody.data_keys import DataKeyDirectory
from alerts.custody.envelope import Sealer, dead_letter_context
from alerts.custody.keyring import KeyRing
from alerts.custody.pseudonym import NORMAL, Pseudonyms, Purpose
from alerts.lists.awaited import Awaited
from dataflow.raw_events import decode_raw
from models.clear_data import find_clear, find_repeated, may_hold_clear
from models.decision import DeadLetter
from models.errors import EventError
from models.events import MAX_LINE_BYTES, ClearFields, Documents, Heartbeat, ScreenResult, decode

Screen = Callable[[ClearFields], ScreenResult | None]

# clear field → event field, token purpose, whether a value of the sender's own stays.
HOMES: tuple[tuple[str, str, Purpose, bool], ...] = (
    ("pan", "card", "card", False),
    ("account", "payer", "account", True),
    ("email", "payer", "email", True),
    ("phone", "payer", "phone", True),
    ("account", "payer_account", "account", True),
    ("payee_account", "payee", "account", True),
    ("payee_account", "payee_account", "account", True),
    ("ip", "ip", "ip", False),
    ("ship_address", "ship_token", "address", False),
    ("ship_name", "ship_token", "name", False),
)
# The same for the parties that documents name; each is a part of `documents`, and all are tokens of names.
PARTIES = (("order_name", "order_party"), ("waybill_name", "waybill_party"), ("payer_name", "payment_party"))
_SET_BY_DOOR = ("content", "envelope", "screen")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class DoorCounters(msgspec.Struct, kw_only=True):
    """Lines seen = protected + refused. `enveloped` of the protected ones carry an envelope."""

    lines: int = 0
    protected: int = 0
    enveloped: int = 0
    undecodable: int = 0
    refused: dict[str, int] = msgspec.field(default_factory=dict)


class Door:
    """Protects raw lines with the ring's active keys. One thread uses a door.

    clock: ms since the epoch; sets `received_at` where the sender gave none, and ages data keys.
    screen: called with the clear fields of each transaction; only its ScreenResult goes on.
    protected_input: take events that were protected before (a recorded stream): `content`, `envelope` and
    `screen` pass through. Otherwise these are the door's to set, and a sender's are refused.
    entropy: see Sealer. awaited: recognises shared indicators among the values that pass.
    """

    def __init__(
        self,
        ring: KeyRing,
        directory: DataKeyDirectory,
        *,
        clock: Callable[[], int],
        screen: Screen | None = None,
        protected_input: bool = False,
        entropy: Callable[[int], bytes] = os.urandom,
        awaited: Awaited | None = None,
    ) -> None:
        self.counters = DoorCounters()
        self._pseudonyms = Pseudonyms(ring)
        self._sealer = Sealer(ring, directory, clock, entropy)
        self._clock = clock
        self._screen = screen
        self._protected_input = protected_input
        self._awaited = awaited

    def protect_line(self, line: bytes, place: str) -> bytes | DeadLetter:
        """The protected line, or the dead letter of one that cannot be taken. place: `file:line` or entry id.

        Raises CustodyError only when a data key cannot be stored: nothing can be sealed then, the door stops.
        """
        counters = self.counters
        counters.lines += 1
        event: Any = None
        try:
            event = decode_raw(line)
            protected = self._protect(event)
        except EventError as error:
            counters.refused[error.reason] = counters.refused.get(error.reason, 0) + 1
            return self._dead_letter(line, place, event, error)
        counters.protected += 1
        return protected

    def protect(self, line: bytes) -> bytes:
        """The protected line. Raises EventError with a reason code and the JSON path. Counts nothing."""
        return self._protect(decode_raw(line))

    def _protect(self, event: Any) -> bytes:
        clear: ClearFields | None = event.clear
        when, given = event.event_time, event.received_at
        plain = b"" if clear is None else _encoder.encode(clear)
        if (
            event.content is not None
            or event.envelope is not None
            or getattr(event, "screen", None) is not None
        ):
            self._check_protected(event)
            found = find_clear(event)
        else:
            # Without received_at: it differs when one event is sent twice; what was sent does not.
            event.clear, event.received_at, event.event_time = None, None, 0
            bare = _encoder.encode(event)
            event.clear = clear
            found = _look(event, clear, bare)
            event.content = self._pseudonyms.token("content", b"%b\n%b\n%d" % (bare, plain, when))
            event.event_time = when
        if found is not None:
            raise EventError("clear_data", f"{found}; send personal data under `clear` only")
        event.received_at = self._clock() if given is None else given
        if clear is not None:
            if b"\\" in plain or not plain.isascii():
                _refuse_control_characters(clear)
            self._fill(event, clear)
            if self._screen is not None and hasattr(event, "screen"):
                event.screen = self._screened(clear)
            event.envelope = self._sealer.seal(event.id, clear, plain)
            self.counters.enveloped += 1
        if self._awaited is not None:
            self._awaited.look(event, clear, self._pseudonyms, NORMAL)
        if event.__class__.__name__ == "RawBehaviour" and event.payer is None:
            raise EventError("malformed", "Object missing required field `payer` - at `$`")
        event.clear = None
        line = _encoder.encode(event)
        event.clear = clear
        if len(line) > MAX_LINE_BYTES:
            raise EventError("oversize", f"{len(line)} bytes once protected, more than {MAX_LINE_BYTES}")
        if b"\\" in line or not line.isascii():
            # Unusual characters: what the engine would refuse is refused here.
            decode(line)
        return line

    def _check_protected(self, event: Any) -> None:
        if self._protected_input:
            if event.clear is None:
                return
            raise EventError("protected_field", "an event protected before holds clear fields - at `$.clear`")
        name = next(name for name in _SET_BY_DOOR if getattr(event, name, None) is not None)
        raise EventError("protected_field", f"only the door sets this field - at `$.{name}`")

    def _fill(self, event: Any, clear: ClearFields) -> None:
        token = self._pseudonyms.token
        done = used = ""
        for name, place, purpose, sender_first in _homes(event.__class__):
            value = getattr(clear, name)
            # One clear field has one place: an account that is the payer needs no second token.
            if value is None or place == done or name == used:
                continue
            if getattr(event, place) is not None:
                if sender_first:
                    continue
                raise EventError("conflicting_fields", f"send one of `$.{place}` and `$.clear.{name}`")
            normal = NORMAL[purpose](value)
            # Nothing but blanks: a token of it would make one customer of many.
            if normal:
                setattr(event, place, token(purpose, normal))
                done, used = place, name
                if name == "pan" and hasattr(event, "bin"):
                    self._fill_card_display(event, normal)

        if clear.order_name is not None or clear.waybill_name is not None:
            self._fill_parties(event, clear)

    def _fill_parties(self, event: Any, clear: ClearFields) -> None:
        if not hasattr(event, "documents"):
            return
        documents = event.documents or Documents()
        found = {}
        for name, place in PARTIES:
            value = getattr(clear, name)
            if value is not None and getattr(documents, place) is None and (normal := NORMAL["name"](value)):
                found[place] = self._pseudonyms.token("name", normal)
        event.documents = msgspec.structs.replace(documents, **found)

    def _fill_card_display(self, event: Any, digits: str) -> None:
        for name, shown in (("bin", digits[:6]), ("last4", digits[-4:])):
            sent = getattr(event, name)
            if sent is not None and not (digits.startswith(sent) if name == "bin" else sent == shown):
                raise EventError("conflicting_fields", f"`$.{name}` is not of the card - at `$.clear.pan`")
            setattr(event, name, shown)

    def _screened(self, clear: ClearFields) -> ScreenResult | None:
        assert self._screen is not None
        try:
            return self._screen(clear)
        except Exception as error:  # noqa: BLE001
            # Fail closed whatever happened, and name the type only: the exception's text may hold the name.
            detail = f"the name screen raised {type(error).__name__} - at `$.clear`"
            raise EventError("screen_failed", detail) from None

    def _dead_letter(self, line: bytes, place: str, event: Any, error: EventError) -> DeadLetter:
        detail, kind, event_id = error.detail, None, None
        if event is None:
            self.counters.undecodable += 1
        else:
            kind = event.__struct_config__.tag
            event_id = _shown_id(event)
        if len(line) > MAX_LINE_BYTES:
            detail += f"; the first {MAX_LINE_BYTES} bytes are kept"
        return DeadLetter(
            reason=error.reason,
            detail=detail,
            place=place,
            undecodable=event is None,
            kind=kind,
            event_id=event_id,
            data=self._sealer.seal_bytes(line[:MAX_LINE_BYTES], dead_letter_context(place)),
        )


@functools.cache
def _homes(kind: type) -> tuple[tuple[str, str, Purpose, bool], ...]:
    places: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    return tuple(home for home in HOMES if home[1] in places)


def _look(event: Any, clear: ClearFields | None, bare: bytes) -> str | None:
    # The encoded line is searched first: one pass in C instead of a walk over forty fields.
    if may_hold_clear(bare) or b"\\" in bare or getattr(event, "ip", None) is not None:
        return find_clear(event, clear)
    return None if clear is None else find_repeated(event, clear, bare.decode())


def _shown_id(event: Any) -> str | None:
    # The id is the sender's text too: a dead letter shows it only when nothing clear is found in it.
    alone = Heartbeat(id=event.id, event_time=0, received_at=0, component="id")
    return event.id if find_clear(alone, event.clear) is None and not _CONTROL.search(event.id) else None


def _refuse_control_characters(clear: ClearFields) -> None:
    for name, value in zip(clear.__struct_fields__, msgspec.structs.astuple(clear), strict=True):
        if value is not None and _CONTROL.search(value):
            raise EventError("control_characters", f"control character in text - at `$.clear.{name}`")


_encoder = msgspec.json.Encoder()
