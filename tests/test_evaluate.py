"""The evaluation protocols: which rows count, and what is measured on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from dataflow.evaluation import protocol
from dataflow.evaluation.protocol import DAY_MS, HANDBOOK_START_MS, Handbook, Holdout, Scored
from models.errors import MappingError


def synthetic(seed: int = 1, n: int = 8000, days: int = 42, cards: int = 300) -> Scored:
    generator = np.random.default_rng(seed)
    time = HANDBOOK_START_MS + np.sort(generator.integers(0, days * DAY_MS, n))
    fraud = generator.random(n) < 0.03
    return Scored(time, generator.normal(size=n) + fraud, fraud, generator.integers(0, cards, n))


def slow_test_rows(data: Scored, fold: int) -> set[int]:
    """The book's get_train_test_set, row by row and day by day."""
    start = HANDBOOK_START_MS // DAY_MS + 7 * fold
    rows = list(zip((data.time // DAY_MS - start).tolist(), data.card.tolist(), data.fraud, strict=True))
    known = {card for day, card, fraud in rows if 0 <= day < 7 and fraud}
    kept = set()
    for d in range(7):
        known |= {card for day, card, fraud in rows if day == 7 + d - 1 and fraud}
        kept |= {i for i, (day, card, _) in enumerate(rows) if day == 14 + d and card not in known}
    return kept


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_folds_equal_the_slow_protocol(seed):
    data = synthetic(seed, n=1500, cards=120)
    day = (data.time - HANDBOOK_START_MS) // DAY_MS
    for number, fold in enumerate(Handbook().split(data)):
        assert set(np.flatnonzero(fold.test).tolist()) == slow_test_rows(data, number)
        assert fold.known.tolist() == (day < 7 * number + 7).tolist()
        assert fold.recent.tolist() == ((day >= 7 * number) & (day < 7 * number + 7)).tolist()


def test_tests_of_folds_share_no_row_and_come_after_what_is_known():
    folds = Handbook().split(synthetic())
    assert np.sum([fold.test for fold in folds], axis=0).max() == 1
    data = synthetic()
    for fold in folds:
        assert data.time[fold.test].min() - data.time[fold.known].max() > 7 * DAY_MS - DAY_MS // 4


def test_handbook_measures_and_summary():
    data = synthetic()
    found = protocol.measure(data, Handbook().split(data))
    assert len(found["folds"]) == 4
    rows = sorted(slow_test_rows(data, 2))
    fold = found["folds"][2]
    assert fold["roc_auc"] == pytest.approx(roc_auc_score(data.fraud[rows], data.score[rows]))
    assert fold["average_precision"] == pytest.approx(
        average_precision_score(data.fraud[rows], data.score[rows])
    )
    assert 0 < fold["card_precision_100"] < 1
    values = [f["roc_auc"] for f in found["folds"]]
    assert found["mean"]["roc_auc"] == pytest.approx(np.mean(values))
    assert found["std"]["roc_auc"] == pytest.approx(np.std(values))


def test_a_fold_by_hand():
    """Card 1 is known from the training week, card 2 from day 7 on; cards 3 and 4 stay in the test."""
    day, card, fraud, score = zip(
        (0, 1, True, 0.0), (7, 2, True, 0.0), (13, 3, False, 0.0),
        (14, 1, True, 0.9), (14, 2, True, 0.8), (14, 3, True, 0.7), (14, 4, False, 0.6),
        (15, 2, True, 0.9), (15, 3, True, 0.4), (15, 4, False, 0.5),
        (20, 4, True, 0.1), (21, 4, True, 1.0),
        strict=True,
    )  # fmt: skip
    data = Scored(
        HANDBOOK_START_MS + DAY_MS * np.array(day),
        np.array(score),
        np.array(fraud),
        np.array(card, dtype=np.int64),
    )
    folds = Handbook(folds=1).split(data)
    assert np.flatnonzero(folds[0].test).tolist() == [4, 5, 6, 8, 9, 10]
    (found,) = protocol.measure(data, folds)["folds"]
    # Scores .8 F, .7 F, .6, .5, .4 F, .1 F: of 4 × 2 pairs 2 × 2 are in order.
    assert found["roc_auc"] == pytest.approx(4 / 8)
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 5 + 4 / 6) / 4)
    # Day 14 finds cards 2 and 3; day 15 has only card 4 left and no fraud of it; day 20 finds card 4.
    assert found["card_precision_100"] == pytest.approx((0.02 + 0.0 + 0.01) / 3)


def test_fraud_outside_what_is_known_does_not_remove_a_card():
    day = HANDBOOK_START_MS + DAY_MS * np.array([-1, 0, 7, 13, 14, 14, 14, 14, 15])
    card = np.array([1, 2, 3, 4, 1, 2, 3, 4, 3])
    fraud = np.array([True] * 4 + [False] * 5)
    kept = np.flatnonzero(
        protocol.handbook_test_rows(Scored(day, np.zeros(9), fraud, card), HANDBOOK_START_MS)
    )
    # Card 1: before the training week; 2: inside it; 3: on day 7, known from test day 1 on; 4: on day 13.
    assert kept.tolist() == [4, 6, 7]


def test_folds_can_start_elsewhere():
    data = synthetic()
    moved = Scored(data.time - 500 * DAY_MS, data.score, data.fraud, data.card)
    found = Handbook(2, HANDBOOK_START_MS - 500 * DAY_MS).split(moved)
    for fold, same in zip(found, Handbook(2).split(data), strict=True):
        assert fold.test.tolist() == same.test.tolist()


def test_holdout_takes_the_last_rows_in_time_and_has_no_cards():
    data = synthetic(n=999)
    turned = np.random.default_rng(0).permutation(999)
    shuffled = Scored(data.time[turned], data.score[turned], data.fraud[turned])
    (fold,) = Holdout().split(shuffled)
    assert fold.known.tolist() == (~fold.test).tolist()
    found = protocol.measure(shuffled, [fold])
    expected = average_precision_score(data.fraud[799:], data.score[799:])
    assert found["mean"]["average_precision"] == pytest.approx(expected)
    assert found["mean"]["card_precision_100"] is None
    assert found["std"]["card_precision_100"] is None


@given(st.integers(2, 300_000), st.floats(0.01, 0.99))
@settings(max_examples=30, deadline=None)
def test_holdout_parts_all_rows_at_the_share(n, share):
    data = Scored(np.arange(n), np.zeros(n), np.zeros(n, dtype=np.bool_))
    try:
        (fold,) = Holdout(share).split(data)
    except MappingError:
        assert n * share < 1
        return
    assert abs(int(fold.known.sum()) - n * share) <= 1
    assert not fold.test[: int(fold.known.sum())].any()


def test_holdout_of_the_ulb_size_has_the_published_number_of_rows():
    n = 284_807
    (fold,) = Holdout().split(Scored(np.arange(n), np.zeros(n), np.zeros(n, dtype=np.bool_)))
    assert int(fold.test.sum()) == 56_962


def test_ratios_and_the_strongest_published_values():
    best = protocol.strongest(protocol.PUBLISHED_HANDBOOK)
    assert best == {"roc_auc": 0.879, "average_precision": 0.687, "card_precision_100": 0.305}
    ours = {"roc_auc": 0.9, "average_precision": None, "card_precision_100": 0.61}
    found = protocol.ratios(ours, best)
    assert found["average_precision"] is None
    assert found["card_precision_100"] == pytest.approx(2.0)
    assert protocol.ratios(ours, {"roc_auc": 0.0}) == {"roc_auc": None}


def test_what_cannot_be_measured_is_refused_with_a_remedy():
    good = synthetic(n=100)
    with pytest.raises(MappingError, match="holdout"):
        Handbook().split(Scored(good.time, good.score, good.fraud))
    with pytest.raises(
        MappingError, match="fold 0: no transaction in its test week, the 7 days from 2018-08-08"
    ):
        Handbook().split(Scored(good.time + 400 * DAY_MS, good.score, good.fraud, good.card))
    with pytest.raises(MappingError, match="row 3"):
        Scored(good.time, np.where(np.arange(100) == 3, np.nan, 1.0), good.fraud)
    with pytest.raises(MappingError, match="length"):
        Scored(good.time, good.score[:5], good.fraud)
    with pytest.raises(MappingError, match="length"):
        Scored(good.time, good.score, good.fraud, merchant=good.card[:7])
    with pytest.raises(MappingError, match="learn-share"):
        Holdout(0.001).split(good)
