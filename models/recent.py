"""The newest decisions, to be given again when the same payment comes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """At least the newest `kept` decisions, by the number of their payment, in the batches they were made in."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._batches: deque[tuple[int, Sequence[T]]] = deque()

    def add(self, first: int, made: Sequence[T]) -> None:
        """Keep the decisions on payments numbered from `first` on; they are newer than all before."""
        if made:
            self._batches.append((first, made))
        while self._batches and self._end() <= first + len(made) - self._kept:
            self._batches.popleft()

    def _end(self) -> int:
        first, made = self._batches[0]
        return first + len(made)

    def get(self, number: int) -> T | None:
        """The decision on a payment; None when it is not kept."""
        for first, made in reversed(self._batches):
            if number >= first:
                return made[number - first] if number - first < len(made) else None
        return None
