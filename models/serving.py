"""A model snapshot compiled for speed: what the scorer reads, never the learner's live objects.

    risk = sigmoid(A · Σ w_m · (a_m · z_m + b_m) + C)

over the raw scores z of logistic regression (log-odds), forest (mean log-odds of its leaves) and half-space
trees (anomaly score); every constant travels inside the snapshot (models/calibration.py makes them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models import serving_kernels as kernels
from models import snapshot
from models.calibration import log_odds
from models.errors import SnapshotError
from models.snapshot import Calibration, SnapshotBody

Float = npt.NDArray[np.float64]
MODELS = ("logistic", "forest", "anomaly")
ANOMALY = -1
"""Stands for the half-space trees among contributions: their score belongs to no single feature."""
BASE_RATE = 0.002
"""Risk of every payment while nothing has been learnt: about the share of fraud in card payments by
number."""


@dataclass(frozen=True, slots=True)
class Scores:
    """risk float64 [n]: the calibrated probability of fraud; by_model: that of each model alone, [n]."""

    risk: Float
    by_model: dict[str, Float]


class Snapshot:
    """A snapshot ready to score; immutable. `version` is 16 hex digits of the content's hash."""

    def __init__(self, body: SnapshotBody, data: bytes) -> None:
        self.data = data
        self.version = snapshot.version_of(data)
        self.features = body.features
        self.examples = body.examples
        self.frauds = body.frauds
        self.negative_rate = body.negative_rate
        forest, half, scale = body.forest, body.half_space, body.calibration
        self._scale = (body.mean, body.spread, body.linear.intercept, body.linear.weights)
        self._forest: Any = (
            forest.roots,
            forest.feature,
            forest.threshold,
            forest.left,
            forest.right,
            forest.missing_left,
            forest.value,
        )
        self._half: Any = (half.feature, half.threshold, half.mass)
        self._slope, self._offset, self._weight = np.array([scale.slope, scale.offset, scale.weight])
        self._final_slope, self._final_offset = float(scale.final_slope), float(scale.final_offset)

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Read a snapshot; the caller has checked its signature. Raises SnapshotError when torn."""
        return cls(snapshot.decode(data), data)

    @classmethod
    def untrained(cls, features: tuple[str, ...], base_rate: float = BASE_RATE) -> Snapshot:
        """A snapshot that gives every payment the risk `base_rate`, until something has been learnt."""
        return cls.from_bytes(snapshot.encode(untrained_body(features, base_rate)))

    def raw(self, rows: Float) -> Float:
        """Raw scores [n, 3] in the order of MODELS; what calibration is fitted on."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise SnapshotError(
                f"model snapshot {self.version} has {len(self.features)} features, the rows are "
                f"{rows.shape}: use a snapshot learnt with this feature catalogue"
            )
        out = np.empty((len(rows), len(MODELS)))
        kernels.raw_scores(rows, out, *self._scale, *self._forest, *self._half)
        return out

    def score(self, rows: Float) -> Scores:
        """Risk and each model's probability for rows float64 [n, F], NaN where missing.

        A row's result is the same bit for bit whatever else is in the batch.
        """
        raw = self.raw(rows)
        by_model, risk = np.empty((len(MODELS), len(raw))), np.empty(len(raw))
        kernels.calibrated(
            raw,
            self._slope,
            self._offset,
            self._weight,
            self._final_slope,
            self._final_offset,
            by_model,
            risk,
        )
        return Scores(risk, dict(zip(MODELS, by_model, strict=True)))

    def contributions(self, row: Float) -> tuple[float, list[tuple[int, float]]]:
        """(base, shares): why a row [F] has its risk, in log-odds; base + Σ shares = ln(risk / (1 − risk)).

        base is the same for every row: the average example. A share is (feature index, part of the log-odds),
        largest first, zeros left out; index ANOMALY is the half-space trees. The linear part is exact; the
        forest's is by path (each step's change goes to the feature that decided it). Where a score is cut at
        a limit, its shares shrink in proportion.
        """
        row = np.ascontiguousarray(row, dtype=np.float64)
        raw = self.raw(row[None, :])[0]
        features = len(self.features)
        squash, linear, forest = np.empty(features), np.empty(features), np.zeros(features)
        mean, spread, intercept, weights = self._scale
        uncut = kernels.linear_score(row, mean, spread, intercept, weights, squash, linear)
        forest_base = kernels.forest_path(row, forest, *self._forest)
        linear *= _part(float(raw[0]) - intercept, uncut - intercept)
        gain = self._final_slope * self._weight * self._slope
        constant = self._final_slope * float((self._weight * self._offset).sum()) + self._final_offset
        base = constant + gain[0] * intercept + gain[1] * forest_base
        shares = gain[0] * linear + gain[1] * forest
        every = [*enumerate(shares.tolist()), (ANOMALY, float(gain[2] * raw[2]))]
        whole = base + sum(share for _, share in every)
        limit = log_odds(kernels.RISK_MAX)
        start = min(max(base, -limit), limit)
        kept = _part(min(max(whole, -limit), limit) - start, whole - base)
        told = [(index, float(share * kept)) for index, share in every if share != 0.0]
        return float(start), sorted(told, key=lambda item: (-abs(item[1]), item[0]))


def untrained_body(features: tuple[str, ...], base_rate: float) -> SnapshotBody:
    """The body behind `Snapshot.untrained`."""
    odds = log_odds(base_rate)
    alone = Calibration((0.0, 0.0, 0.0), (odds, odds, odds), (0.0, 0.0, 0.0), 0.0, odds)
    return snapshot.blank(features, alone)


def _part(cut: float, whole: float) -> float:
    return cut / whole if abs(whole) > 1e-12 else 1.0
