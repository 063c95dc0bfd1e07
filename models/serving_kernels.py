"""The compiled walks of serving.

One row after another, every sum in one fixed order, so that a risk does not depend on the batch it came in.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.anomaly import HEIGHT, WINDOW
from models.calibration import sigmoid
from models.kernels import kernel
from models.scaling import compressed, squashed, standard

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
_INNER = 2**HEIGHT - 1
_ALL = 2 ** (HEIGHT + 1) - 1
# River stops a walk where fewer than a tenth of the window fell (the constant of the paper).
_FEW = 0.1 * WINDOW
RISK_MIN, RISK_MAX = 1e-6, 1.0 - 1e-6
LINEAR_LIMIT = 30.0
"""Raw log-odds of the logistic regression are cut here: beyond it says nothing but how far out a row lies."""


@kernel
def linear_score(
    row: Float, mean: Float, spread: Float, intercept: float, weights: Float, squash: Float, shares: Float
) -> float:
    """Log-odds before the cut; fills squash [F] (input of the half-space trees) and shares [F]."""
    features = len(row)
    total = intercept
    for j in range(features):
        if math.isfinite(row[j]):
            z = standard(row[j], mean[j], spread[j])
            z_log = standard(compressed(row[j]), mean[features + j], spread[features + j])
            share = weights[j] * z + weights[features + j] * z_log
            squash[j] = squashed(z_log)
        else:
            share = weights[2 * features + j]
            squash[j] = 0.5
        shares[j] = share
        total += share
    return total


@kernel
def forest_score(
    row: Float,
    roots: Ints,
    feature: Ints,
    threshold: Float,
    left: Ints,
    right: Ints,
    missing_left: Ints,
    value: Float,
) -> float:
    """Mean over the trees of the log-odds of the leaf the row falls into; 0 without trees."""
    if len(roots) == 0:
        return 0.0
    total = 0.0
    for t in range(len(roots)):
        node = roots[t]
        while feature[node] >= 0:
            x = row[feature[node]]
            if math.isfinite(x):
                go_left = x <= threshold[node]
            else:
                go_left = missing_left[node] == 1
            node = left[node] if go_left else right[node]
        total += value[node]
    return total / len(roots)


@kernel
def forest_path(
    row: Float,
    shares: Float,
    roots: Ints,
    feature: Ints,
    threshold: Float,
    left: Ints,
    right: Ints,
    missing_left: Ints,
    value: Float,
) -> float:
    """The forest score again, told apart: each step's change of value goes to the feature that decided it.

    Fills shares [F] and returns the mean value of the roots; the two add up to the score (Saabas, 2014).
    """
    if len(roots) == 0:
        return 0.0
    base = 0.0
    for t in range(len(roots)):
        node = roots[t]
        base += value[node]
        while feature[node] >= 0:
            x = row[feature[node]]
            if math.isfinite(x):
                go_left = x <= threshold[node]
            else:
                go_left = missing_left[node] == 1
            below = left[node] if go_left else right[node]
            shares[feature[node]] += (value[below] - value[node]) / len(roots)
            node = below
    return base / len(roots)


@kernel
def half_space_score(squash: Float, feature: Ints, threshold: Float, mass: Float) -> float:
    """Anomaly score in [0, 1], higher is more unusual; 0 without trees."""
    trees = len(mass) // _ALL
    if trees == 0:
        return 0.0
    total = 0.0
    for t in range(trees):
        node = 0
        doubled = 1.0
        for _ in range(HEIGHT):
            here = mass[t * _ALL + node]
            total += here * doubled
            if here < _FEW:
                break
            inner = t * _INNER + node
            node = 2 * node + (1 if squash[feature[inner]] < threshold[inner] else 2)
            doubled *= 2.0
        else:
            total += mass[t * _ALL + node] * doubled
    whole: float = trees * WINDOW * float(_ALL)
    return 1.0 - total / whole


@kernel
def raw_scores(
    rows: Float, out: Float,
    mean: Float, spread: Float, intercept: float, weights: Float,
    roots: Ints, feature: Ints, threshold: Float, left: Ints, right: Ints, missing_left: Ints, value: Float,
    b_roots: Ints, b_feature: Ints, b_threshold: Float, b_left: Ints, b_right: Ints, b_missing_left: Ints,
    b_value: Float,
    space_feature: Ints, space_threshold: Float, space_mass: Float,
) -> None:  # fmt: skip
    """Raw scores into out [n, 4] in the order of snapshot.MODELS for rows [n, F]."""
    squash, shares = np.empty(rows.shape[1]), np.empty(rows.shape[1])
    for i in range(rows.shape[0]):
        row = rows[i]
        z = linear_score(row, mean, spread, intercept, weights, squash, shares)
        out[i, 0] = min(max(z, -LINEAR_LIMIT), LINEAR_LIMIT)
        out[i, 1] = forest_score(row, roots, feature, threshold, left, right, missing_left, value)
        out[i, 2] = forest_score(
            row, b_roots, b_feature, b_threshold, b_left, b_right, b_missing_left, b_value
        )
        out[i, 3] = half_space_score(squash, space_feature, space_threshold, space_mass)


@kernel
def calibrated(
    raw: Float, slope: Float, offset: Float, floor: Float, weight: Float, final_slope: float, final_offset: float,
    models: Float, risk: Float,
) -> None:  # fmt: skip
    """Probabilities of each model into models [4, n] and of the blend into risk [n], from raw scores [n, 4]."""
    for i in range(raw.shape[0]):
        blended = 0.0
        for m in range(len(slope)):
            logit = max(slope[m] * raw[i, m] + offset[m], floor[m])
            models[m, i] = min(max(sigmoid(logit), RISK_MIN), RISK_MAX)
            blended += weight[m] * logit
        risk[i] = min(max(sigmoid(final_slope * blended + final_offset), RISK_MIN), RISK_MAX)
