"""Contract of every learner in the registry, and of the learner that joins them."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import xgboost

from models import boosting, learners
from models.anomaly import GoodHalfSpace
from models.boosting import RefittedBoosting
from models.calibration import stack
from models.errors import SnapshotError
from models.forest import MAX_LEAVES, BoundedForest
from models.learners import LEARNERS, OnlineLearner
from models.logistic import OnlineLogistic
from models.quality import expected_calibration_error, roc_auc
from models.scaling import RunningScale
from models.serving import MODELS, Snapshot
from models.serving_kernels import half_space_score
from models.tree_walk import grove_of, walk_block

FEATURES = tuple(f"f{i}" for i in range(8))


def stream(n: int, seed: int = 3, base: float = -3.5) -> tuple[np.ndarray, np.ndarray]:
    """Rows [n, 8] with missing values and heavy tails; a corner of the space is far riskier than the rest."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(n, 8))
    rows[:, 1] = np.exp(2 * rows[:, 1])
    logit = base + 1.2 * rows[:, 0] + 2.5 * ((rows[:, 1] > 3) & (rows[:, 2] > 0.5))
    fraud = generator.random(n) < 1 / (1 + np.exp(-logit))
    rows[generator.random(rows.shape) < 0.05] = np.nan
    return rows, fraud


def taught(n: int, seed: int = 7, rate: float = 0.2) -> OnlineLearner:
    """A learner that saw the stream with negatives sampled at `rate`."""
    learner = OnlineLearner(FEATURES, seed=seed, negative_rate=rate)
    rows, fraud = stream(n)
    kept = fraud | (np.random.default_rng(0).random(n) < rate)
    for row, label in zip(rows[kept], fraud[kept], strict=True):
        learner.learn(row, bool(label))
    return learner


@cache
def trained() -> tuple[bytes, bytes]:
    """(snapshot, state) after some 3,500 examples; shared, since it is bytes."""
    learner = taught(12_000)
    return learner.snapshot(), learner.to_state()


def verbs(model, x) -> float:
    return model.score_one(x) if hasattr(model, "score_one") else model.predict_proba_one(x)[True]


@pytest.mark.parametrize("kind", LEARNERS, ids=lambda kind: kind.name)
class TestContract:
    def learnt(self, kind, n: int = 1000):
        rows, fraud = stream(n)
        scale = RunningScale(8)
        model = kind(8, seed=7)
        inputs = []
        for row, label in zip(rows, fraud, strict=True):
            scale.update(row)
            inputs.append(model.inputs(scale.apply(row)))
            model.learn_one(inputs[-1], bool(label))
        return model, inputs, scale

    def test_scores_are_probabilities_also_with_everything_missing(self, kind):
        model, inputs, scale = self.learnt(kind)
        nothing = model.inputs(scale.apply(np.full(8, np.nan)))
        for x in [*inputs[:50], nothing]:
            assert 0.0 <= verbs(model, x) <= 1.0

    def test_scoring_changes_nothing(self, kind):
        model, inputs, _ = self.learnt(kind)
        before = pickle.dumps(model.compiled())
        for x in inputs[:200]:
            verbs(model, x)
        assert pickle.dumps(model.compiled()) == before

    def test_equal_calls_give_equal_models_and_a_copy_goes_on_alike(self, kind):
        one, inputs, _ = self.learnt(kind)
        other = pickle.loads(pickle.dumps(self.learnt(kind)[0]))
        for i, x in enumerate(inputs[:400]):
            one.learn_one(x, i % 7 == 0)
            other.learn_one(x, i % 7 == 0)
        assert pickle.dumps(one.compiled()) == pickle.dumps(other.compiled())

    def test_learning_changes_the_model(self, kind):
        assert pickle.dumps(self.learnt(kind, 500)[0].compiled()) != pickle.dumps(
            self.learnt(kind)[0].compiled()
        )


def test_registry_order_is_that_of_serving():
    assert tuple(kind.name for kind in LEARNERS) == MODELS


def test_compiled_logistic_equals_river():
    model, inputs, _ = TestContract().learnt(OnlineLogistic)
    compiled = model.compiled()
    for x in inputs[-100:]:
        logit = compiled.intercept + sum(compiled.weights[i] * value for i, value in x.items())
        assert model.predict_proba_one(x)[True] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-12)


def test_compiled_half_space_equals_river():
    model, inputs, _ = TestContract().learnt(GoodHalfSpace)
    compiled = model.compiled()
    for x in inputs[-200:]:
        squash = np.array(list(x.values()))
        walked = half_space_score(squash, compiled.feature, compiled.threshold, compiled.mass)
        assert walked == pytest.approx(model.score_one(x), abs=1e-12)


def test_compiled_forest_takes_the_paths_of_river_also_where_values_are_missing():
    model, inputs, _ = TestContract().learnt(BoundedForest, 2500)
    flat = model.compiled()
    score = np.empty(1)
    assert len(flat.feature) > 5 * len(flat.roots), "the trees must have grown for this test to mean anything"
    for x in inputs[-300:]:
        row = np.array([x.get(j, np.nan) for j in range(8)])
        for root, tree in zip(flat.roots, model._model, strict=True):
            leaf = tree._root.traverse(x) if flat.feature[root] >= 0 else tree._root
            node = root
            while flat.feature[node] >= 0:
                value = row[flat.feature[node]]
                left = flat.missing_left[node] if np.isnan(value) else value <= flat.threshold[node]
                node = (flat.left if left else flat.right)[node]
            frauds, good = leaf.stats.get(True, 0.0), leaf.stats.get(False, 0.0)
            # Smoothing pulls the rate towards the parent, never past the leaf's own rate and never to 0 or 1.
            alone = msgspec.structs.replace(flat, roots=np.array([root], dtype=np.int32))
            walk_block(row[None, :], 1, grove_of(alone), score)
            assert score[0] == flat.value[node]
            if frauds + good > 200:
                own = frauds / (frauds + good)
                assert 1 / (1 + np.exp(-flat.value[node])) == pytest.approx(own, abs=0.01)


def test_compiled_boosting_equals_xgboost_also_where_values_are_missing(monkeypatch):
    fits = []

    def flat(model):
        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps(model).encode()))
        fits.append(booster)
        return whole(model)

    whole = boosting._flat
    monkeypatch.setattr(boosting, "_flat", flat)
    model, inputs, _ = TestContract().learnt(RefittedBoosting, 2500)
    assert len(fits) > 2
    table = np.full((300, 8), np.nan, dtype=np.float32)
    for row, x in zip(table, inputs[-300:], strict=True):
        row[list(x)] = list(x.values())
    told = [
        model.predict_proba_one({j: float(v) for j, v in enumerate(row) if np.isfinite(v)})[True]
        for row in table
    ]
    logits = [fit.predict(xgboost.DMatrix(table), output_margin=True) for fit in fits[-2:]]
    assert told == pytest.approx(1 / (1 + np.exp(-np.mean(logits, axis=0))), abs=2e-6)
    assert max(told) > 0.5 > 0.05 > min(told)


def test_boosting_keeps_the_newest_examples_and_corrects_a_label_by_its_key(monkeypatch):
    monkeypatch.setattr(boosting, "KEPT", 600)
    model = RefittedBoosting(1)
    for key in range(2000):
        model.learn_one({0: float(key)}, key % 2 == 0, 1.0, key)
    assert len(model._fraud) == 600
    assert sorted(model._rows[:, 0]) == list(range(1400, 2000))
    model.learn_one({0: 1998.0}, False, 1.0, 1998)
    model.learn_one({0: 3.0}, False, 1.0, 3)  # no longer kept: taken as a new example
    fraud = dict(zip(model._rows[:, 0].tolist(), model._fraud.tolist(), strict=True))
    assert fraud[1998.0] is False
    assert fraud[1996.0] is True
    assert 3.0 in fraud
    assert 1400.0 not in fraud


def test_stack_finds_the_model_that_knows_and_never_goes_below_zero():
    generator = np.random.default_rng(5)
    truth = generator.normal(-4, 2, 20_000)
    fraud = (generator.random(20_000) < 1 / (1 + np.exp(-truth))).astype(np.float64)
    noise, against = generator.normal(-4, 1, 20_000), -truth
    z = np.stack([truth, noise, against], axis=1)
    parts = stack(z, fraud, np.full(20_000, 10.0), np.array([0.4, 0.4, 0.2]))
    assert (parts >= 0).all()
    assert parts[0] == pytest.approx(1.0, abs=0.1)
    assert parts[1] < 0.15
    assert parts[2] < 0.05


def test_forest_stays_below_its_bound():
    model = BoundedForest(4, seed=1)
    generator = np.random.default_rng(1)
    rows = generator.random((5000, 4))
    for row in rows:
        model.learn_one(dict(enumerate(row.tolist())), bool((np.floor(row * 4).sum() % 2) > 0))
    cap = 12
    learners_cap = MAX_LEAVES
    try:
        sys.modules["models.forest"].MAX_LEAVES = cap
        for row in rows:
            model.learn_one(dict(enumerate(row.tolist())), bool((np.floor(row * 4).sum() % 2) > 0))
    finally:
        sys.modules["models.forest"].MAX_LEAVES = learners_cap
    grown = [tree for tree in model._model if not tree._growth_allowed]
    assert grown
    for tree in grown:
        assert not any(leaf.is_active() for leaf in tree._find_leaves())


def test_snapshot_is_the_same_bytes_in_another_process_with_another_hash_seed():
    code = (
        "from tests.test_learners import taught; import sys; sys.stdout.write(taught(3500).snapshot().hex())"
    )
    outputs = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] == taught(3500).snapshot().hex()


def test_another_seed_gives_another_snapshot():
    assert taught(4500, seed=7).snapshot() != taught(4500, seed=8).snapshot()


def test_resumed_learner_goes_on_as_if_it_never_stopped():
    rows, fraud = stream(1200, seed=9)
    straight, resumed = taught(3500), OnlineLearner.from_state(taught(3500).to_state())
    assert resumed.examples == straight.examples
    for i, (row, label) in enumerate(zip(rows, fraud, strict=True)):
        straight.learn(row, bool(label))
        resumed.learn(row, bool(label))
        if i == 600:
            resumed = OnlineLearner.from_state(resumed.to_state())
    assert resumed.snapshot() == straight.snapshot()


def test_snapshot_does_not_disturb_learning():
    rows, fraud = stream(800, seed=9)
    plain, disturbed = taught(2500), taught(2500)
    for row, label in zip(rows, fraud, strict=True):
        plain.learn(row, bool(label))
        disturbed.learn(row, bool(label))
        if label:
            disturbed.snapshot()
    assert disturbed.snapshot() == plain.snapshot()


def test_risk_ranks_and_is_a_probability_although_negatives_were_sampled():
    rows, fraud = stream(30_000, seed=21)
    scores = Snapshot.from_bytes(trained()[0]).score(rows)
    truth = fraud.mean()
    assert roc_auc(fraud, scores.risk) > 0.75
    # Without the correction the mean would be about four times the true rate.
    assert scores.risk.mean() == pytest.approx(truth, rel=0.25)
    assert expected_calibration_error(fraud, scores.risk) < 0.02
    for name in ("logistic", "forest", "boosted"):
        assert roc_auc(fraud, scores.by_model[name]) > 0.7
        assert scores.by_model[name].mean() == pytest.approx(truth, rel=0.35)


def test_too_little_learnt_is_untrained():
    learner = OnlineLearner(FEATURES)
    assert learner.snapshot() == Snapshot.untrained(FEATURES).data
    rows, _ = stream(200)
    for row in rows:
        learner.learn(row, False)
    assert learner.snapshot() == Snapshot.untrained(FEATURES).data
    assert (learner.examples, learner.frauds) == (200, 0)


def test_state_of_another_river_or_torn_is_refused(monkeypatch):
    state = trained()[1]
    with pytest.raises(SnapshotError, match="torn"):
        OnlineLearner.from_state(state[:-1] + bytes([state[-1] ^ 1]))
    with pytest.raises(SnapshotError, match="torn"):
        OnlineLearner.from_state(state[:-40])
    with pytest.raises(SnapshotError, match="no learner state"):
        OnlineLearner.from_state(b"")
    monkeypatch.setattr(learners, "river_version", "99.0")
    with pytest.raises(SnapshotError, match=r"99\.0"):
        OnlineLearner.from_state(state)


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="negative_rate"):
        OnlineLearner(FEATURES, negative_rate=0.0)
    with pytest.raises(ValueError, match="8 features"):
        OnlineLearner(FEATURES).learn(np.zeros(3), True)


def test_huge_and_infinite_values_do_no_lasting_harm():
    learner = taught(4500)
    for value in (1e300, -1e300, np.inf, -np.inf, np.nan):
        learner.learn(np.full(8, value), False)
    rows, fraud = stream(4000, seed=21)
    risk = Snapshot.from_bytes(learner.snapshot()).score(rows).risk
    assert np.isfinite(risk).all()
    assert roc_auc(fraud, risk) > 0.65


def test_scale_takes_a_constant_features_first_other_value_whole_and_bounds_the_absurd():
    scale = RunningScale(1)
    values = [0.0] * 1000 + [5.0] * 250
    for value in values:
        scale.update(np.array([value]))
    assert scale.mean[0] == pytest.approx(np.mean(values))
    assert scale.spread()[0] == pytest.approx(np.std(values))
    before = scale.spread()[0]
    scale.update(np.array([1e300]))
    assert scale.spread()[0] < 5 * before


def test_scale_follows_numpy_and_leaves_missing_values_out():
    rows, _ = stream(3000)
    scale = RunningScale(8)
    for row in rows:
        scale.update(row)
    assert scale.mean[:8] == pytest.approx(np.nanmean(rows, axis=0))
    assert scale.spread()[8:] == pytest.approx(np.nanstd(np.sign(rows) * np.log1p(np.abs(rows)), axis=0))
    missing = scale.apply(np.full(8, np.nan)).scaled
    assert missing.tolist() == [0.0] * 16 + [1.0] * 8
