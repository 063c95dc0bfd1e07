"""Recorded streams a back-test can be asked to run on: files of one folder, and what the input stream still holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alerts.job_requests import RETAINED, BacktestRequest
from alerts.jobs import Recording
from alerts.redis_link import RedisLink
from dataflow.simulation.manifest import truth_path
from dataflow.sources.files import BATCH, RawItem
from dataflow.sources.lines import estimate_lines
from models.errors import SourceError

_INPUT = "tg:in"


def recordings_in(folder: Path, link: RedisLink | None = None) -> list[Recording]:
    """All that can be asked for: JSONL files with a name a request may hold, and the retained input stream."""
    found = [] if link is None else [r for r in [_retained(link)] if r is not None]
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            BacktestRequest(recording=path.name)
            about = path.stat()
        except (ValueError, OSError):
            continue  # of another kind, or gone since
        if path.is_file() and path.resolve().parent == folder.resolve():
            found.append(
                Recording(
                    name=path.name, size=about.st_size, modified_at=int(about.st_mtime * 1000),
                    truth=truth_path(path).is_file(), lines=estimate_lines(path),
                )
            )  # fmt: skip
    return found


def path_of(folder: Path, name: str) -> Path:
    """The file of a recording. Raises SourceError when it is not there, or is a link to another place."""
    path = folder / BacktestRequest(recording=name).recording
    if path.resolve().parent != folder.resolve():
        raise SourceError(f"{name}: links to a place outside {folder}; copy the recorded stream there")
    if not path.is_file():
        raise SourceError(f"{name}: not in {folder}; copy the recorded stream there")
    return path


def retained_batches(link: RedisLink) -> Iterator[list[RawItem]]:
    """The entries of the input stream that are still there, oldest first, up to the newest at the first look.

    An entry that is let go in the meantime is left out.
    """
    with link.speaking() as client:
        newest = client.xrevrange(_INPUT, count=1)
    if not newest:
        return
    start, last = b"-", newest[0][0]
    while True:
        with link.speaking() as client:
            entries = client.xrange(_INPUT, start, last, count=BATCH)
        if not entries:
            return
        yield [RawItem(id_.decode(), fields.get(b"e", b""), None, None) for id_, fields in entries]
        start = b"(" + entries[-1][0]


def _retained(link: RedisLink) -> Recording | None:
    with link.speaking() as client:
        count = int(client.xlen(_INPUT))
        newest: Any = client.xrevrange(_INPUT, count=1) if count else []
    if not newest:
        return None
    return Recording(name=RETAINED, size=0, modified_at=int(newest[0][0].partition(b"-")[0]), lines=count)
