"""Feature rows made fit for models: running scales, and what a missing value becomes.

A feature of payments is often heavy-tailed (amounts, counts) but sometimes the plain value says more (a
share, a flag), so a linear model gets both: z = (v − mean) / spread and the same of sign(v)·ln(1 + |v|), each
clipped. The means and spreads run along with the stream (Welford, 1962) and turn into an exponential average
after MEMORY rows, so that they follow a drift. Missing (NaN or infinite) is not zero: it becomes z = 0 and a
flag of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.kernels import kernel

Float = npt.NDArray[np.float64]
CLIP = 10.0
MEMORY = 50_000.0
REACH, LARGEST = 100.0, 1e12
"""What moves the scale at most: spreads from the mean, and an absolute bound."""


@kernel
def compressed(value: float) -> float:
    """sign(v) · ln(1 + |v|)."""
    return math.copysign(math.log1p(abs(value)), value)


@kernel
def standard(value: float, mean: float, spread: float) -> float:
    """(value − mean) / spread, clipped to ±CLIP; 0 while the spread is not known."""
    if spread <= 1e-12:
        return 0.0
    return min(max((value - mean) / spread, -CLIP), CLIP)


@kernel
def squashed(z: float) -> float:
    """A standard value in (0, 1): the usual in the middle, outliers at the edges."""
    return 0.5 + 0.5 * z / (1.0 + abs(z))


@kernel
def _update(row: Float, count: Float, mean: Float, variance: Float) -> None:
    features = len(row)
    for j in range(features):
        if not math.isfinite(row[j]):
            continue
        count[j] = min(count[j] + 1.0, MEMORY)
        for k in range(2):
            at = j + k * features
            value = row[j] if k == 0 else compressed(row[j])
            value = min(max(value, -LARGEST), LARGEST)
            # A single absurd value must not blind the scale for the rest of the stream; but a feature that
            # was constant so far (a label memory before the first label) takes its first other value whole.
            if variance[at] > 0.0 and count[j] >= 100.0:
                reach = REACH * math.sqrt(variance[at])
                value = min(max(value, mean[at] - reach), mean[at] + reach)
            before = value - mean[at]
            mean[at] += before / count[j]
            variance[at] += (before * (value - mean[at]) - variance[at]) / count[j]


@kernel
def _scale(row: Float, mean: Float, spread: Float, scaled: Float, squash: Float) -> None:
    features = len(row)
    for j in range(features):
        if math.isfinite(row[j]):
            scaled[j] = standard(row[j], mean[j], spread[j])
            scaled[features + j] = standard(compressed(row[j]), mean[features + j], spread[features + j])
            squash[j] = squashed(scaled[features + j])
        else:
            scaled[2 * features + j] = 1.0
            squash[j] = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One example as the models see it: raw [F] (NaN missing), scaled [3F] (z, z of logs, missing), squash
    [F]."""

    raw: Float
    scaled: Float
    squash: Float


class RunningScale:
    """Running mean and variance [2F] of each feature and of its logarithm; deterministic, can be pickled."""

    def __init__(self, features: int) -> None:
        self.count = np.zeros(features)
        self.mean = np.zeros(2 * features)
        self.variance = np.zeros(2 * features)

    def update(self, row: Float) -> None:
        """Take the row into the scale."""
        _update(row, self.count, self.mean, self.variance)

    def spread(self) -> Float:
        """Standard deviations [2F]."""
        return np.sqrt(self.variance)

    def apply(self, row: Float) -> Row:
        """The row on the present scale."""
        features = len(row)
        scaled, squash = np.zeros(3 * features), np.empty(features)
        _scale(row, self.mean, self.spread(), scaled, squash)
        return Row(row, scaled, squash)
