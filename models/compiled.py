"""Models in compiled form: arrays that scoring reads. Their modules (logistic, forest, boosting, anomaly) learn them.

They stand by themselves so that a process that only scores, or only reads what was scored, does not load River.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
HEIGHT = 8
"""Of half-space trees."""
WINDOW = 250
"""Good payments that half-space trees count before their masses are taken."""


class Linear(msgspec.Struct, frozen=True):
    """The compiled form: log-odds = intercept + weights · scaled row; weights float64 [3F]."""

    intercept: float
    weights: Float


class Forest(msgspec.Struct, frozen=True):
    """The compiled form: nodes of all trees in flat arrays [N]; a tree is entered at `roots` [T].

    A leaf has feature −1 and left = right = −1. value: smoothed log-odds of the examples below the node.
    A row goes left where x[feature] ≤ threshold; where x[feature] is missing it goes left if missing_left is
    1.
    """

    roots: Ints
    feature: Ints
    threshold: Float
    left: Ints
    right: Ints
    missing_left: Ints
    value: Float


class HalfSpace(msgspec.Struct, frozen=True):
    """The compiled form: complete binary trees in heap order (children of i: 2i + 1 and 2i + 2).

    feature, threshold [T × (2^HEIGHT − 1)] of the inner nodes; mass [T × (2^(HEIGHT+1) − 1)] of all nodes,
    counts of the last full window. No trees until the first window is full.
    """

    feature: Ints
    threshold: Float
    mass: Float
