"""The strong offline baseline of `tidegate evaluate`: XGBoost fitted as a team would offline, on the same features.

It sees the very vectors the engine computed in the same run, every label known by the end of its training days, good
payments unsampled, and is refitted for each fold of the protocol. XGBoost: Chen and Guestrin, KDD 2016.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from types import TracebackType

import numpy as np
import numpy.typing as npt

from dataflow.evaluate import DAY_MS, DELAY_DAYS, HANDBOOK_START_MS, TEST_DAYS, TRAIN_DAYS, Scored
from models.columns import Float

TRAINING_DAYS = 90
ROUNDS = 200
PARAMETERS = {
    "objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1, "subsample": 0.8,
    "colsample_bytree": 0.6, "min_child_weight": 5, "seed": 1, "verbosity": 0,
}  # fmt: skip
Progress = Callable[[float], None]
Flags = npt.NDArray[np.bool_]


class VectorFile:
    """The vectors of a run in stream order, float32 in an unnamed file of rows × features × 4 bytes on disk."""

    def __init__(self, features: int) -> None:
        self._features = features
        self._file = tempfile.TemporaryFile(prefix="tidegate-vectors-")  # noqa: SIM115  closed by __exit__
        self.rows = 0

    def __enter__(self) -> VectorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, vectors: Float) -> None:
        """Append the vectors of a batch, [n, F]."""
        self._file.write(np.ascontiguousarray(vectors, dtype=np.float32).tobytes())
        self.rows += len(vectors)

    def table(self) -> npt.NDArray[np.float32]:
        """All of them, [rows, F], read from the file as needed."""
        self._file.flush()
        return np.memmap(self._file, dtype=np.float32, mode="r", shape=(self.rows, self._features))


def handbook_scores(
    data: Scored, table: npt.NDArray[np.float32], folds: int, progress: Progress
) -> list[Scored]:
    """For each fold the data with the scores of a model fitted on the TRAINING_DAYS before its delay."""
    found = []
    for fold in range(folds):
        start = HANDBOOK_START_MS + fold * TRAIN_DAYS * DAY_MS
        known = start + TRAIN_DAYS * DAY_MS
        test = start + (TRAIN_DAYS + DELAY_DAYS) * DAY_MS
        train_rows = (data.time >= known - TRAINING_DAYS * DAY_MS) & (data.time < known)
        test_rows = (data.time >= test) & (data.time < test + TEST_DAYS * DAY_MS)
        found.append(_scored(data, table, train_rows, test_rows))
        progress(fold + 1)
    return found


def holdout_scores(data: Scored, table: npt.NDArray[np.float32], first: int) -> Scored:
    """The data with the scores of a model fitted on the first rows by time."""
    order = np.argsort(data.time, kind="stable")
    train_rows = np.zeros(len(order), dtype=np.bool_)
    train_rows[order[:first]] = True
    return _scored(data, table, train_rows, ~train_rows)


def _scored(data: Scored, table: npt.NDArray[np.float32], train_rows: Flags, test_rows: Flags) -> Scored:
    import xgboost

    train, test = np.flatnonzero(train_rows), np.flatnonzero(test_rows)
    score = np.zeros(len(data.time))
    if data.fraud[train].any() and len(test):
        matrix = xgboost.QuantileDMatrix(table[train], data.fraud[train].astype(np.float32))
        booster = xgboost.train(PARAMETERS, matrix, ROUNDS)
        score[test] = booster.predict(xgboost.DMatrix(table[test]), output_margin=True)
    return Scored(data.time, score, data.fraud, data.card, data.amount)
