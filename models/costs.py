"""The alert threshold that costs least: what missed frauds, reviews and wrongly declined payments cost, within a budget.

Cost-sensitive decisions with costs that differ from payment to payment (Elkan, "The Foundations of Cost-Sensitive
Learning", IJCAI 2001; Bahnsen et al., "Cost Sensitive Credit Card Fraud Detection using Bayes Minimum Risk", ICMLA
2013). Every threshold that tells the payments of the window apart is tried: the answer is exact over the window, and
depends neither on the order in which payments came nor on anything outside it. All money is in US dollars.

Only payments with an outcome can be counted. What was declined has none; what was explored in its place carries
the weight of the others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from models.columns import Float

DAY_MS = 86_400_000


class CostMatrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What each outcome costs, US dollars.

    missed_share, chargeback_fee: a fraud that is not alerted costs missed_share × amount + chargeback_fee. review:
    every alert. declined_share, declined_fixed: an alerted good payment costs declined_share × amount +
    declined_fixed beside its review: lost margin and an annoyed customer.
    """

    missed_share: float = 1.0
    chargeback_fee: float = 15.0
    review: float = 4.0
    declined_share: float = 0.03
    declined_fixed: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0.0:
                raise ValueError(f"{name} is {value}: give a number that is not negative")


class AlertBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Most alerts people can look at: as a share of all payments, a number a day, or both; None: no limit."""

    share: float | None = None
    per_day: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0.0 <= self.share <= 1.0:
            raise ValueError(f"share is {self.share}: give a share of payments in [0, 1]")
        if self.per_day is not None and not (math.isfinite(self.per_day) and self.per_day >= 0.0):
            raise ValueError(f"per_day is {self.per_day}: give a number of alerts that is not negative")


class CostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Section [costs]. window_days, window_rows: how far back settled payments count, and how many at most.

    least_threshold, most_threshold: limits of a threshold that is computed (engine.alert_threshold = "cost").
    """

    matrix: CostMatrix = CostMatrix()
    budget: AlertBudget = AlertBudget()
    window_days: float = 30.0
    window_rows: int = 100_000
    least_threshold: float = 0.02
    most_threshold: float = 0.7

    def __post_init__(self) -> None:
        if not (math.isfinite(self.window_days) and self.window_days > 0.0):
            raise ValueError(f"window_days is {self.window_days}: give a number of days above 0")
        if self.window_rows < 1:
            raise ValueError(f"window_rows is {self.window_rows}: keep at least one payment")
        if not 0.0 < self.least_threshold <= self.most_threshold < 1.0:
            raise ValueError("least_threshold and most_threshold must rise: 0 < least <= most < 1")


class TradeOff(NamedTuple):
    """The whole curve, fewest alerts first; all arrays are [k].

    threshold: a payment is alerted when its risk is at least this; the first is inf, no alert at all. cost_per_day:
    US dollars. alerts_per_day. recall: share of frauds that are alerted, NaN without any; precision: share of alerts
    that are frauds, NaN without any. allowed: within the budget. days: that the window spans, at least 1. best: index
    of the cheapest allowed point, the one with fewest alerts among equals.
    """

    threshold: Float
    cost_per_day: Float
    alerts_per_day: Float
    recall: Float
    precision: Float
    allowed: np.ndarray
    days: float
    best: int


class CostWindow:
    """The newest settled payments, as a ring of `settings.window_rows` rows of 48 bytes.

    A payment whose label is corrected is added again under its key; the risk it was decided with stays.
    """

    def __init__(self, settings: CostSettings) -> None:
        self.settings = settings
        self._rows: Float = np.zeros((min(settings.window_rows, 1024), 5))
        self._keys = np.full(self._rows.shape[0], -1, dtype=np.int64)
        self._place: dict[int, int] = {}
        self._taken = 0

    def __contains__(self, key: int) -> bool:
        return key in self._place

    def __len__(self) -> int:
        """Rows kept, whether or not they are too old by now."""
        return min(self._taken, self.settings.window_rows)

    def add(
        self, time: int, risk: float, amount_usd: float, fraud: bool, weight: float = 1.0, key: int = -1
    ) -> None:
        """Take a settled payment. time: ms, of its decision; weight: how many payments it stands for; key: its number.

        Raises ValueError for a risk outside [0, 1], an amount or weight that is negative or not finite.
        """
        if not 0.0 <= risk <= 1.0:
            raise ValueError(f"payment {key}: risk is {risk}, not a probability")
        if not (math.isfinite(amount_usd) and amount_usd >= 0.0 and math.isfinite(weight) and weight > 0.0):
            raise ValueError(
                f"payment {key}: amount {amount_usd} USD, weight {weight}: neither may be negative"
            )
        known = self._place.get(key) if key >= 0 else None
        if known is not None:
            self._rows[known, 3:] = float(fraud), weight
            return
        at = self._taken % self.settings.window_rows
        self._taken += 1
        if at >= self._rows.shape[0]:
            self._grow()
        self._place.pop(int(self._keys[at]), None)
        self._keys[at] = key
        if key >= 0:
            self._place[key] = at
        self._rows[at] = time, risk, amount_usd, float(fraud), weight

    def _grow(self) -> None:
        size = min(2 * self._rows.shape[0], self.settings.window_rows)
        rows, keys = np.zeros((size, 5)), np.full(size, -1, dtype=np.int64)
        rows[: self._rows.shape[0]], keys[: self._keys.shape[0]] = self._rows, self._keys
        self._rows, self._keys = rows, keys

    @property
    def frauds(self) -> int:
        """Frauds among the rows."""
        return int(self._rows[: len(self), 3].sum())

    def recent(self) -> Float:
        """The rows that are young enough, [n, 5]: time, risk, amount in US dollars, fraud, weight; oldest not first."""
        rows = self._rows[: len(self)]
        if not len(rows):
            return rows
        recent: Float = rows[rows[:, 0] > rows[:, 0].max() - self.settings.window_days * DAY_MS]
        return recent

    def trade_off(self) -> TradeOff:
        """The curve over the window and its best point; an empty window gives the one point without alerts."""
        rows = self.recent()
        days = max(float(np.ptp(rows[:, 0])) / DAY_MS, 1.0) if len(rows) else 1.0
        return trade_off(
            rows[:, 1],
            rows[:, 2],
            rows[:, 3] > 0.0,
            rows[:, 4],
            days,
            self.settings.matrix,
            self.settings.budget,
        )


def trade_off(
    risk: Float, amount_usd: Float, fraud: np.ndarray, weight: Float, days: float, costs: CostMatrix,
    budget: AlertBudget,
) -> TradeOff:  # fmt: skip
    """Curve over n payments, arrays [n]: one point a distinct risk, and one without alerts. days > 0."""
    # Sums are taken in an order that the payments alone decide, so that equal windows give equal answers.
    order = np.lexsort((weight, fraud, amount_usd, -risk))
    risk, amount_usd, fraud, weight = risk[order], amount_usd[order], fraud[order], weight[order]
    missed = np.where(fraud, costs.missed_share * amount_usd + costs.chargeback_fee, 0.0) * weight
    wrong = np.where(fraud, 0.0, costs.declined_share * amount_usd + costs.declined_fixed)
    alerted = (costs.review + wrong) * weight
    # Payments of equal risk stand or fall together: only the last of each run is a point.
    ends = np.flatnonzero(np.append(risk[1:] != risk[:-1], True)) + 1 if len(risk) else np.zeros(0, dtype=int)
    at = np.concatenate([[0], ends])
    caught = _summed(weight * fraud)[at]
    alerts = _summed(weight)[at]
    cost = _summed(alerted)[at] + _summed(missed[::-1])[::-1][at]
    frauds, payments = caught[-1], alerts[-1]
    allowed = np.ones(len(at), dtype=np.bool_)
    # A budget of 10 alerts allows 10, however the sums of weights were rounded.
    if budget.share is not None:
        allowed &= alerts <= budget.share * payments * (1 + 1e-12)
    if budget.per_day is not None:
        allowed &= alerts <= budget.per_day * days * (1 + 1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = caught / frauds, caught / alerts
    return TradeOff(
        threshold=np.concatenate([[math.inf], risk[ends - 1]]),
        cost_per_day=cost / days,
        alerts_per_day=alerts / days,
        recall=recall,
        precision=precision,
        allowed=allowed,
        days=days,
        best=int(np.argmin(np.where(allowed, cost, math.inf))),
    )


def _summed(values: Float) -> Float:
    """Sums of the first 0, 1, … n values."""
    return np.concatenate([[0.0], np.cumsum(values)])
