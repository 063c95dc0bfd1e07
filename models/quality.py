"""How good the risk is: exact ranking and calibration measures, in numpy only.

All functions take `fraud` (bool, [n]) and `score` (float64, [n], higher is riskier; any monotone scale unless
a probability is asked for). A measure that is not defined for the sample (one class only, say) is NaN.
Fraud is rare, so average precision and card precision say more than ROC AUC: see Saito and Rehmsmeier, "The
Precision-Recall Plot Is More Informative than the ROC Plot" (PLoS ONE, 2015).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Measure = Callable[[Flags, Float], float]


def roc_auc(fraud: Flags, score: Float) -> float:
    """Exact area under the ROC curve: the chance that a fraud outranks a good payment, ties counting half."""
    frauds = int(fraud.sum())
    good = len(fraud) - frauds
    if not frauds or not good:
        return float("nan")
    ordered, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    del ordered
    mid_rank = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = float(mid_rank[inverse][fraud].sum())
    return (rank_sum - frauds * (frauds + 1) / 2.0) / (frauds * good)


def average_precision(fraud: Flags, score: Float) -> float:
    """Step-wise average precision: sum over thresholds of (gain in recall) × precision, no interpolation."""
    frauds = int(fraud.sum())
    if not frauds:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(fraud[order])
    # Rows with one score are one threshold: only the last of them is a point of the curve.
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    found = hits[last].astype(np.float64)
    gained = np.diff(found, prepend=0.0)
    return float((gained * found / (last + 1)).sum() / frauds)


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


def bootstrap_interval(
    measure: Measure, fraud: Flags, score: Float, rounds: int = 200, level: float = 0.95, seed: int = 7
) -> tuple[float, float]:
    """Percentile bootstrap interval of `measure`, rows drawn with replacement (Efron and Tibshirani, 1993).

    Frauds and good payments are drawn apart, so that every round has both: with few frauds this is what the
    width depends on.
    """
    generator = np.random.default_rng(seed)
    frauds, good = np.flatnonzero(fraud), np.flatnonzero(~fraud)
    values = np.empty(rounds)
    for round_ in range(rounds):
        rows = np.concatenate([generator.choice(part, len(part)) for part in (frauds, good) if len(part)])
        values[round_] = measure(fraud[rows], score[rows])
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
