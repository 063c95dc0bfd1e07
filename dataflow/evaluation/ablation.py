"""What each group of features is worth: everything measured again with one group missing.

With XGBoost the vectors of one run are enough and a group costs seconds to minutes. With our own models the stream
runs anew for each group, because they learn as it flows: minutes to hours on a long stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from dataflow.evaluation.boosted import boosted_scores
from dataflow.evaluation.protocol import Flags, Fold, Metrics, Scored, measure
from dataflow.evaluation.vector_file import VectorFile

SHARE = 0.2
"""Part of the good payments XGBoost learns in an ablation: it ranks about as well and costs a fifth."""
Progress = Callable[[float], None]
Without = Callable[[Sequence[int]], Metrics]
"""Means of the protocol's measures when the given columns are missing."""


class Dropped(TypedDict):
    """One line of the table: without this group's features.

    in_data: how many of them say anything in this data; without any the models cannot change and `mean` is that of
    all features. change: mean − mean of all features, so a useful group is negative.
    """

    group: str
    features: int
    in_data: int
    mean: Metrics
    change: Metrics


class Ablation(TypedDict):
    """The table. mean: with all features."""

    model: str
    features: int
    mean: Metrics
    groups: list[Dropped]


def ablation(
    model: str, groups: Mapping[str, Sequence[int]], telling: Flags, without: Without, progress: Progress
) -> Ablation:
    """Measure with all features, then without each group. telling: [F], features that vary in this data."""
    everything = without(())
    progress(1)
    table: list[Dropped] = []
    for number, (name, columns) in enumerate(groups.items()):
        in_data = int(telling[list(columns)].sum())
        mean = without(columns) if in_data else everything
        change = {
            metric: None if value is None or (full := everything[metric]) is None else value - full
            for metric, value in mean.items()
        }
        table.append(Dropped(group=name, features=len(columns), in_data=in_data, mean=mean, change=change))
        progress(number + 2)
    return Ablation(model=model, features=len(telling), mean=everything, groups=table)


def boosted_without(data: Scored, folds: Sequence[Fold], vectors: VectorFile) -> Without:
    """XGBoost on a share of the good payments, fitted for each fold on the columns that are left."""

    def without(columns: Sequence[int]) -> Metrics:
        score = boosted_scores(data, folds, vectors, lambda _: None, without=columns, share=SHARE)
        return measure(data.scored(score), folds)["mean"]

    return without
