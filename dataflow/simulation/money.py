"""Amounts people pay: from a sum in USD to a plausible price in minor units of a currency."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataflow.simulation import geography as geo
from dataflow.simulation.world import Floats, Ints

_MINOR_PER_USD = np.array([geo.MINOR_UNITS[c] * geo.UNITS_PER_USD[c] for c in geo.CURRENCIES])
_STEP = np.array([geo.PRICE_STEP.get(c, 1) for c in geo.CURRENCIES], dtype=np.int64)
COUNTRY_CURRENCY: npt.NDArray[np.int64] = np.array(
    [geo.CURRENCY_INDEX[country.currency] for country in geo.COUNTRIES], dtype=np.int64
)


def prices(usd: Floats, currency: Ints, ending: Floats) -> Ints:
    """Shop prices in minor units. `ending`, uniform in [0, 1), chooses how a price ends (.99, .00, …)."""
    minor = np.maximum(usd * _MINOR_PER_USD[currency], 1.0)
    step = _STEP[currency]
    raw = np.maximum(np.rint(minor / step), 1).astype(np.int64) * step
    whole = np.maximum(np.rint(minor / 100.0), 1).astype(np.int64) * 100
    cents = (step == 1) & (minor >= 100)
    shaped = np.where(ending < 0.42, whole - 1, np.where(ending < 0.62, whole, raw))
    shaped = np.where((ending >= 0.62) & (ending < 0.72), np.maximum(whole - 5, 1), shaped)
    result: Ints = np.where(cents, shaped, raw)
    return result


def sums(usd: Floats, currency: Ints, ending: Floats) -> Ints:
    """Transferred sums in minor units: people send round figures, now and then to the last unit."""
    minor = np.maximum(usd * _MINOR_PER_USD[currency], 1.0)
    magnitude = 10.0 ** np.maximum(np.floor(np.log10(minor)) - 1.0, 0.0)
    rounded = np.maximum(np.rint(minor / magnitude) * magnitude, 1.0)
    fine = np.maximum(np.rint(minor / _STEP[currency]), 1.0) * _STEP[currency]
    result: Ints = np.where(ending < 0.7, rounded, fine).astype(np.int64)
    return result


def minor_units(usd: float, currency: str) -> int:
    """`usd` in minor units of `currency`, unrounded but for the unit itself; at least one."""
    return max(1, round(usd * geo.UNITS_PER_USD[currency] * geo.MINOR_UNITS[currency]))
