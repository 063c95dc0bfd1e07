"""What a sender hands to the door: the events of models.events with a `clear` object, decoded strictly.

A raw event differs from a protected one in four places: `clear` may hold personal data, `event_time` may
be RFC 3339 text with an offset instead of milliseconds, `received_at` may be absent, and so may an id the door
can fill from `clear` (a behaviour's payer). The structs are derived from the protected ones so that the two
cannot drift apart, and are mutable: the door turns a raw event into a protected one in place.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import operator
import re
from typing import Annotated, Any, get_args

import msgspec

from models.errors import EventError
from models.events import MAX_LINE_BYTES, AnyEvent, ClearFields, Millis

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


_RAW_EVENTS: Any = functools.reduce(operator.or_, [_raw(kind) for kind in get_args(AnyEvent)])
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_RAW_EVENTS)


def decode_raw(line: bytes) -> Any:
    """Decode one raw line; times come out as milliseconds. The result is mutable, in canonical field order.

    Raises EventError `oversize`, `not_utf8` or `malformed`; the detail names the JSON path and never repeats
    what the sender wrote, for it is kept in clear text beside the sealed line.
    """
    if len(line) > MAX_LINE_BYTES:
        raise EventError("oversize", f"line of {len(line)} bytes, at most {MAX_LINE_BYTES} are taken")
    try:
        event = _decoder.decode(line)
        if getattr(event, "payload", None) is not None:
            # Written anew: line breaks between its tokens would break the protected line in two.
            event.payload = msgspec.Raw(msgspec.json.encode(msgspec.json.decode(event.payload)))
    except UnicodeDecodeError:
        raise _not_utf8(line) from None
    except RecursionError:
        raise EventError("malformed", "JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise EventError("malformed", _without_values(str(error))) from None
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


def _not_utf8(line: bytes) -> EventError:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return EventError("not_utf8", f"byte {error.start} of the line is not UTF-8; send UTF-8 text")
    return EventError("malformed", "text that is not valid Unicode")


_PATH = re.compile(r"`(?:key in )?\$(?:\.[a-z_]+[0-9]?|\[(?:\.\.\.|[0-9]+)\])*`")
# Messages of msgspec that quote nothing of the input.
_SAFE = re.compile(
    r"Expected `[^`]*`(?: (?:[<>]=?|of|multiple|matching|with a).*|, got `[a-z]+`)?"
    r"|Object missing required field `[a-z_]+[0-9]?`"
    r"|JSON is malformed: [a-z ,]+(?: \(byte [0-9]+\))?"
    r"|Input data was truncated|Number out of range|Invalid RFC3339 encoded datetime"
)
_UNKNOWN = "Object contains unknown field `"
_KNOWN = sorted(
    {name for kind in get_args(AnyEvent) for name in kind.__struct_fields__}
    | {"clear", "type"}
    | set(ClearFields.__struct_fields__)
)


def _without_values(message: str) -> str:
    head, separator, path = message.rpartition(" - at ")
    if not separator or not _PATH.fullmatch(path):
        head, path = message, "`$`"
    if head.startswith(_UNKNOWN):
        near = difflib.get_close_matches(head[len(_UNKNOWN) : len(_UNKNOWN) + 32].rstrip("`"), _KNOWN, 1)
        head = "Object contains an unknown field" + (f" (perhaps `{near[0]}` is meant)" if near else "")
    elif head.startswith(("Invalid enum value", "Invalid value")):
        head = "Not one of the values this field may have"
    elif not _SAFE.fullmatch(head):
        head = "Not an event"
    return f"{head} - at {path}"
