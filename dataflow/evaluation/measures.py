"""What `tidegate evaluate` tells beside the protocol's measures: alert budgets, cost and calibration.

Everything is measured on the protocol's own rows; over several folds the rows of all of them are taken together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from dataflow.evaluation.protocol import DAY_MS, Flags, Float, Scored, or_none
from models import quality
from models.costs import AlertBudget, CostMatrix, trade_off

BUDGETS = (0.001, 0.002, 0.005, 0.01, 0.02)
"""Shares of payments that people may look at."""
TOP = (100, 500, 1000)
CURVE_POINTS = 60
RELIABILITY_BINS = 20
ECE_BINS = 10
RISKIEST = 0.01


def details(data: Scored, rows: Flags, costs: CostMatrix) -> dict[str, Any]:
    """The additional part of the report for the rows a protocol measured on, whose score is a probability; JSON-ready."""
    fraud, risk = data.fraud[rows], data.score[rows]
    found: dict[str, Any] = {
        "rows": int(rows.sum()),
        "frauds": int(fraud.sum()),
        **ranking(data, rows, costs),
        **calibration(fraud, risk),
    }
    if data.amount is not None:
        found["cost"]["by_amount"] = cost_by_amount(fraud, risk, data.amount[rows], costs)
    return found


def ranking(data: Scored, rows: Flags, costs: CostMatrix) -> dict[str, Any]:
    """What needs an order of the payments and no probability: budgets, precision at k, cost by threshold."""
    fraud, score = data.fraud[rows], data.score[rows]
    days = max(len(np.unique(data.time[rows] // DAY_MS)), 1)
    found: dict[str, Any] = {
        "budgets": [_budget(fraud, score, share, days) for share in BUDGETS],
        "precision_at": {str(k): precision_at(fraud, score, k) for k in TOP if k <= len(score)},
    }
    if data.amount is not None:
        found["cost"] = cost_curve(fraud, score, data.amount[rows], costs)
    return found


def precision_at(fraud: Flags, score: Float, k: int) -> float:
    """Share of frauds among the k riskiest payments; ties at the edge by expectation."""
    recall = quality.recall_at_budget(fraud, score, k)
    return or_none(recall * float(fraud.sum()) / k) or 0.0


def _budget(fraud: Flags, score: Float, share: float, days: int) -> dict[str, float | None]:
    alerts = max(round(share * len(score)), 1)
    return {
        "share": share,
        "alerts_per_day": alerts / days,
        "recall": or_none(quality.recall_at_budget(fraud, score, alerts)),
        "precision": precision_at(fraud, score, alerts),
    }


def calibration(fraud: Flags, risk: Float) -> dict[str, Any]:
    """Is the risk a probability: expected calibration error over all payments and the riskiest, and a table.

    The error over all payments is small for anything that is mostly near 0, hence the riskiest per cent beside it.
    stated_over_observed: frauds expected by the risk over frauds there were.
    """
    top = np.argsort(risk, kind="stable")[-max(round(RISKIEST * len(risk)), min(ECE_BINS, len(risk))) :]
    frauds = int(fraud.sum())
    return {
        "calibration_error": or_none(quality.expected_calibration_error(fraud, risk, ECE_BINS)),
        "calibration_error_riskiest": or_none(
            quality.expected_calibration_error(fraud[top], risk[top], ECE_BINS)
        ),
        "stated_over_observed": float(risk.sum()) / frauds if frauds else None,
        "reliability": reliability(fraud, risk),
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


def cost_curve(fraud: Flags, score: Float, amount: Float, costs: CostMatrix) -> dict[str, Any]:
    """Cost per payment in US dollars by threshold, over every threshold there is; the curve tells some of them."""
    found = trade_off(score, amount, fraud, np.ones(len(score)), 1.0, costs, AlertBudget())
    spread = np.unique(np.geomspace(1, len(found.threshold), CURVE_POINTS).astype(np.int64) - 1)
    points = [
        {
            # Above every score there is no alert; that threshold has no number.
            "threshold": float(found.threshold[at]) if at else None,
            "alert_share": float(found.alerts_per_day[at]) / len(score),
            "cost_usd": float(found.cost_per_day[at]) / len(score),
        }
        for at in [0, found.best, *spread.tolist()]
    ]
    return {
        "matrix": msgspec.structs.asdict(costs),
        "nothing_alerted": points[0]["cost_usd"],
        "best": points[1],
        "curve": points[2:],
    }


def cost_by_amount(fraud: Flags, risk: Float, amount: Float, costs: CostMatrix) -> dict[str, float]:
    """Cost per payment where each alert is raised that is expected to cost less than to let the payment go.

    That is the least expected cost (Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001) if the risk is a
    probability, and needs no threshold chosen after the fact.
    """
    missed = costs.missed_share * amount + costs.chargeback_fee
    wrong = costs.declined_share * amount + costs.declined_fixed
    alerted = risk * missed > costs.review + (1.0 - risk) * wrong
    cost = np.where(alerted, costs.review + np.where(fraud, 0.0, wrong), np.where(fraud, missed, 0.0))
    return {"alert_share": float(alerted.mean()), "cost_usd": float(cost.mean())}


def without_curves(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The details without what only charts can show."""
    short = {name: value for name, value in detail.items() if name != "reliability"}
    if "cost" in short:
        short["cost"] = {name: value for name, value in short["cost"].items() if name != "curve"}
    return short
