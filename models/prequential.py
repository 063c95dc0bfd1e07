"""Prequential quality: how good past decisions were, told as their labels arrive.

Each settled decision is added once, with the risk it had when it was made (test, then learn: Gama, Sebastião
and Rodrigues, "On evaluating stream learning algorithms", Machine Learning 90, 2013). Memory is bounded: the
last `window` settled decisions and the last `keep` points. Every value is exact over its window, never a
sketch.
"""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np

from models import quality


class QualityPoint(msgspec.Struct, frozen=True, gc=False):
    """Quality over the window that ended with the settled decision of event time `time` (ms).

    settled, frauds: rows in the window. None where a measure is not defined (one class only).
    precision, recall: of the decisions with risk at or above the threshold. recall_at_budget: among the highest risks
    that an alert budget has room for (models/standings.py); None where it was not measured.
    """

    time: int
    settled: int
    frauds: int
    roc_auc: float | None
    average_precision: float | None
    calibration_error: float | None
    precision: float | None
    recall: float | None
    recall_at_budget: float | None = None


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


class Prequential:
    """Collects settled decisions and makes one `QualityPoint` each `every` of them.

    window: decisions a point looks back on. keep: points kept for the chart. threshold: risk from which a
    decision counts as flagged.
    """

    def __init__(
        self, window: int = 10_000, every: int = 1_000, keep: int = 500, threshold: float = 0.5
    ) -> None:
        self._risk: deque[float] = deque(maxlen=window)
        self._fraud: deque[bool] = deque(maxlen=window)
        self._every = every
        self._threshold = threshold
        self.settled = 0
        self.points: deque[QualityPoint] = deque(maxlen=keep)

    def add(self, time: int, risk: float, fraud: bool) -> QualityPoint | None:
        """Take one settled decision; the new point if this one completed it."""
        self._risk.append(risk)
        self._fraud.append(fraud)
        self.settled += 1
        if self.settled % self._every:
            return None
        point = self.measure(time)
        self.points.append(point)
        return point

    def measure(self, time: int) -> QualityPoint:
        """The point of the window as it stands."""
        fraud = np.array(self._fraud, dtype=np.bool_)
        risk = np.array(self._risk, dtype=np.float64)
        flagged = risk >= self._threshold
        frauds, caught = int(fraud.sum()), int((fraud & flagged).sum())
        return QualityPoint(
            time=time,
            settled=len(fraud),
            frauds=frauds,
            roc_auc=_defined(quality.roc_auc(fraud, risk)),
            average_precision=_defined(quality.average_precision(fraud, risk)),
            calibration_error=_defined(quality.expected_calibration_error(fraud, risk)),
            precision=caught / int(flagged.sum()) if flagged.any() else None,
            recall=caught / frauds if frauds else None,
        )
