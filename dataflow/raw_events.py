"""What a sender hands to the door: the events of models.events with a `clear` object, decoded strictly.

A raw event differs from a protected one in four places: `clear` may hold personal data, `event_time` may
be RFC 3339 text with an offset instead of milliseconds, `received_at` may be absent, and so may an id the
door can fill from `clear` (a behaviour's payer). The structs are derived from the protected ones so that the
two cannot drift apart, and are mutable: the door turns a raw event into a protected one in place.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from typing import Annotated, Any, get_args

import msgspec

from models.decode_errors import event_error
from models.errors import EventError
from models.events import EVENT_FIELDS, MAX_LINE_BYTES, AnyEvent, ClearFields, Millis

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_LATEST = 4_102_444_800_000
_When = Annotated[dt.datetime, msgspec.Meta(tz=True)]
# Fields the door can fill from `clear` although the protected event must have them.
_FILLED = {("Behaviour", "payer")}


def _raw(protected: Any) -> Any:
    fields: list[Any] = []
    for field in msgspec.structs.fields(protected):
        kind = field.type
        if field.name == "event_time":
            fields.append((field.name, Millis | _When))
        elif field.name == "received_at":
            fields.append((field.name, Millis | _When | None, None))
        elif (protected.__name__, field.name) in _FILLED:
            fields.append((field.name, kind | None, None))
        elif field.required:
            fields.append((field.name, kind))
        else:
            fields.append((field.name, kind, field.default))
    fields.append(("clear", ClearFields | None, None))
    return msgspec.defstruct(
        f"Raw{protected.__name__}",
        fields,
        tag_field="type",
        tag=protected.__struct_config__.tag,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
        gc=False,
    )


RAW: dict[str, Any] = {kind.__struct_config__.tag: _raw(kind) for kind in get_args(AnyEvent)}
"""The raw struct of each `type`."""
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(functools.reduce(operator.or_, RAW.values()))


def decode_raw(line: bytes) -> Any:
    """Decode one raw line; times come out as milliseconds. The result is mutable, in canonical field order.

    Raises EventError `oversize` or `malformed`; the detail names the JSON path.
    """
    if len(line) > MAX_LINE_BYTES:
        raise EventError("oversize", f"line of {len(line)} bytes, at most {MAX_LINE_BYTES} are taken")
    try:
        event = _decoder.decode(line)
        if getattr(event, "payload", None) is not None:
            # Written anew: line breaks between its tokens would break the protected line in two.
            event.payload = msgspec.Raw(msgspec.json.encode(msgspec.json.decode(event.payload)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise event_error(error, line, _KNOWN) from None
    event.event_time = _millis(event.event_time, "event_time")
    if event.received_at is not None:
        event.received_at = _millis(event.received_at, "received_at")
    return event


def _millis(when: int | dt.datetime, name: str) -> int:
    if isinstance(when, int):
        return when
    millis = (when - _EPOCH) // _MILLISECOND
    if not 0 <= millis <= _LATEST:
        raise EventError("malformed", f"time outside 1970 to 2100 - at `$.{name}`")
    return millis


_KNOWN = sorted({*EVENT_FIELDS, *ClearFields.__struct_fields__, "clear"})
