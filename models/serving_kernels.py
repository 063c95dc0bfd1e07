"""The compiled walks of serving.

One row after another, every sum in one fixed order, so that a risk does not depend on the batch it came in.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.calibration import sigmoid
from models.compiled import HEIGHT, WINDOW
from models.kernels import kernel
from models.scaling import compressed, squashed, standard
from models.tree_walk import BLOCK, Grove, start_of, walk_block, walk_path

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
    rows: Float, out: Float, mean: Float, spread: Float, intercept: float, weights: Float, forest: Grove,
    boosted: Grove, space_feature: Ints, space_threshold: Float, space_mass: Float,
) -> None:  # fmt: skip
    """Raw scores into out [n, 4] in the order of snapshot.MODELS for rows [n, F]; infinite values count as missing."""
    features = rows.shape[1]
    squash, shares = np.empty(features), np.empty(features)
    block, score = np.empty((BLOCK, features)), np.empty(BLOCK)
    for start in range(0, rows.shape[0], BLOCK):
        size = min(BLOCK, rows.shape[0] - start)
        for i in range(size):
            for j in range(features):
                x = rows[start + i, j]
                block[i, j] = x if math.isfinite(x) else np.nan
            z = linear_score(block[i], mean, spread, intercept, weights, squash, shares)
            out[start + i, 0] = min(max(z, -LINEAR_LIMIT), LINEAR_LIMIT)
            out[start + i, 3] = half_space_score(squash, space_feature, space_threshold, space_mass)
        walk_block(block, size, forest, score)
        out[start : start + size, 1] = score[:size]
        walk_block(block, size, boosted, score)
        out[start : start + size, 2] = score[:size]


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


@kernel
def _part(cut: float, whole: float) -> float:
    """What is left of a change that a limit cuts short."""
    return cut / whole if abs(whole) > 1e-12 else 1.0


@kernel
def contributed(
    rows: Float, raw: Float, mean: Float, spread: Float, intercept: float, weights: Float, forest: Grove,
    boosted: Grove, slope: Float, offset: Float, floor: Float, weight: Float, final_slope: float,
    final_offset: float, out: Float,
) -> float:  # fmt: skip
    """Parts of the risk's log-odds by feature into out [n, F + 1]; returns what every row starts from.

    rows [n, F] with NaN for missing; raw [n, 4]: their scores. The last column is the half-space trees. A score cut at
    its floor moves the risk less, or not at all: its shares shrink in proportion.
    """
    features = rows.shape[1]
    squash, linear = np.empty(features), np.empty(features)
    limit = math.log(RISK_MAX) - math.log1p(-RISK_MAX)
    before = np.array([intercept, start_of(forest), start_of(boosted), 0.0])
    gain = np.empty(len(slope))
    start = 0.0
    for m in range(len(slope)):
        start += weight[m] * max(slope[m] * before[m] + offset[m], floor[m])
    start = final_slope * start + final_offset
    base = min(max(start, -limit), limit)
    for i in range(rows.shape[0]):
        uncut = linear_score(rows[i], mean, spread, intercept, weights, squash, linear)
        for m in range(len(slope)):
            plain_start, plain_end = slope[m] * before[m] + offset[m], slope[m] * raw[i, m] + offset[m]
            moved = max(plain_end, floor[m]) - max(plain_start, floor[m])
            gain[m] = final_slope * weight[m] * slope[m] * _part(moved, plain_end - plain_start)
        part = gain[0] * _part(raw[i, 0] - intercept, uncut - intercept)
        for j in range(features):
            out[i, j] = part * linear[j]
        out[i, features] = gain[3] * raw[i, 3]
        walk_path(rows, i, forest, gain[1], out[i])
        walk_path(rows, i, boosted, gain[2], out[i])
        whole = start
        for j in range(features + 1):
            whole += out[i, j]
        kept = _part(min(max(whole, -limit), limit) - base, whole - start)
        for j in range(features + 1):
            out[i, j] *= kept
    return base
