"""How far the flow may go back to: the newest checkpoint that is whole, with everything before it on the store's disk.

Checkpoints are written beside the flow and the store's log reaches the disk in its own time; neither is waited for.
What Bytewax is told at the end of an epoch is therefore not the state of this moment but the newest moment that both
have reached. After a kill the flow goes on from there, and what it did since, it does again with the same ordinals.

The source says a position when an epoch closes, the scorer a little later a checkpoint. The checkpoint may be newer by
then, never older: the scorer passes over what its state has seen already.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

Position = tuple[str, str]


class Mark(NamedTuple):
    """A moment of the flow. packets: taken since the start of the process; position: of both lanes after them."""

    packets: int
    number: int
    position: Position


class Progress:
    """Shared by source, scorer and sink of one process. ending: the flow comes to its end, so that it is waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reached: Mark | None = None
        self._written: list[Mark] = []
        self._stored = 0
        self.ending = False

    def begin(self, number: int, position: Position) -> None:
        """The flow resumed from this checkpoint."""
        with self._lock:
            self._reached = Mark(0, number, position)

    def written(self, mark: Mark) -> None:
        """A checkpoint is whole."""
        with self._lock:
            self._written.append(mark)
            self._advance()

    def stored(self, packets: int) -> None:
        """Everything that so many packets gave is on the store's disk."""
        with self._lock:
            self._stored = max(self._stored, packets)
            self._advance()

    @property
    def reached(self) -> Mark | None:
        """Where the flow would go on after a kill; None: where it began."""
        with self._lock:
            return self._reached

    def _advance(self) -> None:
        while self._written and self._written[0].packets <= self._stored:
            self._reached = self._written.pop(0)


def at_or_before(id_: str, position: str) -> bool:
    """Whether a stream entry lies at or before a position."""
    return number(id_) <= number(position)


def number(id_: str) -> tuple[int, int]:
    """A stream entry's id as numbers."""
    ms, _, sequence = id_.partition("-")
    return int(ms), int(sequence or 0)
