"""Where a rule's text stands, so that every refusal can point at the right character."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from models.errors import RuleError


@dataclass(frozen=True)
class Origin:
    """A piece of text inside a file.

    source is the whole file; offsets[i] is where character i of the piece stands in it (one more element than
    the piece has characters). Without offsets the piece is the whole file.
    """

    file: str
    source: str
    offsets: tuple[int, ...] | None = None

    def error(self, at: int, message: str) -> RuleError:
        """A RuleError `file:line:column: message` for character `at`; lines and columns from 1."""
        offset = at
        if self.offsets is not None:
            offset = self.offsets[min(at, len(self.offsets) - 1)]
        line = self.source.count("\n", 0, offset) + 1
        column = offset - self.source.rfind("\n", 0, offset)
        return RuleError(f"{self.file}:{line}:{column}: {message}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: `; did you mean 'x'?`, or nothing when no known word is close."""
    close = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
