"""Where everything stands in a TOML file.

`tomllib` reads the values and forgets the places. This scanner walks the same text once more and keeps only
the places, as {path: Spot}. It relies on `tomllib` having accepted the text before: what is valid TOML needs
no second check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[^\n])")
_JOINED_LINE = re.compile(r"\\[ \t]*\n[ \t\n]*")


@dataclass(frozen=True)
class Spot:
    """Offsets of a key's first character and of its value's first character."""

    key: int
    value: int


def places(text: str) -> dict[Path, Spot]:
    """Every key and array element of a valid TOML text (line ends as "\\n") with where it stands."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.spots


def string_offsets(text: str, start: int) -> tuple[int, ...]:
    """For the TOML string at `start`: the offset in `text` of each of its characters and of its end."""
    raw = _string_end(text, start)
    quotes = 3 if text[start : start + 3] in ('"""', "'''") else 1
    at, end = start + quotes, raw - quotes
    if quotes == 3 and text[at] == "\n":
        at += 1
    found = []
    escapes = text[start] == '"'
    while at < end:
        if escapes and text[at] == "\\":
            if joined := _JOINED_LINE.match(text, at):
                at = joined.end()
                continue
            escape = _ESCAPE.match(text, at)
            assert escape is not None
            found.append(at)
            at = escape.end()
        else:
            found.append(at)
            at += 1
    return (*found, end)


def _string_end(text: str, at: int) -> int:
    for pattern in _STRINGS:
        if match := pattern.match(text, at):
            return match.end()
    raise AssertionError(f"no string at {at}")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spots: dict[Path, Spot] = {}
        self.counts: dict[Path, int] = {}

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def spaces(self) -> None:
        match = _SPACES.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def document(self) -> None:
        table: Path = ()
        self.blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.blank()

    def header(self) -> Path:
        start = self.at
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path = self.resolved(self.key(), last=not many)
        self.at += 2 if many else 1
        if many:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            path = (*path, number)
        self.note(path, Spot(start, start))
        return path

    def note(self, path: Path, spot: Spot) -> None:
        """Also the tables that a header or a dotted key makes on its way stand where they are first named."""
        for length in range(1, len(path)):
            self.spots.setdefault(path[:length], Spot(spot.key, spot.key))
        self.spots.setdefault(path, spot)

    def resolved(self, names: list[str], *, last: bool) -> Path:
        """A header's names with the number of the newest element wherever they pass an array of tables."""
        path: Path = ()
        for i, name in enumerate(names):
            path = (*path, name)
            if path in self.counts and (last or i < len(names) - 1):
                path = (*path, self.counts[path] - 1)
        return path

    def key(self) -> list[str]:
        names = []
        while True:
            self.spaces()
            if self.text[self.at] in "\"'":
                end = _string_end(self.text, self.at)
                names.append(_decoded(self.text, self.at, end))
                self.at = end
            else:
                bare = _BARE.match(self.text, self.at)
                assert bare is not None
                names.append(bare[0])
                self.at = bare.end()
            self.spaces()
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self.key())
        self.at += 1
        self.spaces()
        self.note(path, Spot(start, self.at))
        self.value(path)

    def value(self, path: Path) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self.at = _string_end(self.text, self.at)
        elif first in "[{":
            self.at += 1
            self.elements(path, "]" if first == "[" else "}")
        else:
            scalar = _SCALAR.match(self.text, self.at)
            assert scalar is not None
            self.at = scalar.end()

    def elements(self, path: Path, closing: str) -> None:
        number = 0
        while True:
            self.blank()
            if self.text[self.at] == closing:
                self.at += 1
                return
            if closing == "}":
                self.pair(path)
            else:
                self.spots[(*path, number)] = Spot(self.at, self.at)
                self.value((*path, number))
                number += 1
            self.blank()
            if self.text[self.at] == ",":
                self.at += 1


def _decoded(text: str, start: int, end: int) -> str:
    import tomllib

    value = tomllib.loads(f"k = {text[start:end]}")["k"]
    assert isinstance(value, str)
    return value
