"""Scores made probabilities: Platt scaling on settled labels, with the sampling of the negatives undone.

P(fraud | z) = 1 / (1 + exp(−(a·z + b))), fitted by weighted maximum likelihood (Platt, 1999; Newton steps as
in Lin, Lin and Weng, "A note on Platt's probabilistic outputs", 2007). A good payment that was kept with
probability `rate` counts 1/rate times, which undoes the under-sampling (Dal Pozzolo et al., "Calibrating
Probability with Undersampling for Unbalanced Classification", 2015). A weak pull towards the starting values
keeps it sane with few labels; a is never negative, so calibration never turns an order around.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.kernels import kernel

Float = npt.NDArray[np.float64]
# A pull of so many units of information; a few dozen labels outweigh it.
PULL = 4.0


@kernel
def sigmoid(logit: float) -> float:
    """1 / (1 + exp(−logit)) without overflow."""
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


@kernel
def _loss(z: Float, fraud: Float, weight: Float, a: float, b: float, a0: float, b0: float) -> float:
    total = 0.5 * PULL * ((a - a0) ** 2 + (b - b0) ** 2)
    for i in range(len(z)):
        logit = a * z[i] + b
        margin = logit if fraud[i] > 0.5 else -logit
        # −ln sigmoid(margin), stable on both sides
        total += weight[i] * (math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0))
    return total


@kernel
def platt(z: Float, fraud: Float, weight: Float, a0: float, b0: float) -> tuple[float, float]:
    """Slope a ≥ 0 and offset b of P(fraud | z); a0, b0 are the start and what the pull goes to.

    z, fraud (0 or 1), weight: float64 [n]. One thread, one order of summation: equal input, equal bits.
    """
    a, b = a0, b0
    best = _loss(z, fraud, weight, a, b, a0, b0)
    for _ in range(50):
        ga, gb = PULL * (a - a0), PULL * (b - b0)
        haa, hab, hbb = PULL, 0.0, PULL
        for i in range(len(z)):
            p = sigmoid(a * z[i] + b)
            error = weight[i] * (p - fraud[i])
            curve = weight[i] * p * (1.0 - p)
            ga += error * z[i]
            gb += error
            haa += curve * z[i] * z[i]
            hab += curve * z[i]
            hbb += curve
        if a <= 0.0 and ga > 0.0:
            step_a, step_b = 0.0, gb / hbb
        else:
            determinant = haa * hbb - hab * hab
            step_a = (hbb * ga - hab * gb) / determinant
            step_b = (haa * gb - hab * ga) / determinant
        size = 1.0
        improved = False
        for _ in range(30):
            next_a, next_b = max(a - size * step_a, 0.0), b - size * step_b
            loss = _loss(z, fraud, weight, next_a, next_b, a0, b0)
            if loss < best:
                improved = True
                break
            size *= 0.5
        if not improved:
            break
        gained = best - loss
        a, b, best = next_a, next_b, loss
        if gained < 1e-10 * (1.0 + abs(best)):
            break
    return a, b


# Weight of the prior in the stack, in units of information: likelihood alone would drop a model that ranks well but
# adds little, and lose what it steadies.
STACK_PULL = 200.0


@kernel
def stack(z: Float, fraud: Float, weight: Float, prior: Float) -> Float:
    """Parts w ≥ 0 of P(fraud | z) = sigmoid(z · w), by weighted maximum likelihood with a pull towards `prior`.

    z float64 [n, k] log-odds, fraud (0 or 1) and weight [n], prior [k]. Coordinate-wise Newton steps, cut at 0;
    one thread and one order of summation.
    """
    n, k = z.shape
    w = prior.copy()
    logit = np.zeros(n)
    for i in range(n):
        for j in range(k):
            logit[i] += w[j] * z[i, j]
    for _ in range(60):
        largest = 0.0
        for j in range(k):
            slope, curve = STACK_PULL * (w[j] - prior[j]), STACK_PULL
            for i in range(n):
                p = sigmoid(logit[i])
                slope += weight[i] * (p - fraud[i]) * z[i, j]
                curve += weight[i] * max(p * (1.0 - p), 1e-6) * z[i, j] * z[i, j]
            # A Newton step may overshoot where the curve is flat: never more than a quarter at once.
            step = min(max(-slope / curve, -0.25), 0.25)
            step = max(w[j] + step, 0.0) - w[j]
            w[j] += step
            for i in range(n):
                logit[i] += step * z[i, j]
            largest = max(largest, abs(step))
        if largest < 1e-4:
            break
    return w


def moments(z: Float, weight: Float) -> tuple[float, float]:
    """Weighted mean and standard deviation of z (1 where there is no spread)."""
    mean, spread = _moments(z, weight)
    return float(mean), float(spread) if spread > 1e-9 else 1.0


@kernel
def _moments(z: Float, weight: Float) -> tuple[float, float]:
    total, first = 0.0, 0.0
    for i in range(len(z)):
        total += weight[i]
        first += weight[i] * z[i]
    if total <= 0.0:
        return 0.0, 0.0
    mean = first / total
    second = 0.0
    for i in range(len(z)):
        second += weight[i] * (z[i] - mean) ** 2
    return mean, math.sqrt(second / total)


def log_odds(probability: float) -> float:
    """ln(p / (1 − p))."""
    return math.log(probability) - math.log1p(-probability)
