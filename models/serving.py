"""A model snapshot compiled for speed: what the scorer reads, never the learner's live objects.

    risk = sigmoid(A · Σ w_m · max(a_m · z_m + b_m, floor_m) + C)

over the raw scores z of logistic regression (log-odds), forest (mean log-odds of its leaves), boosted trees (sum of
their leaves) and half-space trees (anomaly score); every constant travels inside the snapshot (models/blend.py makes
them). The champion chooses w, A and C: those of the stack, or one model alone with its own, or the base rate.
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
from models.snapshot import BASE_RATE, CHAMPIONS, MODELS, NO_FLOOR, Calibration, SnapshotBody
from models.tree_walk import grove_of

Float = npt.NDArray[np.float64]
ANOMALY = -1
"""Stands for the half-space trees among contributions: their score belongs to no single feature."""


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
        self.champion = body.champion
        self.high = body.high
        half, scale = body.half_space, body.calibration
        self._scale = (body.mean, body.spread, body.linear.intercept, body.linear.weights)
        self._forest, self._boosted = grove_of(body.forest), grove_of(body.boosted)
        self._half: Any = (half.feature, half.threshold, half.mass)
        self._slope, self._offset, self._floor = np.array([scale.slope, scale.offset, scale.floor])
        self._served = [(np.array(parts), float(a), float(c)) for parts, a, c in map(scale.served, CHAMPIONS)]
        self._weight, self._final_slope, self._final_offset = self._served[CHAMPIONS.index(body.champion)]

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Read a snapshot; the caller has checked its signature. Raises SnapshotError when torn."""
        return cls(snapshot.decode(data), data)

    @classmethod
    def untrained(cls, features: tuple[str, ...], base_rate: float = BASE_RATE) -> Snapshot:
        """A snapshot that gives every payment the risk `base_rate`, until something has been learnt."""
        return cls.from_bytes(snapshot.encode(untrained_body(features, base_rate)))

    def raw(self, rows: Float) -> Float:
        """Raw scores [n, 4] in the order of MODELS; what calibration is fitted on."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise SnapshotError(
                f"model snapshot {self.version} has {len(self.features)} features, the rows are "
                f"{rows.shape}: use a snapshot learnt with this feature catalogue"
            )
        out = np.empty((len(rows), len(MODELS)))
        kernels.raw_scores(rows, out, *self._scale, self._forest, self._boosted, *self._half)
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
            self._floor,
            self._weight,
            self._final_slope,
            self._final_offset,
            by_model,
            risk,
        )
        return Scores(risk, dict(zip(MODELS, by_model, strict=True)))

    def candidates(self, raw: Float) -> Float:
        """Risk [n, 5] that each of CHAMPIONS would serve, in their order, for raw scores [n, 4]."""
        by_model, risk = np.empty((len(MODELS), len(raw))), np.empty(len(raw))
        out = np.empty((len(raw), len(CHAMPIONS)))
        for column, served in enumerate(self._served):
            kernels.calibrated(raw, self._slope, self._offset, self._floor, *served, by_model, risk)
            out[:, column] = risk
        return out

    def contributions(self, row: Float) -> tuple[float, list[tuple[int, float]]]:
        """(base, shares): why a row [F] has its risk, in log-odds; base + Σ shares = ln(risk / (1 − risk)).

        base is the same for every row: the average example. A share is (feature index, part of the log-odds),
        largest first, zeros left out; index ANOMALY is the half-space trees. The linear part is exact; that
        of trees is by path (each step's change goes to the feature that decided it). Where a score is cut at
        a limit, its shares shrink in proportion.
        """
        base, shares = self.shares(np.asarray(row, dtype=np.float64)[None, :])
        told = [
            (j if j < len(self.features) else ANOMALY, share) for j, share in enumerate(shares[0].tolist())
        ]
        return base, sorted(
            (pair for pair in told if pair[1] != 0.0), key=lambda item: (-abs(item[1]), item[0])
        )

    def shares(self, rows: Float) -> tuple[float, Float]:
        """(base, shares [n, F + 1]) for rows [n, F], as in `contributions`; the last column is the half-space trees."""
        rows = np.where(np.isfinite(rows), rows, np.nan)
        out = np.empty((len(rows), rows.shape[1] + 1))
        base = kernels.contributed(
            rows, self.raw(rows), *self._scale, self._forest, self._boosted, self._slope, self._offset,
            self._floor, self._weight, self._final_slope, self._final_offset, out,
        )  # fmt: skip
        return float(base), out


def untrained_body(features: tuple[str, ...], base_rate: float) -> SnapshotBody:
    """The body behind `Snapshot.untrained`."""
    odds = log_odds(base_rate)
    none = (0.0,) * len(MODELS)
    whole = Calibration(
        none, (odds,) * len(MODELS), (NO_FLOOR,) * len(MODELS), none, 0.0, odds, ((1.0, 0.0),) * len(MODELS), odds
    )  # fmt: skip
    return snapshot.blank(features, whole)
