"""Structured logs: one JSON object a line on stderr, with an event name and fields, and no personal data.

    {"at":"2026-11-25T08:00:00.123Z","level":"info","process":"serve","pid":4711,"event":"request","status":200}

What our own code logs is an event name (a constant) with fields (numbers, and short texts that we made). What a
library logs is its template without the arguments, for nobody knows what they hold. Of an exception its type and the
lines of code it passed are kept, and its message only when it is ours: our errors name places and never repeat values.
As a last net every text is searched for card numbers and mailboxes.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

import msgspec

from models.clear_data import find_clear, may_hold_clear
from models.errors import TidegateError
from models.events import Heartbeat

OWN = "tidegate"
"""Root of our own loggers; below it stands the process (`tidegate.serve`)."""
LONGEST = 500
_FRAMES = 12

Field = str | int | float | bool | None


def logger(process: str) -> logging.Logger:
    """The logger of a process of ours."""
    return logging.getLogger(f"{OWN}.{process}")


def log(
    to: logging.Logger, level: int, event: str, error: BaseException | None = None, **fields: Field
) -> None:
    """Log an event with its fields. event: a constant. error: what went wrong, logged as described above."""
    if to.isEnabledFor(level):
        to.log(level, event, exc_info=error, extra={"fields": fields})


def configure(process: str, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send everything this process logs through the formatter; called once, when it starts."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(level)
    # What nobody caught is told in the same shape, and without its text when it is not ours.
    sys.excepthook = lambda _kind, error, _trace: log(logger(process), logging.CRITICAL, "ended", error)
    threading.excepthook = lambda told: log(
        logger(process),
        logging.CRITICAL,
        "thread_ended",
        told.exc_value,
        thread=told.thread.name if told.thread else "",
    )


class JsonLines(logging.Formatter):
    """One JSON object for each record; `process` says who logs."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line. It never raises for what a record holds."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        own = record.name == OWN or record.name.startswith(f"{OWN}.")
        line: dict[str, object] = {
            "at": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": os.getpid(),
            # A library's arguments are not ours to judge: its template tells what happened.
            "event": clean(str(record.msg)),
        }
        if not own:
            line["logger"] = record.name
        fields: dict[str, Field] = getattr(record, "fields", {}) if own else {}
        for name, value in fields.items():
            line[name] = clean(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            line |= _told(record.exc_info[1])
        return msgspec.json.encode(line).decode()


def clean(text: str) -> str:
    """`text`, shortened; "…" when it holds a card number or a mailbox."""
    text = text[:LONGEST]
    if not may_hold_clear(text.encode("utf-8", "replace")):
        return text
    as_event = Heartbeat(id="log", event_time=0, received_at=0, component=text)
    return text if find_clear(as_event) is None else "…"


def _told(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told: dict[str, object] = {
        "error": type(error).__name__,
        "frames": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, TidegateError):
        told["detail"] = clean(str(error))
    elif isinstance(error, OSError) and isinstance(error.errno, int):
        # The system's own words ("No space left on device"), never what else the exception carries.
        told["detail"] = os.strerror(error.errno)
    return told
