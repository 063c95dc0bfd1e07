"""An adaptive random forest of bounded size, and its compiled form.

River's ARFClassifier (Gomes et al., "Adaptive random forests for evolving data stream classification",
Machine Learning 106, 2017): Hoeffding trees on resampled examples; a tree whose errors drift is replaced by
one grown in the background. It grows without bound by default, so depth and leaves are capped here. It needs
a few thousand examples before it says more than the base rate, and costs 0.5–1 ms an example.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from river.tree.base import Branch

from models.compiled import Forest
from models.forest_trees import Given, TableForest
from models.scaling import Row

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
TREES = 8
MAX_DEPTH = 10
MAX_LEAVES = 256
MOST_REPEATS = 16
# Examples of the parent's rate that a node's own rate is smoothed with.
SMOOTHING = 2.0


class BoundedForest:
    """Eight Hoeffding trees, parameters measured on the handbook's months before the test folds: ten with lambda 3 and a
    grace period of 100 rank a little better alone and cost two and a half times as much; the blend gains nothing."""

    name = "forest"

    def __init__(self, features: int, seed: int = 7) -> None:
        self._model: Any = TableForest(
            n_models=TREES,
            max_features=24,
            lambda_value=2,
            grace_period=200,
            max_depth=MAX_DEPTH,
            leaf_prediction="mc",
            seed=seed,
        )
        # River would size the trees by the first example, where features may be missing.
        self._model._init_ensemble(list(range(features)))

    @staticmethod
    def inputs(row: Row) -> dict[int, float]:
        """What the model reads of a row: the raw values that are there."""
        return Given.of(row.raw)

    def learn_one(self, x: dict[int, float], y: bool, w: float = 1.0) -> None:
        """Learn one labelled example; a weight of n counts as n repeats (rounded down, from 1 to MOST_REPEATS)."""
        for _ in range(min(max(1, int(w)), MOST_REPEATS)):
            self._model.learn_one(x, y)
        for tree in (*self._model, *self._model._background):
            if tree is not None and tree._growth_allowed and _leaves(tree) >= MAX_LEAVES:
                _stop_growth(tree)

    def predict_proba_one(self, x: dict[int, float]) -> dict[bool, float]:
        """River's own vote, weighted by the trees' accuracy; serving reads `compiled` instead."""
        return dict(self._model.predict_proba_one(x))

    def compiled(self) -> Forest:
        """All trees as flat arrays."""
        nodes = _Nodes()
        roots = [nodes.add_tree(tree._root) for tree in self._model if tree._root is not None]
        return nodes.forest(roots)


def _leaves(tree: Any) -> int:
    return int(tree._n_active_leaves + tree._n_inactive_leaves)


def _stop_growth(tree: Any) -> None:
    # Leaves go on counting labels, but no longer collect the statistics that splits are chosen from.
    tree._growth_allowed = False
    for leaf in tree._find_leaves():
        leaf.deactivate()


class _Nodes:
    """Collects nodes in depth-first order."""

    def __init__(self) -> None:
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.missing_left: list[int] = []
        self.value: list[float] = []

    def add_tree(self, root: Any) -> int:
        frauds, good = _counts(root)
        return self._add(root, (frauds + 0.5) / (frauds + good + 1.0))

    def _add(self, node: Any, parent_rate: float) -> int:
        frauds, good = _counts(node)
        rate = (frauds + SMOOTHING * parent_rate) / (frauds + good + SMOOTHING)
        at = len(self.feature)
        self.feature.append(-1)
        self.threshold.append(0.0)
        self.left.append(-1)
        self.right.append(-1)
        self.missing_left.append(0)
        self.value.append(math.log(rate) - math.log1p(-rate))
        if isinstance(node, Branch):
            below, above = node.children
            self.feature[at] = int(node.feature)  # type: ignore[attr-defined]
            self.threshold[at] = float(node.threshold)  # type: ignore[attr-defined]
            # River sends a missing value down the path most examples took.
            self.missing_left[at] = int(below.total_weight >= above.total_weight)
            self.left[at] = self._add(below, rate)
            self.right[at] = self._add(above, rate)
        return at

    def forest(self, roots: list[int]) -> Forest:
        return Forest(
            roots=np.array(roots, dtype=np.int32),
            feature=np.array(self.feature, dtype=np.int32),
            threshold=np.array(self.threshold, dtype=np.float64),
            left=np.array(self.left, dtype=np.int32),
            right=np.array(self.right, dtype=np.int32),
            missing_left=np.array(self.missing_left, dtype=np.int32),
            value=np.array(self.value, dtype=np.float64),
        )


def _counts(node: Any) -> tuple[float, float]:
    """Frauds and good examples in the leaves below (a branch keeps only what it had when it was split)."""
    if isinstance(node, Branch):
        parts = [_counts(child) for child in node.children]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)
    return float(node.stats.get(True, 0.0)), float(node.stats.get(False, 0.0))
