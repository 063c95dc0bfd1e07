"""The alert threshold kept at least cost: computed from settled payments, changed seldom, never outside its limits.

The lower edge of band `high` is what alerts (models/risk.py). With `alert_threshold = "cost"` in the settings the learner
computes it and it travels in the model snapshot, so that a recorded stream gives it again. It only moves when the one in
force costs noticeably more than the best one, or leaves the alert budget: two thresholds of about equal cost would take
turns with every handful of labels.
"""

from __future__ import annotations

import math

import numpy as np

from models.columns import Float
from models.costs import CostSettings, CostWindow, TradeOff
from models.learner_report import CostCurve, CostPoint
from models.risk import Thresholds

FEWEST, FEWEST_FRAUDS = 1000, 50
"""Settled examples and frauds before a threshold is computed."""
SAVES = 0.05
"""Share of the cost that a new threshold must save."""
POINTS = 60
"""Most points of the curve that are told."""


class AlertThreshold:
    """Window of settled payments and the threshold in force. Can be pickled.

    fixed: the settings' edges. by_cost: whether the computed one is in force; high: it, None until there is one.
    """

    def __init__(self, costs: CostSettings, fixed: Thresholds, by_cost: bool) -> None:
        self.costs, self.fixed, self.by_cost = costs, fixed, by_cost
        self.high: float | None = None
        self._window = CostWindow(costs)

    def add(
        self, at: int, risk: float, amount_usd: float, fraud: bool, weight: float, key: int, corrects: bool = False
    ) -> None:  # fmt: skip
        """Take a settled payment with the risk it was served; what says nothing of its amount is passed over.

        corrects: it was settled as the opposite. A fraud that is none, and has left the window, is passed over too.
        """
        if corrects and not fraud and key not in self._window:
            return
        if math.isfinite(risk) and math.isfinite(amount_usd):
            self._window.add(at, risk, max(amount_usd, 0.0), fraud, weight, key)

    @property
    def in_force(self) -> float:
        """Lower edge of band `high`, as decisions have it."""
        return self.fixed.moved(self.high).high

    def check(self) -> None:
        """Move the threshold if that is worth it; nothing unless it is to be computed."""
        if not self.by_cost:
            return
        curve = self._window.trade_off()
        if not self._enough():
            return
        best = _limited(float(curve.threshold[curve.best]), self.costs)
        now, then = (_at(curve, threshold) for threshold in (self.in_force, best))
        saved = now.cost_per_day - then.cost_per_day
        saves = then.allowed and saved > 0.0 and saved >= SAVES * now.cost_per_day
        if saves or (not now.allowed and then.alerts_per_day < now.alerts_per_day):
            self.high = best

    def _enough(self) -> bool:
        return len(self._window) >= FEWEST and self._window.frauds >= FEWEST_FRAUDS

    def curve(self) -> CostCurve | None:
        """The trade-off to be shown; None until enough has settled."""
        if not self._enough():
            return None
        curve, rows = self._window.trade_off(), self._window.recent()
        budget = self.costs.budget
        return CostCurve(
            points=[_point(curve, at) for at in _thinned(curve)],
            best=_point(curve, curve.best),
            payments=float(rows[:, 4].sum()),
            frauds=float((rows[:, 4] * rows[:, 3]).sum()),
            days=curve.days,
            in_force=self.in_force,
            chosen_by="cost" if self.by_cost else "fixed",
            budget_share=budget.share,
            budget_per_day=budget.per_day,
        )


def _limited(threshold: float, costs: CostSettings) -> float:
    return min(max(threshold, costs.least_threshold), costs.most_threshold)


def _at(curve: TradeOff, threshold: float) -> CostPoint:
    """What a threshold costs that may lie between two points of the curve."""
    # Thresholds fall along the curve; payments at or above it are alerted.
    return _point(curve, int(np.searchsorted(-curve.threshold, -threshold, side="right")) - 1)


def _point(curve: TradeOff, at: int) -> CostPoint:
    return CostPoint(
        threshold=min(float(curve.threshold[at]), 1.0),
        cost_per_day=float(curve.cost_per_day[at]),
        alerts_per_day=float(curve.alerts_per_day[at]),
        recall=_defined(curve.recall, at),
        precision=_defined(curve.precision, at),
        allowed=bool(curve.allowed[at]),
    )


def _defined(values: Float, at: int) -> float | None:
    return None if math.isnan(values[at]) else float(values[at])


def _thinned(curve: TradeOff) -> list[int]:
    """Points by equal steps of the logarithm of alerts: where few alerts are added, they matter most."""
    last = len(curve.threshold) - 1
    if last < POINTS:
        return list(range(last + 1))
    steps = np.log1p(curve.alerts_per_day * curve.days)
    wanted = np.searchsorted(steps, np.linspace(0.0, steps[-1], POINTS - 1))
    return sorted({*np.minimum(wanted, last).tolist(), curve.best})
