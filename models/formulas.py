"""The kinds of formulas features are made of: counts, means, shares, ratios to the own past, gaps, novelty.

A formula gets a View of the batch and returns one float a transaction, NaN where it cannot be judged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.columns import Column, Float
from models.memory import COUNT, FIRST, LAST, MAX_USD, MEAN_LOG, MEAN_USD, TYPICAL, UNUSUAL_LAST, VAR_LOG
from models.view import DAY, HOUR, USD_SCALE, View

Formula = Callable[[View], Float]


def number(column: Column) -> Float:
    return column.astype(np.float64)


def ratio(a: Float, b: Float) -> Float:
    """a / b, NaN where b is 0 or missing."""
    out = np.full(a.shape[0], np.nan)
    np.divide(a, b, out=out, where=b > 0)
    return out


def count(entity: str, window: int, series: str = "pay") -> Formula:
    return lambda v: v.sums[entity, window, series]


def mean_usd(entity: str, window: int) -> Formula:
    return lambda v: ratio(v.sums[entity, window, "usd"] / USD_SCALE, v.sums[entity, window, "pay"])


def share(entity: str, window: int, series: str) -> Formula:
    return lambda v: ratio(v.sums[entity, window, series], v.sums[entity, window, "pay"])


# A rate of few cases is drawn towards the base rate as if 20 outcomes at 0.5 % had been known before.
_PRIOR_COUNT, _PRIOR_RATE = 20.0, 0.005


def fraud_rate(entity: str, frauds: int, known: int) -> Formula:
    """Known frauds over known outcomes, both fading, shrunk towards the base rate (empirical Bayes)."""

    def formula(v: View) -> Float:
        state = v.outcomes[entity]
        return (state[:, frauds] + _PRIOR_COUNT * _PRIOR_RATE) / (state[:, known] + _PRIOR_COUNT)

    return formula


def outcome(entity: str, column: int) -> Formula:
    return lambda v: v.outcomes[entity][:, column]


def days_since(entity: str, column: int) -> Formula:
    """Days from a time kept with the entity's known outcomes to this payment, NaN for never."""
    return lambda v: np.maximum(v.times - v.outcomes[entity][:, column], 0.0) / DAY


def profile(entity: str, column: int) -> Formula:
    return lambda v: v.profiles[entity][:, column]


def over_mean(entity: str) -> Formula:
    return lambda v: ratio(number(v.columns["amount_usd"]), v.profiles[entity][:, MEAN_USD])


def deviation(entity: str) -> Formula:
    """(log amount − own mean) / own deviation; the deviation is kept from 0 by a prior of 0.5."""

    def formula(v: View) -> Float:
        p = v.profiles[entity]
        spread = np.sqrt((p[:, VAR_LOG] * p[:, COUNT] + 0.25 * 3.0) / (p[:, COUNT] + 3.0))
        z = (np.log1p(number(v.columns["amount_usd"])) - p[:, MEAN_LOG]) / spread
        return np.where(p[:, COUNT] > 0, z, np.nan)

    return formula


def over_typical(entity: str) -> Formula:
    """Amount over the typical amount that single large payments do not move."""
    return lambda v: ratio(number(v.columns["amount_usd"]), v.profiles[entity][:, TYPICAL])


def days_since_unusual(entity: str) -> Formula:
    return lambda v: np.maximum(v.times - v.profiles[entity][:, UNUSUAL_LAST], 0.0) / DAY


def since_last(entity: str) -> Formula:
    return lambda v: np.maximum(v.times - v.profiles[entity][:, LAST], 0.0) / 1000.0


def age_days(entity: str) -> Formula:
    return lambda v: np.maximum(v.times - v.profiles[entity][:, FIRST], 0.0) / DAY


def is_new(entity: str) -> Formula:
    def formula(v: View) -> Float:
        count = v.profiles[entity][:, COUNT]
        return np.where(np.isnan(count), np.nan, (count == 0).astype(np.float64))

    return formula


def pair_is_new(entity: str, window: int, what: str) -> Formula:
    def formula(v: View) -> Float:
        gap = v.gaps[entity, window, what]
        return np.where(np.isnan(gap), np.nan, (gap < 0).astype(np.float64))

    return formula


def distinct(entity: str, window: int, what: str) -> Formula:
    return lambda v: v.distinct[entity, window, what]


def per_day(entity: str) -> Formula:
    return lambda v: ratio(30.0 * v.sums[entity, DAY, "pay"], v.sums[entity, 30 * DAY, "pay"])


def column(name: str) -> Formula:
    return lambda v: number(v.columns[name])


def differ(a: str, b: str) -> Formula:
    def formula(v: View) -> Float:
        left, right = v.columns[a], v.columns[b]
        return np.where((left < 0) | (right < 0), np.nan, (left != right).astype(np.float64))

    return formula


def three_countries(v: View) -> Float:
    issuer, ip, ship = v.columns["issuer_country"], v.columns["ip_country"], v.columns["ship_country"]
    known = (issuer >= 0) & (ip >= 0) & (ship >= 0)
    return np.where(known, ((issuer != ip) & (ip != ship) & (issuer != ship)).astype(np.float64), np.nan)


def speed(v: View) -> Float:
    hours = np.maximum(v.times - v.profiles["card"][:, LAST], 60_000.0) / HOUR
    return np.where(v.travel_km == 0.0, 0.0, v.travel_km / hours)


def country_changed(v: View) -> Float:
    return np.where(np.isnan(v.travel_km), np.nan, (v.travel_km > 0).astype(np.float64))


def night(v: View) -> Float:
    hour = number(v.columns["hour_local"])
    return np.where(np.isnan(hour), np.nan, (hour < 6).astype(np.float64))


def weekend(v: View) -> Float:
    day = number(v.columns["weekday_local"])
    return np.where(np.isnan(day), np.nan, (day >= 5).astype(np.float64))


def act(index: int) -> Formula:
    return lambda v: v.since[:, index]


def over_max(v: View) -> Float:
    return ratio(number(v.columns["amount_usd"]), v.profiles["customer"][:, MAX_USD])


def flow(column: int) -> Formula:
    return lambda v: v.flows[:, column]


def documents(column: int) -> Formula:
    return lambda v: v.documents[:, column]
