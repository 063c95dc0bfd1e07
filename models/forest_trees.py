"""River's adaptive random forest with the statistics of a leaf in arrays: the same trees, cheaper.

River keeps a Gaussian object for every class and feature of every leaf; updating them one by one is most of what learning
an example costs. Here they are one table a leaf, updated in one compiled loop. Every sum is taken in the same order
with the same operations, so that the trees are River's bit for bit (tests/test_forest_trees.py holds it).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from river import forest
from river.forest.adaptive_random_forest import BaseTreeClassifier
from river.tree.nodes import arf_htc_nodes
from river.tree.utils import BranchFactory

from models.kernels import kernel

Float = npt.NDArray[np.float64]
SPLITS = 10
"""Split points tried between the least and the largest value of a feature, as River's Gaussian splitter does."""
# River's classes carry no types.
_Tree: Any = BaseTreeClassifier
_Leaf: Any = arf_htc_nodes.RandomLeafMajorityClass
_N, _MEAN, _SQUARES, _LEAST, _MOST = range(5)


class Given(dict[int, float]):
    """What a tree reads of an example: the values that are there, by column; `row` float64 [F], NaN where missing."""

    __slots__ = ("row",)
    row: Float

    @classmethod
    def of(cls, row: Float) -> Given:
        """From a row; infinite values count as missing."""
        there = np.isfinite(row)
        at = np.flatnonzero(there)
        given = cls(zip(at.tolist(), row[at].tolist(), strict=True))
        given.row = np.where(there, row, np.nan)
        return given


def row_of(x: dict[int, float], width: int) -> Float:
    """The row behind an example, also when it comes as a plain dict; float64 [width]."""
    if isinstance(x, Given):
        return x.row
    return np.array([x.get(column, math.nan) for column in range(width)])


@kernel
def _take(row: Float, columns: npt.NDArray[np.int64], target: int, w: float, table: Float) -> None:
    """Welford's update (West, 1979) of the class `target`; table [2, columns, 5]."""
    for place in range(columns.shape[0]):
        value = row[columns[place]]
        if math.isnan(value):
            continue
        cell = table[target, place]
        if cell[_N] == 0.0:
            cell[_LEAST] = value
            cell[_MOST] = value
        else:
            cell[_LEAST] = min(cell[_LEAST], value)
            cell[_MOST] = max(cell[_MOST], value)
        before = cell[_MEAN]
        cell[_N] += w
        cell[_MEAN] += (w / cell[_N]) * (value - before)
        cell[_SQUARES] += w * (value - before) * (value - cell[_MEAN])


class TableLeaf(_Leaf):
    """A leaf of the forest whose feature statistics are a table [2 classes, its features, 5]."""

    splitters: dict[int, object] | None
    feature_indices: list[int]
    columns: npt.NDArray[np.int64] | None = None
    table: Float | None = None

    def update_splitters(self, x: dict[int, float], y: bool, w: float, nominal_attributes: Any) -> None:
        """Take one example into the statistics of the leaf's own random choice of features."""
        del nominal_attributes  # there are none: every feature is a number
        if self.columns is None:
            if not self.feature_indices:
                self.feature_indices = self._sample_features(x, self.max_features)
            self.columns = np.array(self.feature_indices, dtype=np.int64)
            self.table = np.zeros((2, len(self.columns), 5))
            # Features by when they were first seen: of equal splits River takes the last one.
            self.order: list[int] = []
        assert self.table is not None
        if len(self.order) < len(self.columns):
            known = set(self.order)
            self.order += [p for p, c in enumerate(self.feature_indices) if p not in known and c in x]
        width = int(self.columns.max(initial=-1)) + 1
        _take(row_of(x, width), self.columns, int(y), float(w), self.table)

    def prediction(self, x: dict[int, float], *, tree: Any = None) -> dict[bool, float]:
        """Shares of the classes seen here."""
        total = sum(self.stats.values())
        if total == 0:
            return dict(self.stats)
        share = 1 / total
        return {label: count * share for label, count in self.stats.items()}

    def best_split_suggestions(self, criterion: Any, tree: Any) -> list[BranchFactory]:
        """The best split of each feature, and the one not to split."""
        most = max(self.stats.values())
        if most and most / self.total_weight > tree.max_share_to_split:
            return [BranchFactory()]
        found = [BranchFactory()] if tree.merit_preprune else []
        if self.table is not None:
            for place in self.order:
                found.append(
                    self._best(criterion, self.table[:, place].tolist(), self.feature_indices[place])
                )
        return found

    def _best(self, criterion: Any, cells: list[list[float]], column: int) -> BranchFactory:
        best = BranchFactory()
        seen = [(bool(k), cell) for k, cell in enumerate(cells) if cell[_N] > 0.0]
        least, most = min(cell[_LEAST] for _, cell in seen), max(cell[_MOST] for _, cell in seen)
        step = (most - least) / (SPLITS + 1.0)
        for i in range(SPLITS):
            at = least + step * (i + 1)
            if not least < at < most:
                continue
            sides = _divided(seen, at)
            merit = criterion.merit_of_split(self.stats, sides)
            if merit > best.merit:
                best = BranchFactory(merit, column, at, sides)
        return best

    def activate(self) -> None:
        """Collect statistics (again, from nothing)."""
        if not self.is_active():
            self.splitters, self.columns, self.table = {}, None, None

    def deactivate(self) -> None:
        """Collect no statistics any more."""
        self.splitters = None
        self.columns = self.table = None


def _divided(seen: list[tuple[bool, list[float]]], at: float) -> list[dict[bool, float]]:
    """How the examples of each class would lie below and above a split, by their normal distributions."""
    below: dict[bool, float] = {}
    above: dict[bool, float] = {}
    for label, (n, mean, squares, least, most) in seen:
        if at < least:
            above[label] = n
        elif at >= most:
            below[label] = n
        else:
            spread = (squares / (n - 1) if n > 1 else 0.0) ** 0.5
            share = 0.5 * (1.0 + math.erf((at - mean) / spread / math.sqrt(2.0))) if spread else 0.0
            below[label] = share * n
            above[label] = n - below[label]
    return [below, above]


class TableTree(_Tree):
    """River's tree of the forest, with TableLeaf, walked without generators."""

    _root: Any

    def _new_leaf(self, initial_stats: Any = None, parent: Any = None) -> TableLeaf:
        depth = 0 if parent is None else parent.depth + 1
        return TableLeaf(
            {} if initial_stats is None else initial_stats, depth, self.splitter, self.max_features, self.rng
        )

    def predict_proba_one(self, x: Any) -> dict[bool, float]:
        """Shares of the classes in the leaf that x falls into."""
        shares = dict.fromkeys(sorted(self.classes), 0.0)
        if self._root is not None:
            shares.update(_walked(self._root, x)[0].prediction(x, tree=self))
        return shares

    def learn_one(self, x: Any, y: bool, *, w: float = 1.0) -> None:
        """Learn one example of weight w; the leaf it falls into may split."""
        self.classes.add(y)
        self._train_weight_seen_by_model += w
        if self._root is None:
            self._root = self._new_leaf()
            self._n_active_leaves = 1
        leaf, parent, known = _walked(self._root, x)
        leaf.learn_one(x, y, w=w, tree=self)
        # River tries no split for an example whose way led through a missing value.
        if known and self._growth_allowed and leaf.is_active():
            if leaf.depth >= self.max_depth:
                leaf.deactivate()
                self._n_active_leaves -= 1
                self._n_inactive_leaves += 1
            else:
                seen = leaf.total_weight
                if seen - leaf.last_split_attempt_at >= self.grace_period:
                    self._attempt_to_split(leaf, parent, None if parent is None else parent.branch_no(x))
                    leaf.last_split_attempt_at = seen
        if self._train_weight_seen_by_model % self.memory_estimate_period == 0:
            self._estimate_model_size()


def _walked(node: Any, x: dict[int, float]) -> tuple[Any, Any, bool]:
    """(leaf, its parent, True when no value was missing on the way)."""
    parent, known = None, True
    while type(node) is not TableLeaf:
        parent = node
        value = x.get(node.feature)
        if value is None:
            known = False
            node = node.most_common_path()[1]
        else:
            node = node.children[0 if value <= node.threshold else 1]
    return node, parent, known


class TableForest(forest.ARFClassifier):
    """River's adaptive random forest for two classes and numeric features, grown of TableTrees."""

    def _new_base_model(self) -> TableTree:
        names = ("max_features", "grace_period", "max_depth", "split_criterion", "delta", "tau", "leaf_prediction",
                 "nb_threshold", "splitter", "binary_split", "min_branch_fraction", "max_share_to_split", "max_size",
                 "memory_estimate_period", "stop_mem_management", "remove_poor_attrs", "merit_preprune")  # fmt: skip
        return TableTree(**{name: getattr(self, name) for name in names}, rng=self._rng)
