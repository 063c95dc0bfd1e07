"""Ours beside the baselines: one measurement for all of them, and the JSON of `tidegate evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

from dataflow.evaluation import measures
from dataflow.evaluation.intervals import Interval, Samples, bootstrap, intervals, ratio_intervals
from dataflow.evaluation.protocol import (
    PUBLISHED_HANDBOOK,
    Evaluation,
    Fold,
    Metrics,
    Scored,
    measure,
    measured_rows,
    ratios,
    strongest,
)
from models.costs import CostMatrix

OURS = "tidegate"
PUBLISHED = "best published value"


class Model(NamedTuple):
    """A model that was run: its scores on the same payments, and what was measured."""

    name: str
    data: Scored
    found: Evaluation
    samples: Samples


class Beside(TypedDict):
    """A baseline in the JSON. folds: empty and detail None for a row that was only published.

    ratio: ours / theirs, with 95 % intervals in ratio_intervals.
    """

    name: str
    folds: list[Metrics]
    mean: Metrics
    std: Metrics
    intervals: dict[str, Interval]
    ratio: Metrics
    ratio_intervals: dict[str, Interval]
    detail: dict[str, Any] | None


def run_model(name: str, data: Scored, folds: Sequence[Fold], rounds: int) -> Model:
    """Measure one model's scores."""
    return Model(name, data, measure(data, folds), bootstrap(data, folds, rounds))


def beside_published(ours: Model) -> Beside:
    """The best published value of each measure as the baseline of the handbook protocol."""
    best = strongest(PUBLISHED_HANDBOOK)
    return Beside(
        name=PUBLISHED, folds=[], mean=best, std={}, intervals={},
        ratio=ratios(ours.found["mean"], best), ratio_intervals={}, detail=None,
    )  # fmt: skip


def beside(ours: Model, theirs: Model, folds: Sequence[Fold], costs: CostMatrix) -> Beside:
    """A baseline that was run on the same payments."""
    return Beside(
        name=theirs.name,
        **theirs.found,
        intervals=intervals(theirs.samples),
        ratio=ratios(ours.found["mean"], theirs.found["mean"]),
        ratio_intervals=ratio_intervals(ours.samples, theirs.samples),
        detail=measures.without_curves(measures.ranking(theirs.data, measured_rows(folds), costs)),
    )


def report(
    ours: Model,
    baselines: Sequence[Beside],
    folds: Sequence[Fold],
    *,
    costs: CostMatrix,
    microseconds_per_transaction: float | None = None,
) -> dict[str, Any]:
    """The JSON: the protocol's measures, the first baseline with the ratio to it, all baselines, and details."""
    first = baselines[0] if baselines else None
    return {
        **ours.found,
        "baseline": first["mean"] if first else {},
        "ratio": first["ratio"] if first else {},
        "microseconds_per_transaction": microseconds_per_transaction,
        "baseline_of": first["name"] if first else "none",
        "baselines": list(baselines),
        "detail": {
            "intervals": intervals(ours.samples),
            **measures.details(ours.data, measured_rows(folds), costs),
        },
    }
