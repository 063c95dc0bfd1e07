"""The process of one job: reads what is asked from stdin, tells how far it is and what came of it on stdout.

A process of its own gives its memory back when it ends, and whatever happens in it leaves the worker as it was. It has
the lowest priority, so that the scorer beside it does not wait. What it says are lines of JSON: {"progress": 0.3} … and
at last {"result": …} or {"error": "…"}.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO

import msgspec

from alerts.custody.keyring import KeyRing, keyring_path
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.jobs.kinds import Context, run
from dataflow.settings import Settings
from models.errors import TidegateError

TELL_S = 0.5
"""Least time between two lines of progress."""


class Asked(msgspec.Struct, frozen=True):
    """What stands on stdin: of the job with this id, asked for by this actor in this role."""

    kind: str
    request: str
    job: str
    actor: str
    role: str


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of stdout. result: JSON text."""

    progress: float | None = None
    result: str | None = None
    error: str | None = None


class StoppedError(Exception):
    """The worker wants it to end."""


def work(settings: Settings, url: str, stopping: object, given: IO[bytes]) -> int:
    """Do one job; the exit code is 0 also for one that failed and said so. stopping: has `is_set`."""
    out = _own_stdout()
    os.nice(19)
    told = 0.0

    def say(line: Said) -> None:
        out.write(msgspec.json.encode(line) + b"\n")
        out.flush()

    def progress(share: float) -> None:
        nonlocal told
        if stopping.is_set():  # type: ignore[attr-defined]
            raise StoppedError
        if time.monotonic() - told >= TELL_S:
            told = time.monotonic()
            say(Said(progress=share))

    try:
        asked = msgspec.json.decode(given.read(), type=Asked)
        signer = KeyRing.load(keyring_path(settings.directory)).signer("model")
        context = Context(
            settings, RedisStore(url), RedisLink(url), signer, asked.job, asked.actor, asked.role
        )
        result = run(asked.kind, asked.request, context, progress)
        say(Said(result=msgspec.json.encode(result).decode()))
    except StoppedError:
        return 1
    except (TidegateError, msgspec.DecodeError) as error:
        say(Said(error=str(error)))
    except OSError as error:
        say(Said(error=f"{Path(error.filename or 'system').name}: {error.strerror or error}"))
    return 0


def _own_stdout() -> IO[bytes]:
    """The real stdout for lines of ours alone; whatever else prints goes to the log."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out
