"""`tidegate evaluate`: published protocols applied to scores that a replay gave to each transaction.

The protocols see only arrays, so the engine, a baseline or a paper's model are measured by the same code.
Handbook protocol: Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card
Fraud Detection - Practical Handbook" (2022), chapter 5, prequential validation over four weekly folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from models import quality
from models.errors import MappingError

Float = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Metrics = dict[str, float | None]

DAY_MS = 86_400_000
HANDBOOK_START_MS = 1_532_476_800_000
"""2018-07-25T00:00Z, the first training day of fold 0."""
TRAIN_DAYS = DELAY_DAYS = TEST_DAYS = 7
TOP_CARDS = 100
METRICS = ("roc_auc", "average_precision", "card_precision_100")
PUBLISHED_HANDBOOK: dict[str, Metrics] = {
    "logistic regression": {"roc_auc": 0.868, "average_precision": 0.623, "card_precision_100": 0.297},
    "random forest": {"roc_auc": 0.870, "average_precision": 0.678, "card_precision_100": 0.299},
    "XGBoost": {"roc_auc": 0.869, "average_precision": 0.687, "card_precision_100": 0.303},
    "balanced bagging": {"roc_auc": 0.879, "average_precision": 0.680, "card_precision_100": 0.305},
    "feed-forward network": {"roc_auc": 0.876, "average_precision": 0.675, "card_precision_100": 0.303},
    "LSTM": {"roc_auc": 0.876, "average_precision": 0.665, "card_precision_100": 0.297},
}
"""Means over the four folds as the book prints them; each model trained on 7 days and 15 features."""


@dataclass(frozen=True)
class Scored:
    """Scored transactions, one element a row: time in ms (UTC), score (higher is riskier), the final label.

    card: int64 code of the card; None where the data has no card. amount: in US dollars; None where it is not kept.
    """

    time: Ints
    score: Float
    fraud: Flags
    card: Ints | None = None
    amount: Float | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.time), len(self.score), len(self.fraud)}
        if self.card is not None:
            lengths.add(len(self.card))
        if len(lengths) > 1:
            raise MappingError(f"scored arrays differ in length ({sorted(lengths)}): give one element a row")
        if not np.isfinite(self.score).all():
            row = int(np.flatnonzero(~np.isfinite(self.score))[0])
            raise MappingError(f"row {row}: the score is not finite: score every transaction")


class Evaluation(TypedDict):
    """What a protocol found. std is the population standard deviation over folds (0 for one fold)."""

    folds: list[Metrics]
    mean: Metrics
    std: Metrics


class Report(Evaluation):
    """The JSON of `tidegate evaluate`: `ratio` is mean / baseline, measure by measure."""

    baseline: Metrics
    ratio: Metrics
    microseconds_per_transaction: float | None


def handbook_test_rows(data: Scored, fold: int, start_ms: int = HANDBOOK_START_MS) -> Flags:
    """The rows fold `fold` is measured on: its test week without the cards already known as compromised.

    For test day d these are the cards with a fraud in the training week, and those with a fraud on the days
    from 7 after the fold's start up to 7 + (d − 1): what a team knows when labels come 7 days late.
    """
    if data.card is None:
        raise MappingError(
            "the handbook protocol needs a card for each row: map one, or use --protocol holdout"
        )
    day = (data.time - start_ms) // DAY_MS - TRAIN_DAYS * fold
    first_test_day = TRAIN_DAYS + DELAY_DAYS
    keep = (day >= first_test_day) & (day < first_test_day + TEST_DAYS)
    for d in range(TEST_DAYS):
        in_training = (day >= 0) & (day < TRAIN_DAYS)
        since = (day >= TRAIN_DAYS) & (day < TRAIN_DAYS + d)
        known = np.unique(data.card[(in_training | since) & data.fraud])
        keep &= ~((day == first_test_day + d) & np.isin(data.card, known))
    return keep


def handbook_protocol(
    data: Scored | Sequence[Scored], folds: int = 4, start_ms: int = HANDBOOK_START_MS
) -> Evaluation:
    """Mean and spread of the three measures over weekly folds. Raises MappingError if a fold has no rows.

    data: one for all folds, or one a fold where each has a model of its own.
    """
    found: list[Metrics] = []
    by_fold = [data] * folds if isinstance(data, Scored) else data
    for fold, data in enumerate(by_fold):
        rows = handbook_test_rows(data, fold, start_ms)
        if not rows.any():
            raise MappingError(
                f"fold {fold}: no transaction in its test week: the data must reach from 2018-07-25 on for "
                f"{TRAIN_DAYS * (folds + 2)} days; use --protocol holdout for other data"
            )
        found.append(_measure(data, rows))
    return _summary(found)


def holdout_protocol(data: Scored, share: float = 0.8) -> Evaluation:
    """Measures on the rows after the first `share` of them by time; equal times stay in arrival order."""
    rows = holdout_rows(data, share)
    if not rows.any():
        raise MappingError(f"no row is left after the first {share:.0%}: give more data or a smaller share")
    return _summary([_measure(data, rows)])


def holdout_rows(data: Scored, share: float = 0.8) -> Flags:
    """The rows the holdout protocol measures on."""
    order = np.argsort(data.time, kind="stable")
    rows = np.zeros(len(order), dtype=np.bool_)
    rows[order[first_held_out(len(order), share) :]] = True
    return rows


def first_held_out(rows: int, share: float) -> int:
    """How many of the rows are learnt before the first one that counts."""
    # A part of a row goes to the test side, as usual; the nudge keeps 0.7 × 10 from becoming 6.999….
    return math.floor(rows * share + 1e-9)


def report(found: Evaluation, baseline: Metrics, microseconds_per_transaction: float | None = None) -> Report:
    """The evaluation beside a baseline (`{}` where there is none)."""
    ratio: Metrics = {}
    for name, theirs in baseline.items():
        ours = found["mean"].get(name)
        ratio[name] = None if ours is None or not theirs else ours / theirs
    return Report(
        folds=found["folds"],
        mean=found["mean"],
        std=found["std"],
        baseline=baseline,
        ratio=ratio,
        microseconds_per_transaction=microseconds_per_transaction,
    )


def _measure(data: Scored, rows: Flags) -> Metrics:
    fraud, score = data.fraud[rows], data.score[rows]
    cards: float | None = None
    if data.card is not None:
        cards, _ = quality.card_precision(fraud, score, data.card[rows], data.time[rows] // DAY_MS, TOP_CARDS)
    values = (quality.roc_auc(fraud, score), quality.average_precision(fraud, score), cards)
    # JSON has no NaN: a measure that is not defined is null.
    return {name: _or_none(value) for name, value in zip(METRICS, values, strict=True)}


def _or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _summary(folds: list[Metrics]) -> Evaluation:
    mean: Metrics = {}
    std: Metrics = {}
    for name in METRICS:
        values = [value for fold in folds if (value := fold[name]) is not None]
        mean[name] = float(np.mean(values)) if values else None
        std[name] = float(np.std(values)) if values else None
    return Evaluation(folds=folds, mean=mean, std=std)
