"""A model snapshot compiled for speed: what the scorer reads, never the learner's live objects.

    risk = sigmoid(A · Σ w_m · max(a_m · z_m + b_m, floor_m) + C)

over the raw scores z of logistic regression (log-odds), forest (mean log-odds of its leaves), boosted trees (sum of
their leaves) and half-space trees (anomaly score); every constant travels inside the snapshot (models/blend.py makes
them). The champion chooses w, A and C: those of the stack, or one model alone with its own, or the base rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models import serving_kernels as kernels
from models import snapshot
from models.calibration import log_odds
from models.errors import SnapshotError
from models.snapshot import BASE_RATE, CHAMPIONS, MODELS, NO_FLOOR, Calibration, SnapshotBody

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
        half, scale = body.half_space, body.calibration
        self._scale = (body.mean, body.spread, body.linear.intercept, body.linear.weights)
        self._forest: Any = msgspec.structs.astuple(body.forest)
        self._boosted: Any = msgspec.structs.astuple(body.boosted)
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
        kernels.raw_scores(rows, out, *self._scale, *self._forest, *self._boosted, *self._half)
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
        row = np.ascontiguousarray(row, dtype=np.float64)
        raw = self.raw(row[None, :])[0]
        features = len(self.features)
        squash, linear = np.empty(features), np.empty(features)
        forest, boosted = np.zeros(features), np.zeros(features)
        mean, spread, intercept, weights = self._scale
        uncut = kernels.linear_score(row, mean, spread, intercept, weights, squash, linear)
        forest_base = kernels.forest_path(row, forest, *self._forest)
        boosted_base = kernels.forest_path(row, boosted, *self._boosted)
        linear *= _part(float(raw[0]) - intercept, uncut - intercept)
        starts = np.array([intercept, forest_base, boosted_base, 0.0])
        gain, starts = self._gains(raw, starts)
        base = self._final_slope * float((self._weight * starts).sum()) + self._final_offset
        shares = gain[0] * linear + gain[1] * forest + gain[2] * boosted
        every = [*enumerate(shares.tolist()), (ANOMALY, float(gain[3] * raw[3]))]
        whole = base + sum(share for _, share in every)
        limit = log_odds(kernels.RISK_MAX)
        start = min(max(base, -limit), limit)
        kept = _part(min(max(whole, -limit), limit) - start, whole - base)
        told = [(index, float(share * kept)) for index, share in every if share != 0.0]
        return float(start), sorted(told, key=lambda item: (-abs(item[1]), item[0]))

    def _gains(self, raw: Float, starts: Float) -> tuple[Float, Float]:
        """What one unit of a model's raw score adds to the risk's log-odds, and where each model starts from.

        A score cut at its floor moves the risk less, or not at all: its shares shrink in proportion.
        """
        plain_start, plain_end = self._slope * starts + self._offset, self._slope * raw + self._offset
        start, end = np.maximum(plain_start, self._floor), np.maximum(plain_end, self._floor)
        parts = [_part(cut, whole) for cut, whole in zip(end - start, plain_end - plain_start, strict=True)]
        return self._final_slope * self._weight * self._slope * np.array(parts), start


def untrained_body(features: tuple[str, ...], base_rate: float) -> SnapshotBody:
    """The body behind `Snapshot.untrained`."""
    odds = log_odds(base_rate)
    none = (0.0,) * len(MODELS)
    whole = Calibration(
        none, (odds,) * len(MODELS), (NO_FLOOR,) * len(MODELS), none, 0.0, odds, ((1.0, 0.0),) * len(MODELS), odds
    )  # fmt: skip
    return snapshot.blank(features, whole)


def _part(cut: float, whole: float) -> float:
    return cut / whole if abs(whole) > 1e-12 else 1.0
