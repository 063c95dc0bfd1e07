"""Protocols: which payments a model is measured on, and what an offline model may have learnt by then.

They see only arrays, so the engine, a baseline or a paper's model are measured by the same code.
Handbook protocol: Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card
Fraud Detection - Practical Handbook" (2022), chapter 5, prequential validation over four weekly folds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

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

    card, merchant: int64 codes; None where the data has none. amount: in US dollars; None where it is not kept.
    """

    time: Ints
    score: Float
    fraud: Flags
    card: Ints | None = None
    amount: Float | None = None
    merchant: Ints | None = None

    def __post_init__(self) -> None:
        columns = (self.time, self.score, self.fraud, self.card, self.amount, self.merchant)
        lengths = {len(column) for column in columns if column is not None}
        if len(lengths) > 1:
            raise MappingError(f"scored arrays differ in length ({sorted(lengths)}): give one element a row")
        if not np.isfinite(self.score).all():
            row = int(np.flatnonzero(~np.isfinite(self.score))[0])
            raise MappingError(f"row {row}: the score is not finite: score every transaction")

    def scored(self, score: Float) -> Scored:
        """The same transactions with the scores of another model."""
        return replace(self, score=score)


class Fold(NamedTuple):
    """Rows of one fold, each a flag a transaction.

    known: what an offline model may learn from, all labels included. recent: the part of it that the protocol's own
    models are trained on. test: what is measured. Tests of different folds share no row.
    """

    known: Flags
    recent: Flags
    test: Flags


@dataclass(frozen=True)
class Handbook:
    """Weekly folds: a week to train on, a week in which labels have not come yet, a week to test on.

    start_ms: midnight (UTC) before the first training day of fold 0.
    """

    folds: int = 4
    start_ms: int = HANDBOOK_START_MS

    def split(self, data: Scored) -> list[Fold]:
        """The folds. Raises MappingError if the data has no card, or nothing in one of the test weeks."""
        return [self._fold(data, fold) for fold in range(self.folds)]

    def _fold(self, data: Scored, fold: int) -> Fold:
        start = self.start_ms + fold * TRAIN_DAYS * DAY_MS
        learnt = data.time < start + TRAIN_DAYS * DAY_MS
        test = handbook_test_rows(data, start)
        if not test.any():
            first = np.datetime64(start + (TRAIN_DAYS + DELAY_DAYS) * DAY_MS, "ms").astype("datetime64[D]")
            raise MappingError(
                f"fold {fold}: no transaction in its test week, the {TEST_DAYS} days from {first} on: give data that "
                "reach so far, another --start or fewer --folds; or use --protocol holdout"
            )
        return Fold(learnt, learnt & (data.time >= start), test)


def handbook_test_rows(data: Scored, start_ms: int) -> Flags:
    """The test rows of the fold that starts at start_ms: its test week without the cards known as compromised.

    For test day d these are the cards with a fraud in the training week, and those with a fraud on the days
    from 7 after the fold's start up to 7 + (d − 1): what a team knows when labels come 7 days late.
    """
    if data.card is None:
        raise MappingError(
            "the handbook protocol needs a card for each row: map one, or use --protocol holdout"
        )
    day = (data.time - start_ms) // DAY_MS
    first_test_day = TRAIN_DAYS + DELAY_DAYS
    keep = (day >= first_test_day) & (day < first_test_day + TEST_DAYS)
    for d in range(TEST_DAYS):
        in_training = (day >= 0) & (day < TRAIN_DAYS)
        since = (day >= TRAIN_DAYS) & (day < TRAIN_DAYS + d)
        known = np.unique(data.card[(in_training | since) & data.fraud])
        keep &= ~((day == first_test_day + d) & np.isin(data.card, known))
    return keep


@dataclass(frozen=True)
class Holdout:
    """The first `share` of the rows by time is learnt, the rest measured; equal times stay in arrival order."""

    share: float = 0.8

    def split(self, data: Scored) -> list[Fold]:
        """One fold. Raises MappingError if a side is empty."""
        order = np.argsort(data.time, kind="stable")
        # A part of a row goes to the test side, as usual; the nudge keeps 0.7 × 10 from becoming 6.999….
        first = math.floor(len(order) * self.share + 1e-9)
        if not 0 < first < len(order):
            raise MappingError(
                f"{len(order)} rows leave nothing on one side of the first {self.share:.0%}: give more data or "
                "another --learn-share"
            )
        test = np.zeros(len(order), dtype=np.bool_)
        test[order[first:]] = True
        return [Fold(~test, ~test, test)]


class Evaluation(TypedDict):
    """What a protocol found. std is the population standard deviation over folds (0 for one fold)."""

    folds: list[Metrics]
    mean: Metrics
    std: Metrics


def measure(data: Scored, folds: Sequence[Fold]) -> Evaluation:
    """The protocol's measures by fold, their mean and spread. What is not defined for the data is None."""
    found = [_measure(data, fold.test) for fold in folds]
    mean: Metrics = {}
    std: Metrics = {}
    for name in METRICS:
        values = [value for fold in found if (value := fold[name]) is not None]
        mean[name] = float(np.mean(values)) if values else None
        std[name] = float(np.std(values)) if values else None
    return Evaluation(folds=found, mean=mean, std=std)


def measured_rows(folds: Sequence[Fold]) -> Flags:
    """The rows measured in any fold."""
    rows: Flags = np.logical_or.reduce([fold.test for fold in folds])
    return rows


def ratios(ours: Metrics, theirs: Metrics) -> Metrics:
    """ours / theirs, measure by measure; None where one is missing or theirs is 0."""
    out: Metrics = {}
    for name, value in theirs.items():
        mine = ours.get(name)
        out[name] = None if mine is None or not value else mine / value
    return out


def strongest(published: Mapping[str, Metrics]) -> Metrics:
    """The best published value of each measure, whichever model it is of: who reaches it beats every row."""
    return {name: max(row[name] or 0.0 for row in published.values()) for name in METRICS}


def _measure(data: Scored, rows: Flags) -> Metrics:
    fraud, score = data.fraud[rows], data.score[rows]
    cards: float | None = None
    if data.card is not None:
        cards, _ = quality.card_precision(fraud, score, data.card[rows], data.time[rows] // DAY_MS, TOP_CARDS)
    ranking = quality.Ranking(fraud, score)
    values = (ranking.roc_auc(), ranking.average_precision(), cards)
    # JSON has no NaN: a measure that is not defined is null.
    return {name: or_none(value) for name, value in zip(METRICS, values, strict=True)}


def or_none(value: float | None) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if value is None or math.isnan(value) else value
