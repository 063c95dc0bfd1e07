"""Half-space trees: how unusual a payment is, whatever the labels say.

Tan, Ting and Liu, "Fast Anomaly Detection for Streaming Data" (IJCAI 2011). The trees cut the space of
squashed features at random and count how many examples of the last window fell into each part. Only settled
good payments are counted, so a wave of fraud does not become the new usual. Frauds packed together in
unlabelled windows are its blind spot (velocity rules cover that), and its share of the blend is small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from river import anomaly

from models.compiled import HEIGHT, WINDOW, HalfSpace
from models.scaling import Row

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
TREES = 10


class GoodHalfSpace:
    """River's HalfSpaceTrees over squashed features, fed with settled good payments only."""

    name = "anomaly"

    def __init__(self, features: int, seed: int = 7) -> None:
        del features  # the trees are built from the first example, which always has every feature
        self._model: Any = anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=seed)

    @staticmethod
    def inputs(row: Row) -> dict[int, float]:
        """What the model reads of a row: values in (0, 1), a missing one in the middle."""
        return dict(enumerate(row.squash.tolist()))

    def learn_one(self, x: dict[int, float], y: bool, w: float = 1.0) -> None:
        """Count a good payment; frauds are passed over."""
        del w  # masses are counts: a weight would only stretch the window
        if not y:
            self._model.learn_one(x)

    def score_one(self, x: dict[int, float]) -> float:
        """Anomaly score in [0, 1]; 0 until the first window is full."""
        return float(self._model.score_one(x))

    def compiled(self) -> HalfSpace:
        """All trees as flat arrays."""
        feature: list[int] = []
        threshold: list[float] = []
        mass: list[float] = []
        for tree in [] if self._model._first_window else self._model.trees:
            level = [tree]
            for _ in range(HEIGHT):
                feature.extend(node.feature for node in level)
                threshold.extend(node.threshold for node in level)
                mass.extend(node.r_mass for node in level)
                level = [child for node in level for child in node.children]
            mass.extend(leaf.r_mass for leaf in level)
        return HalfSpace(
            np.array(feature, dtype=np.int32),
            np.array(threshold, dtype=np.float64),
            np.array(mass, dtype=np.float64),
        )
