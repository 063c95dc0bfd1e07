"""Answers of a pure function, kept: a dictionary that works out what it does not hold yet.

`map(memo.__getitem__, questions)` answers a whole batch without a step of Python for each question asked before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Memo(dict[Question, Answer]):
    """function: of one argument. most: answers kept; the next new question makes it forget all of them."""

    def __init__(self, function: Callable[[Question], Answer], most: int) -> None:
        self._function, self._most = function, most

    def __missing__(self, question: Question) -> Answer:
        if len(self) >= self._most:
            self.clear()
        answer = self[question] = self._function(question)
        return answer
