"""What the learner reports of its candidates, measured on the window of settled examples with the sampling undone.

A good payment that was learnt with probability p counts 1/p times, so that every number here speaks of payments, not of
examples: shares of fraud, calibration, ranking and log-loss are those of the stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from models.corridor_calibration import Ratio, corridor_ratios
from models.learner_report import CalibrationBin, CorridorStanding, Standing
from models.prequential import QualityPoint
from models.quality import Ranking
from models.settled import Settled

Float = npt.NDArray[np.float64]
ALERT_BUDGET = 0.005
"""Share of payments that people look at, for `recall`."""
CORRIDORS = 20
"""Most corridors told, the ones with most payments."""
_ECE_BINS, _BINS, _FEWEST_IN_BIN = 10, 12, 25
_RISK_MIN = 1e-6


def log_losses(risks: Float, fraud: npt.NDArray[np.bool_]) -> Float:
    """−ln of the probability given to what came true, in nats; risks [n] or [n, C], fraud [n]. NaN stays NaN."""
    cut = np.clip(risks, _RISK_MIN, 1.0 - _RISK_MIN)
    came = fraud if risks.ndim == 1 else fraud[:, None]
    return np.asarray(-np.where(came, np.log(cut), np.log1p(-cut)), dtype=np.float64)


def standing(name: str, settled: Settled, column: int) -> Standing:
    """Measures of the candidate in this column, over the examples on which it spoke."""
    spoke = ~np.isnan(settled.risks[:, column])
    part = settled if spoke.all() else settled.part(spoke)
    risk, fraud, weight = part.risks[:, column], part.fraud, part.weight
    total = float(weight.sum())
    if total <= 0.0:
        return Standing(name=name, settled=0, frauds=0)
    ranking = Ranking(fraud, risk)
    return Standing(
        name=name,
        settled=round(total),
        frauds=round(float(weight[fraud].sum())),
        log_loss=float((weight * log_losses(risk, fraud)).sum()) / total,
        roc_auc=_defined(ranking.roc_auc(weight)),
        average_precision=_defined(ranking.average_precision(weight)),
        recall=_recall(fraud, risk, weight, ALERT_BUDGET),
        calibration_error=calibration_error(fraud, risk, weight),
    )


def corridor_standings(
    settled: Settled, names: tuple[str, ...], champion: int, rate: float, most: int = CORRIDORS,
    drifting: Collection[str] = (),
) -> list[CorridorStanding]:  # fmt: skip
    """The largest corridors by payments, largest first. names: of the columns; champion: the column that serves.

    rate: share of good payments that were learnt. drifting: corridors whose calibration has left (CorridorWatch).
    """
    return [
        _corridor(
            corridor,
            settled.part(settled.corridors == corridor),
            names,
            champion,
            ratio,
            corridor in drifting,
        )
        for corridor, ratio in corridor_ratios(settled, champion, rate, most).items()
    ]


def _corridor(
    corridor: str, part: Settled, names: tuple[str, ...], champion: int, ratio: Ratio, drifting: bool
) -> CorridorStanding:
    total = float(part.weight.sum())
    risk, frauds = part.risks[:, champion], float(part.weight[part.fraud].sum())
    losses = (part.weight[:, None] * log_losses(part.risks, part.fraud)).sum(axis=0) / total
    return CorridorStanding(
        corridor=corridor,
        settled=round(total),
        frauds=round(frauds),
        expected=float((part.weight * np.nan_to_num(risk)).sum()) / total,
        observed=frauds / total,
        average_precision=_defined(Ranking(part.fraud, risk).average_precision(part.weight)),
        log_loss={name: float(loss) for name, loss in zip(names, losses, strict=True) if np.isfinite(loss)},
        ratio=ratio.ratio,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        z=ratio.z,
        drifting=drifting,
    )


def calibration_bins(settled: Settled, column: int) -> list[CalibrationBin]:
    """Mean risk beside the observed share of fraud; every bin holds half of the payments that lie above it."""
    if not np.isfinite(settled.risks[:, column]).all() or not len(settled.weight):
        return []
    order = np.argsort(settled.risks[:, column], kind="stable")
    weight, fraud = settled.weight[order], settled.fraud[order]
    risk, upto = settled.risks[order, column], np.cumsum(weight)
    cuts = [0]
    while len(cuts) < _BINS and len(order) - cuts[-1] > 2 * _FEWEST_IN_BIN:
        below = upto[cuts[-1] - 1] if cuts[-1] else 0.0
        cut = int(np.searchsorted(upto, below + (upto[-1] - below) / 2.0)) + 1
        cuts.append(min(max(cut, cuts[-1] + _FEWEST_IN_BIN), len(order) - _FEWEST_IN_BIN))
    cuts.append(len(order))
    bins = [slice(start, end) for start, end in itertools.pairwise(cuts)]
    return [
        CalibrationBin(
            float((weight[b] * risk[b]).sum() / weight[b].sum()),
            float(weight[b][fraud[b]].sum() / weight[b].sum()),
            float(weight[b].sum()),
        )
        for b in bins
    ]


def quality_point(at: int, settled: Settled, column: int, threshold: float) -> QualityPoint:
    """Quality of what this column said. at: ms; threshold: risk from which a payment counts as flagged."""
    told = standing("", settled, column)
    flagged = settled.risks[:, column] >= threshold
    frauds = float(settled.weight[settled.fraud].sum())
    caught = float(settled.weight[settled.fraud & flagged].sum())
    alerted = float(settled.weight[flagged].sum())
    return QualityPoint(
        time=at, settled=told.settled, frauds=told.frauds, roc_auc=told.roc_auc,
        average_precision=told.average_precision, calibration_error=told.calibration_error,
        precision=caught / alerted if alerted else None, recall=caught / frauds if frauds else None,
        recall_at_budget=told.recall,
    )  # fmt: skip


def label_delay(settled: Settled) -> dict[str, float]:
    """Quantiles of the hours from payment to label; empty without labels."""
    delays = settled.delay[~np.isnan(settled.delay)]
    if not len(delays):
        return {}
    found = np.quantile(delays, (0.1, 0.5, 0.9))
    return dict(zip(("p10", "p50", "p90"), map(float, found), strict=True))


def calibration_error(fraud: npt.NDArray[np.bool_], risk: Float, weight: Float) -> float | None:
    """Mean gap between stated probability and observed share of fraud, over bins of equal numbers of payments.

    The weighted form of models.quality.expected_calibration_error; rows of one risk share a bin.
    """
    total = float(weight.sum())
    if total <= 0.0:
        return None
    order = np.argsort(risk, kind="stable")
    ranked, counted, label = risk[order], weight[order], fraud[order].astype(np.float64)
    wanted = np.searchsorted(np.cumsum(counted), total * np.arange(1, _ECE_BINS) / _ECE_BINS, side="right")
    wanted = np.minimum(wanted, len(ranked) - 1)
    cuts = np.unique(np.searchsorted(ranked, ranked[wanted], side="left"))
    starts = np.concatenate([[0], cuts[cuts > 0]]).astype(np.int64)
    gaps = np.add.reduceat(counted * ranked, starts) - np.add.reduceat(counted * label, starts)
    return float(np.abs(gaps).sum() / total)


def _recall(fraud: npt.NDArray[np.bool_], risk: Float, weight: Float, share: float) -> float | None:
    """Share of the frauds among the riskiest `share` of the payments; a tie at the edge counts by expectation."""
    frauds = float(weight[fraud].sum())
    if not frauds:
        return None
    order = np.argsort(-risk, kind="stable")
    ranked = risk[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    found = np.concatenate([[0.0], np.cumsum(weight[order] * fraud[order])[last]])
    alerted = np.concatenate([[0.0], np.cumsum(weight[order])[last]])
    return float(np.interp(share * alerted[-1], alerted, found)) / frauds


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
