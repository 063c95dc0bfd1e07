"""River's own estimator checks on every learner, over a stream like ours: numbers under column numbers, some missing.

River's bundled runner would fetch data sets and use text as feature names; the checks themselves are River's.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from river import base
from river.checks import clf, common

from models import boosting
from models.anomaly import GoodHalfSpace
from models.boosting import RefittedBoosting
from models.forest import BoundedForest
from models.learners import LEARNERS
from models.logistic import OnlineLogistic
from models.scaling import RunningScale

FEATURES = 6


def estimator_of(kind: type) -> base.Estimator:
    """The River estimator that learns: the wrapped one, or the learner where it is one itself."""
    learner = kind(FEATURES)
    return learner if isinstance(learner, base.Estimator) else learner._model


def stream_of(kind: type, n: int = 400) -> list[tuple[dict[int, float], bool]]:
    generator = np.random.default_rng(2)
    scale = RunningScale(FEATURES)
    out = []
    for _ in range(n):
        row = generator.normal(size=FEATURES)
        fraud = bool(row[0] + generator.normal() > 1.5)
        row[generator.random(FEATURES) < 0.05] = np.nan
        scale.update(row)
        out.append((kind.inputs(scale.apply(row)), fraud))
    return out


ON_MODELS = [
    common.check_repr, common.check_str, common.check_tags, common.check_clone_same_class,
    common.check_clone_is_idempotent, common.check_clone_changes_memory_addresses,
    common.check_pickling_supports_roundtrip,
]  # fmt: skip
ON_STREAMS = [
    common.check_learn_one, common.check_pickling, common.check_predict_one_pure, common.check_emerging_features,
    common.check_disappearing_features, common.check_radically_disappearing_features,
    common.check_no_state_aliasing_with_input, common.check_clone_is_independent,
]  # fmt: skip
FOR_CLASSIFIERS = [clf.check_predict_proba_one, clf.check_predict_proba_one_binary]


@pytest.fixture(autouse=True)
def _fits_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boosted trees must exist for a check of them to mean anything."""
    monkeypatch.setattr(boosting, "FIRST", 100)
    monkeypatch.setattr(boosting, "ROUNDS", 5)


def test_every_learner_is_checked() -> None:
    assert set(LEARNERS) == {OnlineLogistic, BoundedForest, RefittedBoosting, GoodHalfSpace}
    assert all(isinstance(estimator_of(kind), base.Estimator) for kind in LEARNERS)


@pytest.mark.parametrize("kind", LEARNERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", ON_MODELS, ids=lambda check: check.__name__)
def test_as_an_estimator(kind: type, check) -> None:
    check(estimator_of(kind))


@pytest.mark.parametrize("kind", LEARNERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", ON_STREAMS, ids=lambda check: check.__name__)
def test_on_a_stream(kind: type, check) -> None:
    # The last argument is the stream; some checks take the model alone as the first.
    assert len(inspect.signature(check).parameters) == 2
    check(estimator_of(kind), stream_of(kind))


@pytest.mark.parametrize(
    "kind", [kind for kind in LEARNERS if kind is not GoodHalfSpace], ids=lambda kind: kind.name
)
@pytest.mark.parametrize("check", FOR_CLASSIFIERS, ids=lambda check: check.__name__)
def test_as_a_classifier(kind: type, check) -> None:
    model = estimator_of(kind)
    if check is clf.check_predict_proba_one_binary and model._multiclass:
        pytest.skip("River asks for both labels only of classifiers that know no others")
    check(model, stream_of(kind))


def test_boosting_learns_through_the_verbs_of_river_alone() -> None:
    model = RefittedBoosting(FEATURES)
    stream = stream_of(RefittedBoosting, 1500)
    for x, fraud in stream[:1000]:
        model.learn_one(x, fraud)
    right = np.mean([model.predict_one(x) == fraud for x, fraud in stream[1000:]])
    assert right > 0.8
