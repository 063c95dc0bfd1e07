"""How the three scores become one: a bounded memory of settled scores, and the constants fitted on it.

Each model is calibrated alone first, so that their log-odds mean the same; the blend is a weighted mean of
them, and is calibrated once more, because a mean of models that agree is too timid.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from models.calibration import log_odds, moments, platt
from models.snapshot import Calibration

Float = npt.NDArray[np.float64]
WEIGHTS = (0.2, 0.75, 0.05)
"""Parts of logistic regression, forest and half-space trees in the blended log-odds."""
KEPT = 10_000
FEWEST_FRAUDS, FEWEST_GOOD = 20, 500


class CalibrationRing:
    """The last KEPT settled scores in one sequence, so that the rate of frauds among them is the true one."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, float, float, float, float]] = deque(maxlen=KEPT)

    def add(self, scores: Float, fraud: bool, weight: float) -> None:
        """Remember raw scores [3] given before the label was known; weight undoes every sampling."""
        logistic, forest, anomaly = scores.tolist()
        self._rows.append((logistic, forest, anomaly, float(fraud), float(weight)))

    def ready(self) -> bool:
        """True when enough settled scores are kept to say how probable a score makes a fraud."""
        frauds = sum(row[3] > 0.5 for row in self._rows)
        return frauds >= FEWEST_FRAUDS and len(self._rows) - frauds >= FEWEST_GOOD

    def fit(self, negative_rate: float) -> Calibration:
        """The calibration by the scores kept; with too few of them only the sampling is undone."""
        undo = math.log(negative_rate)  # odds × rate
        table = np.array(self._rows, dtype=np.float64).reshape(-1, 5)
        fraud, weight = table[:, 3].copy(), table[:, 4].copy()
        frauds = int(fraud.sum())
        if frauds < FEWEST_FRAUDS or len(fraud) - frauds < FEWEST_GOOD:
            both = WEIGHTS[0] + WEIGHTS[1]
            return Calibration(
                (1.0, 1.0, 0.0), (undo, undo, 0.0), (WEIGHTS[0] / both, WEIGHTS[1] / both, 0.0), 1.0, 0.0
            )
        scores = [table[:, column].copy() for column in range(3)]
        # The anomaly score has no natural scale: standard units of good payments, then Platt from the base
        # rate.
        centre, spread = moments(scores[2], weight * (1.0 - fraud))
        rate = float((weight * fraud).sum() / weight.sum())
        fits = [platt(scores[column], fraud, weight, 1.0, undo) for column in range(2)]
        steep, start = platt((scores[2] - centre) / spread, fraud, weight, 0.0, log_odds(rate))
        fits.append((steep / spread, start - steep * centre / spread))
        blended = np.zeros(len(fraud))
        for part, z, (a, b) in zip(WEIGHTS, scores, fits, strict=True):
            blended += part * (a * z + b)
        final_slope, final_offset = platt(blended, fraud, weight, 1.0, 0.0)
        return Calibration(
            (fits[0][0], fits[1][0], fits[2][0]),
            (fits[0][1], fits[1][1], fits[2][1]),
            WEIGHTS,
            final_slope,
            final_offset,
        )
