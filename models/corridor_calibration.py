"""Calibration by corridor: are as many payments fraud as the served risk says, and is a difference more than chance?

Counted among the examples as they were sampled: a good payment is learnt with probability `rate`, so a payment of risk
p is a fraud among examples with probability p / (p + (1 − p) · rate). Observed frauds are then a sum of independent
trials whose expectation is known. The ratio is shrunk towards 1 by PRIOR frauds (Gamma–Poisson: Clayton and Kaldor,
"Empirical Bayes Estimates of Age-Standardized Relative Risks", Biometrics 43, 1987), so that a corridor with two payments
says nothing. z is the signed deviance residual of the Poisson law, which holds for few frauds too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from models.learner_report import Mark
from models.settled import Settled

PRIOR = 5.0
Z, LARGE = 4.0, 1.5
"""A corridor drifts when |z| is at least Z and the ratio at least LARGE, or at most 1 / LARGE. Z leaves one false alarm
in some 800 looks at 20 corridors."""
OVER_Z, OVER = 2.5, 1.25
"""It is over when |z| or the ratio is below these."""
_HALF = 1.96
"""Of a 95 % interval, in standard deviations."""


class Ratio(NamedTuple):
    """payments: in the window, sampling undone. ratio: observed / expected, shrunk; low, high: its 95 % interval."""

    payments: float
    ratio: float
    low: float
    high: float
    z: float

    @property
    def drifting(self) -> bool:
        """True when the difference is beyond chance and large."""
        return abs(self.z) >= Z and not 1.0 / LARGE < self.ratio < LARGE

    @property
    def fine(self) -> bool:
        """True when hardly any difference is left."""
        return abs(self.z) < OVER_Z or 1.0 / OVER < self.ratio < OVER


def corridor_ratios(settled: Settled, column: int, rate: float, most: int) -> dict[str, Ratio]:
    """By corridor, of the `most` with most payments, largest first.

    column: whose risk; rate: share of good payments that were learnt.
    """
    spoke = ~np.isnan(settled.risks[:, column])
    risk, fraud, weight = settled.risks[spoke, column], settled.fraud[spoke], settled.weight[spoke]
    names, place = np.unique(settled.corridors[spoke].astype(str), return_inverse=True)
    size = len(names)
    sampled = risk / (risk + (1.0 - risk) * rate)
    payments = np.bincount(place, weights=weight, minlength=size)
    expected = np.bincount(place, weights=sampled, minlength=size)
    observed = np.bincount(place, weights=fraud.astype(np.float64), minlength=size)
    largest = sorted((i for i in range(size) if names[i]), key=lambda i: (-payments[i], names[i]))
    return {
        str(names[i]): ratio_of(float(observed[i]), float(expected[i]), float(payments[i]))
        for i in largest[:most]
    }


def ratio_of(observed: float, expected: float, payments: float) -> Ratio:
    """The shrunk ratio of frauds with its interval and z."""
    shape, rate = observed + PRIOR, expected + PRIOR
    expected = max(expected, 1e-9)
    gap = observed * math.log(observed / expected) if observed > 0.0 else 0.0
    z = math.copysign(math.sqrt(max(2.0 * (gap - (observed - expected)), 0.0)), observed - expected)
    return Ratio(payments, shape / rate, _gamma(shape, -_HALF) / rate, _gamma(shape, _HALF) / rate, z)


def _gamma(shape: float, z: float) -> float:
    """Quantile of the gamma law of this shape by Wilson and Hilferty's cube (1931); within 1 % from shape 5 on."""
    return float(shape * max(1.0 - 1.0 / (9.0 * shape) + z / (3.0 * math.sqrt(shape)), 0.0) ** 3)


class CorridorWatch:
    """Which corridors drift now: a mark when one begins to. Bounded by the corridors it is shown."""

    def __init__(self) -> None:
        self.drifting: set[str] = set()

    def check(self, ratios: dict[str, Ratio], at: int) -> list[Mark]:
        """Take the ratios of now. at: time of the stream, ms."""
        found = []
        self.drifting &= set(ratios)
        for corridor, ratio in ratios.items():
            if corridor in self.drifting:
                if ratio.fine:
                    self.drifting.discard(corridor)
            elif ratio.drifting:
                self.drifting.add(corridor)
                found.append(_mark(corridor, ratio, at))
        return found


def _mark(corridor: str, ratio: Ratio, at: int) -> Mark:
    return Mark(
        at=at, kind="calibration", name=corridor,
        text_en=f"{corridor} has {ratio.ratio:.2f} times the fraud that the risk says "
        f"({ratio.low:.2f} to {ratio.high:.2f}, z {ratio.z:+.1f})",
        text_zh=f"通道 {corridor} 的欺诈是风险分数所示的 {ratio.ratio:.2f} 倍"
        f"（95 % 区间 {ratio.low:.2f} 至 {ratio.high:.2f}，z {ratio.z:+.1f}）",
    )  # fmt: skip
