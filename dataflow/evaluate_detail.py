"""What `tidegate evaluate` tells beside the protocol's measures: budgets, cost, calibration and intervals.

Everything is measured on the protocol's own rows; over several folds the rows of all of them are taken together.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.evaluate import DAY_MS, Scored
from models import quality
from models.columns import Float

Flags = npt.NDArray[np.bool_]
BUDGETS = (0.001, 0.002, 0.005, 0.01, 0.02)
"""Shares of payments that people may look at."""
TOP = (100, 500, 1000)
REVIEW_USD = 5.0
"""What one look at an alert costs, in US dollars; a missed fraud costs its amount."""
CURVE_POINTS = 60
RELIABILITY_BINS = 20


def details(data: Scored, rows: Flags, rounds: int = 200) -> dict[str, Any]:
    """The additional part of the report for the rows a protocol measured on; JSON-ready."""
    fraud, risk = data.fraud[rows], data.score[rows]
    days = max(len(np.unique(data.time[rows] // DAY_MS)), 1)
    found: dict[str, Any] = {
        "rows": int(rows.sum()),
        "frauds": int(fraud.sum()),
        "intervals": intervals(data, rows, rounds),
        "budgets": [_budget(fraud, risk, share, days) for share in BUDGETS],
        "precision_at": {str(k): precision_at(fraud, risk, k) for k in TOP if k <= len(risk)},
        "calibration_error": _plain(quality.expected_calibration_error(fraud, risk)),
        "reliability": reliability(fraud, risk),
    }
    if data.amount is not None:
        found["cost"] = cost_curve(fraud, risk, data.amount[rows])
    return found


def intervals(data: Scored, rows: Flags, rounds: int = 200) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals of ROC AUC and average precision over the rows."""
    fraud, score = data.fraud[rows], data.score[rows]
    if not fraud.any():
        return {}
    measures = {"roc_auc": quality.roc_auc, "average_precision": quality.average_precision}
    return {
        name: quality.bootstrap_interval(measure, fraud, score, rounds) for name, measure in measures.items()
    }


def precision_at(fraud: Flags, score: Float, k: int) -> float:
    """Share of frauds among the k riskiest payments; ties at the edge by expectation."""
    recall = quality.recall_at_budget(fraud, score, k)
    return _plain(recall * float(fraud.sum()) / k) or 0.0


def _budget(fraud: Flags, risk: Float, share: float, days: int) -> dict[str, float | None]:
    alerts = max(round(share * len(risk)), 1)
    return {
        "share": share,
        "alerts_per_day": alerts / days,
        "recall": _plain(quality.recall_at_budget(fraud, risk, alerts)),
        "precision": precision_at(fraud, risk, alerts),
    }


def reliability(fraud: Flags, risk: Float) -> list[dict[str, float]]:
    """Mean risk beside the observed fraud rate, in bins that grow finer towards the risky end."""
    order = np.argsort(risk, kind="stable")
    # Equal numbers of payments would hide the few risky ones: every bin holds half of what lies above it.
    cuts = [0]
    while len(cuts) < RELIABILITY_BINS and len(order) - cuts[-1] > 50:
        cuts.append(cuts[-1] + (len(order) - cuts[-1] + 1) // 2)
    cuts.append(len(order))
    return [
        {
            "payments": float(end - start),
            "risk": float(risk[order[start:end]].mean()),
            "observed": float(fraud[order[start:end]].mean()),
        }
        for start, end in itertools.pairwise(cuts)
        if end > start
    ]


def cost_curve(fraud: Flags, risk: Float, amount: Float) -> dict[str, Any]:
    """Cost per payment in US dollars by threshold: missed frauds their amount, alerts REVIEW_USD each."""
    order = np.argsort(-risk, kind="stable")
    missed = float(amount[fraud].sum()) - np.concatenate(
        [[0.0], np.cumsum(np.where(fraud[order], amount[order], 0.0))]
    )
    cost = (missed + REVIEW_USD * np.arange(len(order) + 1)) / max(len(order), 1)
    # A threshold cannot part payments of one risk.
    ranked = risk[order]
    allowed = np.concatenate([[0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, [len(order)]])
    best = int(allowed[np.argmin(cost[allowed])])
    spread = np.unique(np.geomspace(1, len(allowed), CURVE_POINTS).astype(np.int64) - 1)
    return {
        "review_usd": REVIEW_USD,
        "nothing_alerted": float(cost[0]),
        "best": _point(best, ranked, cost),
        "curve": [_point(int(at), ranked, cost) for at in allowed[spread]],
    }


def _point(alerts: int, ranked: Float, cost: Float) -> dict[str, float]:
    threshold = float(ranked[alerts - 1]) if alerts else 1.0
    return {
        "threshold": threshold,
        "alert_share": alerts / max(len(ranked), 1),
        "cost_usd": float(cost[alerts]),
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
