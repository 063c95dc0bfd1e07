"""What an answer is worth. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.tabletop.fitting import Fitted


def scored(question: Fitted, chosen: Sequence[str]) -> float:
    """0 to 1. Of one choice: its own points. Of several: right ones less wrong ones, over how many are right.

    So nothing is gained by choosing everything: a wrong one takes away what a right one gave.
    """
    points = {option.id: option.points for option in question.options}
    if not question.many:
        return points[chosen[0]] if chosen else 0.0
    right = len(question.right)
    hits = sum(points[id_] == 1.0 for id_ in chosen)
    return max(0.0, (hits - (len(chosen) - hits)) / right)
