"""Forests laid out for speed, and the walks over them.

A tree is walked by all rows of a block before the next tree's turn, so its nodes are read from the cache; every row
takes as many steps as the tree is deep, so nothing in the loop depends on data the processor would have to guess.
Siblings lie side by side, and a leaf leads to itself. Each row still adds up its trees in one fixed order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.compiled import Forest
from models.kernels import inlined, kernel

Float = npt.NDArray[np.float64]
Places = npt.NDArray[np.uint32]
BLOCK = 32
"""Rows that walk a tree together: so many rows of some hundred features stay in the fast caches."""


class Grove(NamedTuple):
    """A forest in walking order. N nodes: feature, threshold, child (left; right is the next one), missing_right (1: a
    missing value goes right), value; a leaf has threshold +inf and is its own child. T trees: roots, steps (depth)."""

    roots: Places
    steps: Places
    feature: Places
    threshold: Float
    child: Places
    missing_right: Places
    value: Float


def grove_of(forest: Forest) -> Grove:
    """The forest in walking order: trees one after another, each breadth first."""
    feature, left, right = forest.feature.tolist(), forest.left.tolist(), forest.right.tolist()
    order: list[int] = []
    child: list[int] = []
    roots, steps = [], []
    for root in forest.roots.tolist():
        roots.append(len(order))
        level, depth = [root], -1
        order.append(root)
        while level:
            depth += 1
            below: list[int] = []
            for node in level:
                if feature[node] >= 0:
                    child.append(len(order))
                    order += (left[node], right[node])
                    below += (left[node], right[node])
                else:
                    child.append(len(child))
            level = below
        steps.append(depth)
    at = np.array(order, dtype=np.int64)
    inner = forest.feature[at] >= 0 if order else np.empty(0, dtype=np.bool_)
    return Grove(
        roots=np.array(roots, dtype=np.uint32),
        steps=np.array(steps, dtype=np.uint32),
        feature=np.where(inner, forest.feature[at], 0).astype(np.uint32),
        threshold=np.where(inner, forest.threshold[at], np.inf),
        child=np.array(child, dtype=np.uint32),
        missing_right=(inner & (forest.missing_left[at] != 1)).astype(np.uint32),
        value=forest.value[at],
    )


@inlined
def _step(block: Float, i: int, node: np.uint64, grove: Grove) -> np.uint64:
    x = block[i, grove.feature[node]]
    right = (x > grove.threshold[node]) | ((x != x) & (grove.missing_right[node] == 1))
    return np.uint64(grove.child[node]) + np.uint64(right)


@kernel
def walk_block(block: Float, size: int, grove: Grove, out: Float) -> None:
    """Mean over the trees of the leaves that the first `size` rows of a block [BLOCK, F] fall into, into out; 0 without
    trees. Missing values are NaN, infinite ones may not occur."""
    for i in range(size):
        out[i] = 0.0
    trees = len(grove.roots)
    if trees == 0:
        return
    for t in range(trees):
        root, steps = np.uint64(grove.roots[t]), grove.steps[t]
        i = 0
        # Four rows at a time: while one waits for its node the others go on.
        while i + 4 <= size:
            a = b = c = d = root
            for _ in range(steps):
                a = _step(block, i, a, grove)
                b = _step(block, i + 1, b, grove)
                c = _step(block, i + 2, c, grove)
                d = _step(block, i + 3, d, grove)
            out[i] += grove.value[a]
            out[i + 1] += grove.value[b]
            out[i + 2] += grove.value[c]
            out[i + 3] += grove.value[d]
            i += 4
        while i < size:
            a = root
            for _ in range(steps):
                a = _step(block, i, a, grove)
            out[i] += grove.value[a]
            i += 1
    for i in range(size):
        out[i] /= trees


@kernel
def start_of(grove: Grove) -> float:
    """Mean value of the roots, from which every row starts; 0 without trees."""
    total = 0.0
    for root in grove.roots:
        total += grove.value[root]
    return total / max(len(grove.roots), 1)


@kernel
def walk_path(rows: Float, i: int, grove: Grove, scale: float, shares: Float) -> None:
    """The score of row i of rows [n, F] told apart: a step's change goes to the feature that decided it (Saabas, 2014).

    Adds scale × change to shares [F or more]; with scale 1 the shares and `start_of` add up to the score.
    """
    trees = len(grove.roots)
    for t in range(trees):
        node = np.uint64(grove.roots[t])
        for _ in range(grove.steps[t]):
            below = _step(rows, i, node, grove)
            shares[grove.feature[node]] += scale * (grove.value[below] - grove.value[node]) / trees
            node = below
