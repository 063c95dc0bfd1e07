"""The offline baseline on kept vectors, groups of features, and the ablation."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.evaluation import boosted, groups, vector_file
from dataflow.evaluation.ablation import ablation, boosted_without
from dataflow.evaluation.protocol import DAY_MS, Fold, Scored, measure
from dataflow.evaluation.vector_file import VectorFile
from models.catalogue.feature import Feature
from models.errors import MappingError, SettingsError
from models.features import BY_NAME, CATALOGUE

TELLING, NOISE, MISSING, CONSTANT = range(4)


@pytest.fixture
def kept(monkeypatch):
    """2000 payments of four features, of which the first tells most frauds; one fold of the last fifth."""
    monkeypatch.setattr(boosted, "ROUNDS", 20)
    monkeypatch.setattr(vector_file, "CHUNK", 300)
    draw = np.random.default_rng(4)
    n = 2000
    fraud = draw.random(n) < 0.1
    table = np.column_stack(
        [draw.normal(size=n) + 3 * fraud, draw.normal(size=n), np.full(n, np.nan), np.full(n, 7.0)]
    )
    data = Scored(np.arange(n) * DAY_MS // 100, np.zeros(n), fraud)
    test = np.arange(n) >= 1600
    with VectorFile(4) as vectors:
        for start in range(0, n, 128):
            vectors.add(table[start : start + 128])
        yield data, [Fold(~test, ~test, test)], vectors


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 70), min_size=1, max_size=6), st.integers(0, 2**16), st.floats(0, 1))
def test_a_vector_file_gives_back_what_was_added(sizes, seed, share):
    draw = np.random.default_rng(seed)
    parts = [draw.normal(size=(size, 3)) for size in sizes]
    whole = np.concatenate(parts).astype(np.float32)
    rows = draw.random(len(whole)) < share
    before, vector_file.CHUNK = vector_file.CHUNK, 17
    try:
        with VectorFile(3) as vectors:
            for part in parts:
                vectors.add(part)
            found = list(vectors.batches(rows, [2, 0]))
            again = list(vectors.batches(rows))
    finally:
        vector_file.CHUNK = before
    at = np.concatenate([at for at, _ in found]) if found else np.empty(0, dtype=int)
    assert at.tolist() == np.flatnonzero(rows).tolist()
    assert all((part == whole[at][:, [2, 0]]).all() for at, part in found)
    assert all((part == whole[at]).all() for at, part in again)


def test_flags_of_another_length_are_refused(kept):
    _, _, vectors = kept
    with pytest.raises(ValueError, match="2000 rows"):
        next(vectors.batches(np.ones(3, dtype=np.bool_)))


def test_the_baseline_learns_what_is_known_and_scores_the_test_only(kept):
    data, folds, vectors = kept
    assert vectors.telling.tolist() == [True, True, False, False]
    done: list[float] = []
    score = boosted.boosted_scores(data, folds, vectors, done.append)
    assert done == [1]
    assert not score[folds[0].known].any()
    assert measure(data.scored(score), folds)["mean"]["roc_auc"] > 0.95
    assert (boosted.boosted_scores(data, folds, vectors, done.append) == score).all()
    turned = Scored(data.time, data.score, data.fraud ^ folds[0].test)
    assert (boosted.boosted_scores(turned, folds, vectors, done.append) == score).all()
    blind = boosted.boosted_scores(data, folds, vectors, done.append, without=[TELLING])
    assert measure(data.scored(blind), folds)["mean"]["roc_auc"] < 0.65
    fewer = boosted.boosted_scores(data, folds, vectors, done.append, share=0.3)
    assert measure(data.scored(fewer), folds)["mean"]["roc_auc"] > 0.95
    # Good payments that are not learnt are stood for: the level of the scores stays.
    assert abs(np.median(fewer[folds[0].test]) - np.median(score[folds[0].test])) < 0.7


def test_old_payments_are_left_out(kept, monkeypatch):
    data, folds, vectors = kept
    monkeypatch.setattr(boosted, "TRAINING_DAYS", 4)
    score = boosted.boosted_scores(data, folds, vectors, lambda _: None)
    newest = data.time[folds[0].known].max()
    late = folds[0].known & (data.time > newest - 4 * DAY_MS)
    older = Scored(data.time, data.score, np.where(folds[0].known & ~late, False, data.fraud))
    assert (boosted.boosted_scores(older, folds, vectors, lambda _: None) == score).all()


def test_a_baseline_with_nothing_to_learn_is_refused(kept, monkeypatch):
    data, folds, vectors = kept
    with pytest.raises(MappingError, match="fold 0: 0 frauds among the 1600"):
        boosted.boosted_scores(
            Scored(data.time, data.score, data.fraud & folds[0].test), folds, vectors, print
        )
    with pytest.raises(MappingError, match="no feature varies"):
        boosted.boosted_scores(data, folds, vectors, print, without=[TELLING, NOISE])
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(SettingsError, match="make install"):
        boosted.check_installed()


def test_the_ablation_finds_the_group_that_tells(kept):
    data, folds, vectors = kept
    done: list[float] = []
    table = ablation(
        "xgboost",
        {"useful": [TELLING], "noise": [NOISE], "not there": [MISSING, CONSTANT]},
        vectors.telling,
        boosted_without(data, folds, vectors),
        done.append,
    )
    assert done == [1, 2, 3, 4]
    rows = {row["group"]: row for row in table["groups"]}
    assert table["mean"]["roc_auc"] > 0.95
    assert rows["useful"]["change"]["roc_auc"] < -0.3
    assert abs(rows["noise"]["change"]["roc_auc"]) < 0.02
    assert rows["not there"]["in_data"] == 0
    assert rows["not there"]["mean"] == table["mean"]
    assert all(row["change"]["card_precision_100"] is None for row in rows.values())


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda f: f.name)
def test_every_feature_has_a_group(feature):
    assert groups.group_of(feature) in groups.GROUPS


def test_groups_part_the_catalogue():
    columns = groups.columns_by_group(CATALOGUE)
    assert sorted(column for part in columns.values() for column in part) == list(range(len(CATALOGUE)))
    assert len(columns) == len(groups.GROUPS), "a group without a feature says nothing"
    assert len({group.name for group in groups.GROUPS}) == len(groups.GROUPS)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("amount_usd", "amount"),
        ("amount_over_card_mean", "amount"),
        ("card_count_1h", "velocity"),
        ("customer_usd_7d", "velocity"),
        ("device_cards_30d", "distinct counts"),
        ("card_device_is_new", "novelty"),
        ("merchant_fraud_rate_7d", "memory of outcomes"),
        ("merchant_last_fraud_deviation", "memory of outcomes"),
        ("corridor_fraud_rate", "corridor and base rates"),
        ("hour_unusual_customer", "time and rhythm"),
        ("customer_logins_failed_1h", "behaviour"),
        ("merchant_bad_credential_share_1h", "authorisation"),
        ("card_geo_speed_kmh", "geography"),
    ],
)
def test_known_features_are_where_one_looks_for_them(name, group):
    assert groups.group_of(BY_NAME[name]).name == group


def test_a_feature_of_no_group_is_named_with_what_to_do():
    stranger = Feature("card_moonphase", "card", "ratio", "", "", lambda view: view.times)
    with pytest.raises(SettingsError, match=r"card_moonphase.*GROUPS"):
        groups.group_of(stranger)
