"""Logistic regression, one settled label at a time; it fails where only a combination of features tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from river import linear_model, optim

from models.compiled import Linear
from models.scaling import Row

Float = npt.NDArray[np.float64]
# Learning rate measured on the handbook's months before the test folds: 0.005 beats 0.001–0.02 and AdaGrad.
RATE = 0.005


class OnlineLogistic:
    """River's logistic regression by stochastic gradient descent over the scaled row (see
    models/scaling.py)."""

    name = "logistic"

    def __init__(self, features: int, seed: int = 7) -> None:
        del seed  # gradient descent from zero weights draws no random number
        self._inputs = 3 * features
        # The first rate of frauds among learnt examples is about 1 in 12 (negatives are under-sampled).
        self._model: Any = linear_model.LogisticRegression(
            optimizer=optim.SGD(RATE), intercept_init=-2.4, intercept_lr=0.01
        )

    @staticmethod
    def inputs(row: Row) -> dict[int, float]:
        """What the model reads of a row."""
        return dict(enumerate(row.scaled.tolist()))

    def learn_one(self, x: dict[int, float], y: bool, w: float = 1.0) -> None:
        """Learn one labelled example."""
        self._model.learn_one(x, y, w=w)

    def predict_proba_one(self, x: dict[int, float]) -> dict[bool, float]:
        """River's own probability; serving reads `compiled` instead."""
        return dict(self._model.predict_proba_one(x))

    def compiled(self) -> Linear:
        """Weights as an array."""
        weights = self._model.weights
        return Linear(
            float(self._model.intercept), np.array([weights.get(i, 0.0) for i in range(self._inputs)])
        )
