"""Does an event carry clear personal data where only tokens and codes belong?

The door asks this before it lets an event through and the engine asks it of its input, so that a card number
typed into `purpose`, or a producer that goes around the door, never reaches a window, an alert or a screen.

What is looked for: card numbers (13 to 19 digits, also in groups, in a scheme's range, with a valid Luhn
digit), e-mail addresses, an IP address where its token belongs, an envelope that is none. Names cannot be
told from other words; the door also compares the texts with the clear values of the same event.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from models.events import ClearFields, Documents, ScreenResult

CONTENT_FORM = re.compile(r"content_[0-9]{1,9}_[b-x]{32}")

# Many digits in a row, perhaps in groups: rare enough that the exact search behind it may be slow.
_SUSPECT = re.compile(r"[0-9][0-9 -]{12}")
_DIGITS_AND_GAPS = bytes(48 if chr(byte) in "0123456789 -" else 32 for byte in range(256))
_LONG = b"0" * 13
_EVENT_TIME, _RECEIVED_AT = b'"event_time":', b'"received_at":'
_ENVELOPE_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=."
_RUN = re.compile(r"[0-9A-Fa-f]+")
_DIGITS = re.compile(r"[0-9]{13,}")
_GROUPED = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9]{4}(?:[ -][0-9]{4}){2,3}[ -][0-9]{1,4}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})"
    r"(?![0-9A-Za-z])"
)
# Ranges and lengths of the card schemes (ISO/IEC 7812 issuer identification numbers). Without them one in ten
# of all long numeric order ids would be refused.
_SCHEMES = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|5[1-5][0-9]{14}|2[2-7][0-9]{14}"  # Mastercard, Mir
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0|6|8|9)[0-9]{12,17}"  # Diners Club
    r"|35[0-9]{14,17}"  # JCB
    r"|(?:6|81|82)[0-9]{14,18}"  # UnionPay, Discover, RuPay
    r"|(?:50|5[6-9]|6[0-9])[0-9]{11,17}"  # Maestro
    r"|9792[0-9]{12}"  # Troy
)
# Fields the sender cannot fill with text, or that are judged by their form.
_NO_TEXT = frozenset({"content", "envelope", "clear", "event_time", "received_at", "v"})
_pickers: dict[type, operator.itemgetter[Any]] = {}
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[A-Za-z]{2,}")
# As a number a card number is this large; smaller ones need no search.
LARGE = 1_000_000_000_000
# A hash in hexadecimal has long runs of digits by chance; no card number hides in one.
_HASH_LENGTH = 24
# Names of companies and the ids of the same companies are alike on purpose.
_COMPANY_FIELDS = frozenset({"$.merchant", "$.partner", "$.instructing", "$.instructed"})


def luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1 annex B: True when the number is well formed."""
    codes = digits.encode()
    return (sum(codes[-1::-2]) + sum(codes[-2::-2].translate(_DOUBLED)) - 48 * len(codes)) % 10 == 0


_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def is_envelope(text: str) -> bool:
    """True when `text` has the outer form of a sealed envelope (alerts.custody.envelope describes it)."""
    return (
        text.startswith("e1.")
        and text.find(".", 3) == 27
        and text.count(".") == 3
        and not text.encode("utf-8", "replace").translate(None, _ENVELOPE_BYTES)
    )


def may_hold_clear(line: bytes) -> bool:
    """A quick look at an event encoded without times and envelope: False means no card number, no mailbox."""
    return b"@" in line or _LONG in line.translate(_DIGITS_AND_GAPS)


def may_hold_more(line: bytes, event: Any) -> bool:
    """A quick look at an event and the line it came as: False means no card number and no mailbox.

    The two times are runs of as many digits as the shortest card number has; a line must have these two runs where they
    belong, and no third. Escapes and exponents can hide digits.
    """
    if b"@" in line or b"\\" in line or (getattr(event, "amount", None) or 0) >= LARGE:
        return True
    numbers = getattr(event, "attributes", None)
    if numbers and not all(-LARGE < number < LARGE for number in numbers.values()):
        return True
    marks = line.translate(_DIGITS_AND_GAPS)
    if marks.count(_LONG) != 2:
        return True
    paid, received = line.find(_EVENT_TIME), line.find(_RECEIVED_AT)
    return (
        paid < 0
        or received < 0
        or marks[paid + 13 : paid + 26] != _LONG
        or marks[received + 14 : received + 27] != _LONG
        or marks[paid + 26] == 48
        or marks[received + 27] == 48
    )


def find_clear(event: Any, clear: ClearFields | None = None) -> str | None:
    """What clear data `event` (any event struct) carries and where, without repeating it; None for nothing.

    With `clear` (the door has it) texts are also searched for those values. Short ones (under 6 characters,
    or 8 digits) are not looked for: they would be found in anything.

    >>> from models.events import Heartbeat
    >>> find_clear(Heartbeat(id="a", event_time=0, received_at=0, component="mail a.b@example.com"))
    'an e-mail address - at `$.component`'
    """
    misplaced = find_misplaced(event)
    if misplaced is not None:
        return misplaced
    text, unusual = _joined(event)
    if unusual or "@" in text or _SUSPECT.search(text):
        for place, part in texts(event):
            found = _name(part)
            if found is not None:
                return f"{found} - at `{place}`"
    return None if clear is None else find_repeated(event, clear, text)


def find_misplaced(event: Any) -> str | None:
    """What does not have the form its field must have: content token, envelope, address token; None for nothing."""
    content, envelope = event.content, event.envelope
    if content is not None and not CONTENT_FORM.fullmatch(content):
        return "not a content token - at `$.content`"
    if envelope is not None and not is_envelope(envelope):
        return "not a sealed envelope - at `$.envelope`"
    address = getattr(event, "ip", None)
    if address is not None and ("." in address or ":" in address) and _is_address(address):
        return "an IP address where a token belongs - at `$.ip`"
    return None


def _joined(event: Any) -> tuple[str, bool]:
    """All texts in one (fast to search), and whether something in the event deserves the slow search."""
    kind = type(event)
    pick = _pickers.get(kind)
    if pick is None:
        names = kind.__struct_fields__
        own = [position for position, name in enumerate(names) if name not in _NO_TEXT]
        pick = _pickers[kind] = operator.itemgetter(*own)
    parts: list[str] = []
    unusual = False
    for value in pick(msgspec.structs.astuple(event)):
        if value is not None:
            kind = type(value)
            if kind is str:
                parts.append(value)
            elif kind is int:
                unusual |= value >= LARGE
            elif kind is dict:
                parts.extend(value)
                for number in value.values():
                    unusual |= abs(number) >= LARGE
            elif kind is ScreenResult or kind is Documents or kind is msgspec.Raw:
                unusual = True
    return "\n".join(parts), unusual


def find_repeated(event: Any, clear: ClearFields, whole: str) -> str | None:
    """Which value of `clear` is repeated in a text of `event`; `whole` holds all those texts."""
    whole = whole.casefold()
    values = msgspec.structs.astuple(clear)
    # Nearly always empty; which values are long enough to count is asked only then.
    if not [value for value in values if value is not None and value.casefold() in whole]:
        return None
    for name, value in zip(clear.__struct_fields__, values, strict=True):
        if value is None or len(value) < 6 or (len(value) < 8 and value.isdigit()):
            continue
        folded = value.casefold()
        for place, part in texts(event):
            if folded in part.casefold() and place not in _COMPANY_FIELDS:
                return f"the value of `$.clear.{name}` is repeated - at `{place}`"
    return None


def texts(event: Any) -> Iterator[tuple[str, str]]:
    """(JSON path, text) of everything a sender may fill with text, long numbers included as text."""
    for name in event.__struct_fields__:
        if name in _NO_TEXT:
            continue
        value = getattr(event, name)
        if isinstance(value, str):
            yield f"$.{name}", value
        elif isinstance(value, int):
            yield f"$.{name}", str(value)
        elif isinstance(value, dict):
            for key, number in value.items():
                # The key itself may be the clear datum: it is not named.
                yield f"$.{name}[...]", key
                if abs(number) >= LARGE:
                    yield f"$.{name}[...]", f"{abs(number):.0f}"
        elif isinstance(value, ScreenResult):
            yield f"$.{name}.list_version", value.list_version
            yield f"$.{name}.matched_id", value.matched_id or ""
        elif isinstance(value, Documents):
            for part in value.__struct_fields__:
                found = getattr(value, part)
                if found is not None:
                    yield f"$.{name}.{part}", str(found)
        elif isinstance(value, msgspec.Raw):
            yield f"$.{name}", bytes(value).decode("utf-8", "replace")


def without_clear(text: str) -> str:
    """`text`, or a mark in its place when it holds a card number or an e-mail address: for what leaves the house."""
    found = _name(text)
    return text if found is None else f"[{found.removeprefix('an ').removeprefix('a ')} withheld]"


def _name(text: str) -> str | None:
    if "@" in text and _EMAIL.search(text):
        return "an e-mail address"
    if not _SUSPECT.search(text):
        return None
    for found in _GROUPED.finditer(text):
        if _is_pan(re.sub("[ -]", "", found[0])):
            return "a card number"
    for run in _RUN.finditer(text):
        if len(run[0]) >= _HASH_LENGTH and not run[0].isdigit():
            continue
        if any(_is_pan(digits[0]) for digits in _DIGITS.finditer(run[0])):
            return "a card number"
    return None


def _is_pan(digits: str) -> bool:
    return _SCHEMES.fullmatch(digits) is not None and luhn(digits)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
