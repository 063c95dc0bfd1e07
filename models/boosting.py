"""Boosted trees over a bounded memory of settled examples, fitted anew as the memory moves on.

One pass over the stream: every example is taken once, kept while it is among the newest KEPT, and the trees are
fitted on what is kept each time it has grown or moved by REFIT of its size. What is served is the mean of the last
two fits, which steadies the ranking and halves the jump from one fit to the next. Between fits the trees stand still; the
other models learn from every example and bridge that time. XGBoost (Chen and Guestrin, "XGBoost: A Scalable Tree
Boosting System", KDD 2016) fits in one thread, so that equal examples give equal trees. Served as flat arrays.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from river import base

from models.compiled import Forest
from models.forest_trees import Given, row_of
from models.scaling import Row
from models.tree_walk import grove_of, walk_block

Float32 = npt.NDArray[np.float32]
KEPT = 60_000
FIRST, REFIT = 500, 0.15
"""Examples before the first fit (also between two of them at least), and the share of what is kept that must be new."""
FEWEST_FRAUDS = 20
_LARGEST = 1e30
ROUNDS = 200
# Measured on the handbook's months before the test folds; depth 4 to 6 and 200 to 400 rounds differ by less than .004
# of average precision.
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic", "tree_method": "hist", "max_depth": 5, "eta": 0.075, "subsample": 0.7,
    "colsample_bytree": 0.4, "min_child_weight": 5, "base_score": 0.5, "nthread": 1, "verbosity": 0,
}  # fmt: skip


class RefittedBoosting(base.Classifier):
    """River's classifier over the memory of KEPT × features × 4 bytes; feature names are column numbers."""

    name = "boosted"

    def __init__(self, features: int = 16, seed: int = 7) -> None:
        self.features, self.seed = features, seed
        self._rows: Float32 = np.zeros((FIRST, features), dtype=np.float32)
        self._fraud = np.zeros(FIRST, dtype=np.bool_)
        self._weight = np.ones(FIRST)
        self._keys = np.full(FIRST, -1, dtype=np.int64)
        self._place: dict[int, int] = {}
        self._taken = 0
        self._fitted_at = 0
        self._fits: tuple[Forest, ...] = ()
        self._trees = _EMPTY

    @staticmethod
    def inputs(row: Row) -> dict[int, float]:
        """What the model reads of a row: the raw values that are there."""
        return Given.of(row.raw)

    def learn_one(  # type: ignore[override]
        self, x: dict[int, float], y: bool, w: float = 1.0, key: int = -1
    ) -> None:
        """Keep one labelled example, and fit when enough is new. A key seen before has its label corrected."""
        old = self._place.get(key)
        if old is not None and key >= 0:
            self._fraud[old], self._weight[old] = y, w
        else:
            self._keep(x, y, w, key)
        new = self._taken - self._fitted_at
        if new >= max(FIRST, REFIT * min(self._taken, KEPT)):
            self._fitted_at = self._taken
            self._fit()

    def _keep(self, x: dict[int, float], y: bool, w: float, key: int) -> None:
        at = self._taken % KEPT
        if at >= len(self._fraud):
            self._grow()
        if self._taken >= KEPT:
            self._place.pop(int(self._keys[at]), None)
        # XGBoost takes no infinite number, and some 64-bit ones would become that.
        row = np.clip(row_of(x, self.features), -_LARGEST, _LARGEST)
        self._rows[at], self._fraud[at], self._weight[at], self._keys[at] = row, y, w, key
        if key >= 0:
            self._place[key] = at
        self._taken += 1

    def _grow(self) -> None:
        size = min(2 * len(self._fraud), KEPT)
        for name in ("_rows", "_fraud", "_weight", "_keys"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def _fit(self) -> None:
        used = min(self._taken, KEPT)
        fraud = self._fraud[:used]
        if not FEWEST_FRAUDS <= int(fraud.sum()) <= used - FEWEST_FRAUDS:
            return
        import xgboost  # here: only who learns pays for loading it

        data = xgboost.QuantileDMatrix(
            self._rows[:used], fraud.astype(np.float32), weight=self._weight[:used], nthread=1
        )
        booster = xgboost.train({**PARAMETERS, "seed": self.seed}, data, ROUNDS)
        self._fits = (*self._fits[-1:], _flat(json.loads(booster.save_raw("json"))))
        self._trees = _joined(self._fits)

    def predict_proba_one(self, x: dict[int, float]) -> dict[bool, float]:  # type: ignore[override]
        """Probability by the last two fits (of the sampled world; calibration undoes the sampling)."""
        z = np.empty(1)
        walk_block(row_of(x, self.features)[None, :], 1, grove_of(self._trees), z)
        fraud = 1.0 / (1.0 + math.exp(-z[0]))
        return {True: fraud, False: 1.0 - fraud}

    def compiled(self) -> Forest:
        """The trees of the last two fits as flat arrays; none before the first."""
        return self._trees


_NONE = np.empty(0, dtype=np.int32)
_EMPTY = Forest(_NONE, _NONE, np.empty(0), _NONE, _NONE, _NONE, np.empty(0))


def _joined(fits: tuple[Forest, ...]) -> Forest:
    """One forest whose mean over its trees is the mean of the fits: each has as many trees."""
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in Forest.__struct_fields__}
    start = 0
    for fit in fits:
        for name, parts in columns.items():
            column = getattr(fit, name)
            shifted = name in ("roots", "left", "right")
            parts.append(np.where(column >= 0, column + start, column) if shifted else column)
        start += len(fit.feature)
    return _forest(columns)


def _forest(columns: dict[str, list[npt.NDArray[Any]]]) -> Forest:
    whole = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    return Forest(
        roots=whole["roots"].astype(np.int32),
        feature=whole["feature"].astype(np.int32),
        threshold=whole["threshold"].astype(np.float64),
        left=whole["left"].astype(np.int32),
        right=whole["right"].astype(np.int32),
        missing_left=whole["missing_left"].astype(np.int32),
        value=whole["value"].astype(np.float64),
    )


def _flat(model: dict[str, Any]) -> Forest:
    """The trees of XGBoost's JSON model, values times their number: the walk gives a mean, boosting is a sum."""
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in Forest.__struct_fields__}
    start = 0
    for tree in trees:
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        condition = np.array(tree["split_conditions"], dtype=np.float32)
        inner = left >= 0
        # XGBoost goes left below the threshold, the walk up to it: the next smaller number means the same.
        below = np.nextafter(condition, np.float32(-np.inf)).astype(np.float64)
        value = np.where(inner, 0.0, condition.astype(np.float64))
        weight = np.array(tree["sum_hessian"], dtype=np.float64)
        for at in np.flatnonzero(inner)[::-1].tolist():  # children come after their parent
            a, b = int(left[at]), int(right[at])
            value[at] = (value[a] * weight[a] + value[b] * weight[b]) / max(weight[a] + weight[b], 1e-12)
        parts["roots"].append(np.array([start]))
        parts["feature"].append(np.where(inner, np.array(tree["split_indices"]), -1))
        parts["threshold"].append(np.where(inner, below, 0.0))
        parts["left"].append(np.where(inner, left + start, -1))
        parts["right"].append(np.where(inner, right + start, -1))
        parts["missing_left"].append(np.array(tree["default_left"]) * inner)
        parts["value"].append(value * len(trees))
        start += len(left)
    return _forest(parts)
