"""The forest with tables in its leaves grows the trees of River's adaptive random forest, bit for bit."""

from __future__ import annotations

import pickle

import numpy as np
from river import forest
from river.forest.adaptive_random_forest import ARFClassifier

from models.forest import _Nodes
from models.forest_trees import Given, TableForest

FEATURES = 12
PARAMETERS = {
    "n_models": 4, "max_features": 5, "lambda_value": 2, "grace_period": 40, "max_depth": 6, "delta": 1e-3,
    "leaf_prediction": "mc", "seed": 3,
}  # fmt: skip


def _stream(n, seed):
    """Rows with missing values and ties, whose meaning turns around in the middle, so that trees are replaced."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, FEATURES))
    rows[:, 1] = np.round(rows[:, 1])
    rows[:, 2] = rows[:, 1]
    odds = 3.0 * rows[:, 0] + 2.0 * rows[:, 1] * (rows[:, 3] > 0)
    odds[n // 2 :] *= -1.0
    fraud = rng.random(n) < 1.0 / (1.0 + np.exp(-odds))
    rows[rng.random(rows.shape) < 0.08] = np.nan
    return rows, fraud


def _flat(model):
    nodes = _Nodes()
    found = nodes.forest([nodes.add_tree(tree._root) for tree in model])
    return [getattr(found, name).tobytes() for name in found.__struct_fields__]


def test_trees_are_rivers_bit_for_bit_also_after_drift_and_a_pickle():
    rows, fraud = _stream(4000, 1)
    ours, rivers = TableForest(**PARAMETERS), ARFClassifier(**PARAMETERS)
    for model in (ours, rivers):
        model._init_ensemble(list(range(FEATURES)))
    for at, (row, y) in enumerate(zip(rows, fraud.tolist(), strict=True)):
        given = Given.of(row)
        assert ours.predict_proba_one(given) == rivers.predict_proba_one(given)
        ours.learn_one(given, y)
        rivers.learn_one(dict(given), y)
        if at % 500 == 499:
            assert _flat(ours) == _flat(rivers)
            ours = pickle.loads(pickle.dumps(ours))
    assert ours.n_drifts_detected() == rivers.n_drifts_detected() > 0
    assert max(tree.height for tree in ours) > 3, "the trees must have split for this to mean anything"
    assert isinstance(ours, forest.ARFClassifier)


def test_a_plain_dict_teaches_the_same_as_a_given_row():
    rows, fraud = _stream(800, 2)
    models = [TableForest(**PARAMETERS), TableForest(**PARAMETERS)]
    for row, y in zip(rows, fraud.tolist(), strict=True):
        given = Given.of(row)
        models[0].learn_one(given, y)
        models[1].learn_one(dict(given), y)
    assert _flat(models[0]) == _flat(models[1])


def test_infinite_values_count_as_missing():
    given = Given.of(np.array([1.0, np.inf, np.nan, -np.inf]))
    assert dict(given) == {0: 1.0}
    assert np.array_equal(given.row, [1.0, np.nan, np.nan, np.nan], equal_nan=True)
