"""What is gone through once a sitting is over: each question, what was chosen, what was right. Pure."""

from __future__ import annotations

import msgspec

from alerts.tabletop.fitting import Fitted, Option, Table
from alerts.tabletop.sitting import Answer, Sitting


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One question. chosen: empty for "I do not know"."""

    question: Fitted
    answer: Answer
    chosen: list[Option]
    right: list[Option]


def debriefed(sitting: Sitting, table: Table) -> list[Line]:
    """In the order in which it was asked; nothing of a sitting whose exercise or plan has changed since."""
    if (sitting.exercise_digest, sitting.plan_digest) != (table.exercise.digest, table.plan.digest):
        return []
    return [
        Line(
            question=question, answer=answer,
            chosen=[option for option in question.options if option.id in answer.chosen],
            right=[option for option in question.options if option.points == 1.0],
        )
        for question, answer in zip(table.questions, sitting.answers, strict=False)
    ]  # fmt: skip
