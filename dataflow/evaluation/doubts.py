"""What makes a measurement doubtful, said beside it: rows that were refused, out of order, or too few to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataflow.evaluation.protocol import Ints
from models.decision import DeadLetter
from models.engine import Engine

FEW = 5000
"""Examples below which a sampling of good payments costs more than it saves."""
HOUR_MS = 3_600_000


def doubts(engine: Engine, times: Ints, refused: Sequence[DeadLetter]) -> list[str]:
    """Sentences for people, none where all is well. times: of the payments as they came, ms; refused: the first ones."""
    found = []
    counters = engine.counters
    if gone := counters.dead_lettered + counters.undecodable:
        found.append(f"{gone:,} entries were refused and are not measured{first_of(refused)}")
    if late := out_of_order(times):
        found.append(
            f"{late:,} payments came more than an hour after later ones: the models had learnt from what came after "
            "them. Sort the data by time for an honest measure."
        )
    rate, learner = engine.settings.negative_rate, engine.learner
    if learner is not None and learner.examples < FEW and rate < 1.0:
        found.append(
            f"only {learner.examples:,} examples were learnt, one good payment in {1.0 / rate:.0f}: for so few payments "
            "set negative_rate = 1.0 under [engine] in the settings, which learns them all."
        )
    return found


def first_of(refused: Sequence[DeadLetter]) -> str:
    """The first refusal, as the end of a sentence."""
    if not refused:
        return ""
    return f"; the first: {refused[0].place}: {refused[0].detail}"


def out_of_order(times: Ints) -> int:
    """Payments that came more than an hour behind the newest one."""
    if not len(times):
        return 0
    return int((times < np.maximum.accumulate(times) - HOUR_MS).sum())
