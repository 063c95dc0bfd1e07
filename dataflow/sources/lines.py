"""Lines of a text file (also .gz) or pipe, with their numbers, in bounded memory however long a line is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from models.errors import SourceError
from models.events import MAX_LINE_BYTES

_BOM = b"\xef\xbb\xbf"
_SAMPLE_BYTES = 1 << 16


class Readable(Protocol):
    """What lines are read from: an open file, a pipe, a gzip file."""

    def readline(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, to the next line break."""


class Line(NamedTuple):
    """number: from 1. data: without the line break, at most MAX_LINE_BYTES. size: of the whole line."""

    number: int
    data: bytes
    size: int


def read_lines(path: Path) -> Iterator[Line]:
    """Every line that is not blank. Raises SourceError when the file cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from lines_of(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path}: not a whole gzip file ({error}); copy or write it again") from None
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read ({error.strerror}); check the path and its rights"
        ) from None


def lines_of(file: Readable) -> Iterator[Line]:
    """Every line of an open file that is not blank; reads no further than the line it hands out."""
    # A line of the largest size with a mark before it and a line break of two bytes behind it.
    most = MAX_LINE_BYTES + 2 + len(_BOM)
    number = 0
    while data := file.readline(most):
        number += 1
        if number == 1:
            data = data.removeprefix(_BOM)
        size, ending = len(data), data[-2:]
        while not ending.endswith(b"\n") and (rest := file.readline(1 << 20)):
            size, ending = size + len(rest), (ending + rest)[-2:]
        size -= len(ending) - len(ending.rstrip(b"\r\n"))
        line = data[: min(size, MAX_LINE_BYTES)]
        if line and not line.isspace():
            yield Line(number, line, size)


def estimate_lines(path: Path) -> int | None:
    """About how many lines, from the size of the file and the length of its first lines; None for a .gz."""
    if path.suffix == ".gz":
        return None
    try:
        with path.open("rb") as file:
            sample = file.read(_SAMPLE_BYTES)
        size = path.stat().st_size
    except OSError:
        return None
    lines = sample.count(b"\n")
    if len(sample) == size:
        return lines + (not sample.endswith(b"\n") and bool(sample))
    return max(1, round(size * lines / len(sample))) if lines else None
