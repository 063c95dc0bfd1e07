"""How good the risk is: exact ranking and calibration measures, in numpy only.

All functions take `fraud` (bool, [n]) and `score` (float64, [n], higher is riskier; any monotone scale unless
a probability is asked for). A measure that is not defined for the sample (one class only, say) is NaN.
Fraud is rare, so average precision and card precision say more than ROC AUC: see Saito and Rehmsmeier, "The
Precision-Recall Plot Is More Informative than the ROC Plot" (PLoS ONE, 2015).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class Ranking:
    """Payments sorted by score once, so that measures of weighted samples of them cost no further sorting.

    weight: how often each payment counts ([n], 0 leaves it out), as a bootstrap draws them; None counts each once.
    """

    def __init__(self, fraud: Flags, score: Float) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._fraud = fraud[self._order].astype(np.float64)
        # Rows with one score are one threshold: only the last of them is a point of a curve.
        self._last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)

    def roc_auc(self, weight: Float | None = None) -> float:
        """Exact area under the ROC curve: the chance that a fraud outranks a good payment, ties counting half."""
        found, alerted = self._points(weight)
        good = alerted - found
        if not len(found) or not found[-1] or not good[-1]:
            return float("nan")
        before, gained = _steps(found)
        passed = np.diff(good, prepend=0.0)
        return float((passed * (before + gained / 2.0)).sum() / (found[-1] * good[-1]))

    def average_precision(self, weight: Float | None = None) -> float:
        """Step-wise average precision: sum over thresholds of (gain in recall) × precision, no interpolation."""
        found, alerted = self._points(weight)
        if not len(found) or not found[-1]:
            return float("nan")
        _, gained = _steps(found)
        # A threshold whose rows all weigh nothing gains nothing either.
        return float((gained * found / np.maximum(alerted, 1e-300)).sum() / found[-1])

    def _points(self, weight: Float | None) -> tuple[Float, Float]:
        """Frauds found and payments alerted at each threshold, from the highest on."""
        if not len(self._order):
            return np.empty(0), np.empty(0)
        if weight is None:
            return np.cumsum(self._fraud)[self._last], self._last + 1.0
        ranked = weight[self._order]
        return np.cumsum(ranked * self._fraud)[self._last], np.cumsum(ranked)[self._last]


def _steps(total: Float) -> tuple[Float, Float]:
    before = np.concatenate([[0.0], total[:-1]])
    return before, total - before


def roc_auc(fraud: Flags, score: Float) -> float:
    """Exact area under the ROC curve; see Ranking."""
    return Ranking(fraud, score).roc_auc()


def average_precision(fraud: Flags, score: Float) -> float:
    """Step-wise average precision; see Ranking."""
    return Ranking(fraud, score).average_precision()


def recall_at_budget(fraud: Flags, score: Float, budget: int) -> float:
    """Share of the frauds among the `budget` highest scores: what a team that can look at so many will see.

    A tie at the edge of the budget counts by expectation, so the order of the rows does not matter.
    """
    frauds = int(fraud.sum())
    if not frauds or budget <= 0:
        return float("nan")
    if budget >= len(score):
        return 1.0
    edge = float(np.partition(score, len(score) - budget)[len(score) - budget])
    above, tied = score > edge, score == edge
    room = budget - int(above.sum())
    return float((fraud & above).sum() + (fraud & tied).sum() * room / tied.sum()) / frauds


def card_precision(
    fraud: Flags, score: Float, card: Ints, day: Ints, k: int = 100
) -> tuple[float, list[float]]:
    """Card Precision@k of the Fraud Detection Handbook: (mean over days, value of each day in order).

    Each day a card counts once, with its highest score and label; the k riskiest cards are checked.
    Cards found as fraud are taken out of the days that follow. Ties go to the card that comes first.
    """
    found: Ints = np.empty(0, dtype=np.int64)
    by_day: list[float] = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~np.isin(card, found))
        cards, place = np.unique(card[rows], return_inverse=True)
        highest = np.full(len(cards), -np.inf)
        np.maximum.at(highest, place, score[rows])
        bad = np.zeros(len(cards), dtype=np.bool_)
        np.logical_or.at(bad, place, fraud[rows])
        checked = np.argsort(-highest, kind="stable")[:k]
        caught = cards[checked][bad[checked]]
        by_day.append(len(caught) / k)
        found = np.concatenate([found, caught])
    return (float(np.mean(by_day)) if by_day else float("nan")), by_day


def expected_calibration_error(fraud: Flags, risk: Float, bins: int = 10) -> float:
    """Mean gap between the stated probability and the observed fraud rate, over bins of equal size.

    Equal-width bins would put nearly every payment in the first one. Nixon et al., "Measuring Calibration in
    Deep Learning" (2019), call this the adaptive form. Rows of one risk share a bin.
    """
    if not len(risk):
        return float("nan")
    order = np.argsort(risk, kind="stable")
    ranked, label = risk[order], fraud[order].astype(np.float64)
    wanted = (len(risk) * np.arange(1, bins)) // bins
    cuts = np.unique(np.searchsorted(ranked, ranked[wanted], side="left"))
    starts = np.concatenate([[0], cuts[cuts > 0]]).astype(np.int64)
    gaps = np.add.reduceat(ranked, starts) - np.add.reduceat(label, starts)
    return float(np.abs(gaps).sum() / len(risk))
