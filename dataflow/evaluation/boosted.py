"""The strong offline baseline: XGBoost fitted for each fold as a team would, on the features of the same run.

It sees the very vectors the engine computed, every label its fold's protocol lets an offline team know, good payments
unsampled, and is fitted anew for each fold. One thread and a fixed seed: equal data give equal trees.
XGBoost: Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System" (KDD 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dataflow.evaluation.optional import needed
from dataflow.evaluation.protocol import DAY_MS, Flags, Float, Fold, Scored
from dataflow.evaluation.vector_file import Float32, VectorFile
from models.errors import MappingError

if TYPE_CHECKING:
    from dataflow.evaluation.protocol import Ints

TRAINING_DAYS = 90
"""The newest days of what is known; more days rank no better."""
ROUNDS = 200
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1, "subsample": 0.8,
    "colsample_bytree": 0.6, "min_child_weight": 5, "nthread": 1, "seed": 1, "verbosity": 0,
}  # fmt: skip
_MISSING = np.float32(-1e30)
"""Stands for a missing value, below all others. XGBoost's own way ranks the same and takes three times the memory."""
Progress = Callable[[float], None]


def check_installed() -> Any:
    """XGBoost itself; SettingsError without it."""
    return needed(
        "xgboost", "it is one of Tidegate's own dependencies: run `make install` to install it again"
    )


def boosted_scores(
    data: Scored,
    folds: Sequence[Fold],
    vectors: VectorFile,
    progress: Progress,
    *,
    without: Sequence[int] = (),
    share: float = 1.0,
) -> Float:
    """Log-odds of fraud for the test rows of every fold by the fold's own model, 0 elsewhere.

    without: columns left out, beside those that say nothing in this data. share: part of the good payments that is
    learnt, each counting 1/share times.
    progress: told the folds done. Raises MappingError where there is nothing to learn.
    """
    xgboost = check_installed()
    score = np.zeros(len(data.time))
    columns = sorted({*np.flatnonzero(vectors.telling).tolist()} - {*without})
    if not columns:
        raise MappingError("no feature varies in this data: a baseline on features has nothing to learn from")
    kept = data.fraud | (np.random.default_rng(PARAMETERS["seed"]).random(len(data.time)) < share)
    weight = np.where(data.fraud, 1.0, 1.0 / share)
    for number, fold in enumerate(folds):
        rows = _training_rows(data, fold, number) & kept
        table = xgboost.QuantileDMatrix(_stream(vectors, rows, columns, data.fraud, weight), nthread=1)
        booster = xgboost.train(PARAMETERS, table, ROUNDS)
        for at, part in vectors.batches(fold.test, columns):
            score[at] = booster.predict(xgboost.DMatrix(_dense(part), nthread=1), output_margin=True)
        progress(number + 1)
    return score


def _training_rows(data: Scored, fold: Fold, number: int) -> Flags:
    newest = int(data.time[fold.known].max(initial=0))
    rows = fold.known & (data.time > newest - TRAINING_DAYS * DAY_MS)
    frauds = int(data.fraud[rows].sum())
    if not 0 < frauds < int(rows.sum()):
        raise MappingError(
            f"fold {number}: {frauds} frauds among the {int(rows.sum())} transactions a baseline can learn from: "
            "it needs both kinds; give data that begin earlier, or do without --baseline"
        )
    return rows


def _stream(vectors: VectorFile, rows: Flags, columns: Sequence[int], fraud: Flags, weight: Float) -> Any:
    """The rows as XGBoost takes them part by part, so that only their binned form is in memory."""
    import xgboost

    class Parts(xgboost.DataIter):
        def __init__(self) -> None:
            super().__init__()
            self.reset()

        def reset(self) -> None:
            self.parts: Iterator[tuple[Ints, Float32]] = vectors.batches(rows, columns)

        def next(self, input_data: Any) -> bool:
            part = next(self.parts, None)
            if part is None:
                return False
            at, values = part
            label, counts = fraud[at].astype(np.float32), weight[at].astype(np.float32)
            input_data(data=_dense(values), label=label, weight=counts)
            return True

    return Parts()


def _dense(values: Float32) -> Float32:
    return np.where(np.isnan(values), _MISSING, values)
