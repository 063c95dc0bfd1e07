"""How the scores of the models become one: a bounded memory of settled scores, and the constants fitted on it.

Each model is calibrated alone first, so that their log-odds mean the same. The blend is a stack (Wolpert, "Stacked
generalization", 1992) whose parts are never negative, learnt on scores that were given before the label was known; it
is calibrated once more at the end, and so is each model for the case that it serves alone.

Boosted trees may not call a payment less likely fraud than the base rate: what they say below it is noise of a few
examples, and the others rank better there (area under the curve .896 with the floor, .889 without, on the handbook's
months before the test folds; average precision is the same).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from models.calibration import log_odds, moments, platt, stack
from models.settled import NOWHERE, Origin
from models.snapshot import BASE_RATE, MODELS, NO_FLOOR, Calibration

Float = npt.NDArray[np.float64]
PRIOR = (0.3, 0.2, 0.47, 0.03)
"""Parts of MODELS in the blended log-odds that the stack starts from and is pulled to."""
ANOMALY, BOOSTED = MODELS.index("anomaly"), MODELS.index("boosted")
KEPT = 10_000
FEWEST_FRAUDS, FEWEST_GOOD, FEWEST_KEPT = 20, 500, 100
"""Frauds, good payments, and good ones among the examples that stand for them, that a calibration takes at least."""


class CalibrationRing:
    """The last KEPT settled scores in one sequence, so that the rate of frauds among them is the true one.

    A payment stands in it once, with its last label."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, ...]] = deque(maxlen=KEPT)
        self._keys: deque[int] = deque(maxlen=KEPT)
        # Which of all rows so far a payment's is.
        self._numbers: dict[int, int] = {}
        self._taken = 0

    def add(self, scores: Float, fraud: bool, weight: float, key: int = -1, origin: Origin = NOWHERE) -> None:
        """Remember raw scores [4] given before the label was known; weight undoes every sampling.

        key ≥ 0 names the payment: when it comes again its label is corrected, and its scores stay what they were. One
        that is none after all and is not kept any more adds nothing: its scores were given by models that know it.
        """
        number = self._numbers.get(key)
        if number is not None:
            at = number - (self._taken - len(self._rows))
            self._rows[at] = (*self._rows[at][: len(MODELS)], float(fraud), float(weight))
            return
        if origin.corrects and not fraud:
            return
        if len(self._rows) == KEPT:
            self._numbers.pop(self._keys[0], None)
        if key >= 0:
            self._numbers[key] = self._taken
        self._rows.append((*scores.tolist(), float(fraud), float(weight)))
        self._keys.append(key)
        self._taken += 1

    def ready(self) -> bool:
        """True when enough settled scores are kept to say how probable a score makes a fraud."""
        table = np.array(self._rows, dtype=np.float64).reshape(-1, len(MODELS) + 2)
        return _enough(table[:, -2], table[:, -1])

    def fit(self, negative_rate: float) -> Calibration:
        """The calibration by the scores kept; with too few of them only the sampling is undone."""
        undo = math.log(negative_rate)  # odds × rate
        table = np.array(self._rows, dtype=np.float64).reshape(-1, len(MODELS) + 2)
        fraud, weight = table[:, -2].copy(), table[:, -1].copy()
        if not _enough(fraud, weight):
            return _unfitted(undo)
        base_rate = log_odds(float((weight * fraud).sum() / weight.sum()))
        floors = [base_rate if column == BOOSTED else NO_FLOOR for column in range(len(MODELS))]
        slopes, offsets = [], []
        calibrated = np.empty((len(fraud), len(MODELS)))
        for column in range(len(MODELS)):
            z = table[:, column].copy()
            if column == ANOMALY:
                # It has no natural scale: standard units of good payments, then Platt from the base rate.
                centre, spread = moments(z, weight * (1.0 - fraud))
                steep, start = platt((z - centre) / spread, fraud, weight, 0.0, base_rate)
                a, b = steep / spread, start - steep * centre / spread
            else:
                a, b = platt(z, fraud, weight, 1.0, undo)
            slopes.append(a)
            offsets.append(b)
            calibrated[:, column] = np.maximum(a * z + b, floors[column])
        parts = stack(calibrated, fraud, weight, np.array(PRIOR))
        blended = _mixed(calibrated, parts)
        final_slope, final_offset = platt(blended, fraud, weight, 1.0, 0.0)
        alone = [platt(column.copy(), fraud, weight, 1.0, 0.0) for column in calibrated.T]
        return Calibration(
            tuple(slopes),
            tuple(offsets),
            tuple(floors),
            tuple(parts.tolist()),
            float(final_slope),
            float(final_offset),
            tuple((float(a), float(b)) for a, b in alone),
            base_rate,
        )


def _enough(fraud: Float, weight: Float) -> bool:
    frauds = int(fraud.sum())
    good = float((weight * (1.0 - fraud)).sum())
    # The margin is for weights whose sum was rounded.
    return frauds >= FEWEST_FRAUDS and len(fraud) - frauds >= FEWEST_KEPT and good > FEWEST_GOOD - 1e-6


def _mixed(calibrated: Float, parts: Float) -> Float:
    """Σ parts · log-odds, in the order the serving kernel adds them."""
    blended = np.zeros(len(calibrated))
    for column, part in enumerate(parts.tolist()):
        blended += part * calibrated[:, column]
    return blended


def _unfitted(undo: float) -> Calibration:
    """Before anything can be fitted: the models that speak in log-odds and have learnt, weighed by PRIOR."""
    both = PRIOR[0] + PRIOR[1]
    return Calibration(
        (1.0, 1.0, 0.0, 0.0),
        (undo, undo, 0.0, 0.0),
        (NO_FLOOR,) * len(MODELS),
        (PRIOR[0] / both, PRIOR[1] / both, 0.0, 0.0),
        1.0,
        0.0,
        ((1.0, 0.0),) * len(MODELS),
        log_odds(BASE_RATE),
    )
