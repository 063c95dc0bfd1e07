"""What is wrong with a line, and where, without repeating any of it.

The decoder's messages quote field names and values they did not expect. A dead letter keeps its detail in
clear text, and a sender's mistake may well be a name or a card number in the wrong place: only the JSON path
(names of our own fields and positions) and the decoder's own words are passed on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from models.errors import EventError

_PATH = re.compile(r"`(?:key in )?\$(?:\.[a-z_]+[0-9]?|\[(?:\.\.\.|[0-9]+)\])*`")
# Messages of msgspec that quote nothing of the input.
_SAFE = re.compile(
    r"Expected `[^`]*`(?: (?:[<>]=?|of|multiple|with a).*|, got `[a-z]+`)?"
    r"|Object missing required field `[a-z_]+[0-9]?`"
    r"|JSON is malformed: [a-z ,]+(?: \(byte [0-9]+\))?"
    r"|Input data was truncated|Number out of range|Invalid RFC3339 encoded datetime"
)
_UNKNOWN = "Object contains unknown field `"
_COMPARED = 32


def event_error(error: Exception, line: bytes, known: Sequence[str]) -> EventError:
    """The EventError `malformed` for what a decoder raised on `line`.

    known: the field names that may be suggested for an unknown one.
    """
    if isinstance(error, RecursionError):
        return EventError("malformed", "JSON is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        # The decoder counts from the start of the text it was in; people look for the byte in the line.
        try:
            line.decode()
        except UnicodeDecodeError as in_line:
            return EventError("malformed", f"byte {in_line.start} of the line is not UTF-8; send UTF-8 text")
    head, at, path = str(error).rpartition(" - at ")
    if not at or not _PATH.fullmatch(path):
        head, path = str(error), "`$`"
    if head.startswith(_UNKNOWN):
        sent = head[len(_UNKNOWN) : len(_UNKNOWN) + _COMPARED].rstrip("`")
        near = difflib.get_close_matches(sent, known, 1)
        head = "Object contains an unknown field" + (f" (perhaps `{near[0]}` is meant)" if near else "")
    elif head.startswith(("Invalid enum value", "Invalid value")):
        head = "Not one of the values this field may have"
    elif not _SAFE.fullmatch(head):
        head = "Not an event"
    return EventError("malformed", f"{head} - at {path}")
