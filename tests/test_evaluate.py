"""The evaluation protocols on synthetic data, and (given the data) against the book's own row."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from dataflow import evaluate, evaluate_detail
from dataflow.evaluate import DAY_MS, HANDBOOK_START_MS, Scored
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


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_fold_rows_equal_the_slow_protocol(seed, fold):
    data = synthetic(seed, n=1500, cards=120)
    assert set(np.flatnonzero(evaluate.handbook_test_rows(data, fold)).tolist()) == slow_test_rows(data, fold)


def test_handbook_measures_and_summary():
    data = synthetic()
    found = evaluate.handbook_protocol(data)
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


def test_fraud_outside_what_is_known_does_not_remove_a_card():
    day = HANDBOOK_START_MS + DAY_MS * np.array([-1, 0, 7, 13, 14, 14, 14, 14, 15])
    card = np.array([1, 2, 3, 4, 1, 2, 3, 4, 3])
    fraud = np.array([True] * 4 + [False] * 5)
    kept = np.flatnonzero(evaluate.handbook_test_rows(Scored(day, np.zeros(9), fraud, card), 0))
    # Card 1: before the training week; 2: inside it; 3: on day 7, known from test day 1 on; 4: on day 13.
    assert kept.tolist() == [4, 6, 7]


def test_report_has_the_contract_keys_and_is_json():
    found = evaluate.handbook_protocol(synthetic())
    out = evaluate.report(found, evaluate.PUBLISHED_HANDBOOK["XGBoost"], 6.5)
    keys = {"folds", "mean", "std", "baseline", "ratio", "microseconds_per_transaction"}
    assert set(json.loads(json.dumps(out, allow_nan=False))) == keys
    assert out["ratio"]["roc_auc"] == pytest.approx(found["mean"]["roc_auc"] / 0.869)
    assert evaluate.report(found, {})["ratio"] == {}


def test_holdout_takes_the_last_rows_in_time_and_has_no_cards():
    data = synthetic(n=999)
    turned = np.random.default_rng(0).permutation(999)
    found = evaluate.holdout_protocol(Scored(data.time[turned], data.score[turned], data.fraud[turned]))
    expected = average_precision_score(data.fraud[799:], data.score[799:])
    assert found["mean"]["average_precision"] == pytest.approx(expected)
    assert found["mean"]["card_precision_100"] is None
    assert found["std"]["card_precision_100"] is None
    low, high = evaluate_detail.intervals(data, evaluate.holdout_rows(data), rounds=50)["average_precision"]
    assert low <= high


def test_holdout_of_the_ulb_size_has_the_published_number_of_rows():
    n = 284_807
    rows = n - evaluate.first_held_out(n, 0.8)
    assert rows == 56_962


def test_what_cannot_be_measured_is_refused_with_a_remedy():
    good = synthetic(n=100)
    with pytest.raises(MappingError, match="holdout"):
        evaluate.handbook_protocol(Scored(good.time, good.score, good.fraud))
    with pytest.raises(MappingError, match="fold 0"):
        evaluate.handbook_protocol(Scored(good.time + 400 * DAY_MS, good.score, good.fraud, good.card))
    with pytest.raises(MappingError, match="row 3"):
        evaluate.holdout_protocol(Scored(good.time, np.where(np.arange(100) == 3, np.nan, 1.0), good.fraud))
    with pytest.raises(MappingError, match="length"):
        Scored(good.time, good.score[:5], good.fraud)


HANDBOOK = os.environ.get("HANDBOOK")


def book_features(time_s, card, terminal, amount, fraud):
    """The book's 15 features; windows (t - w, t] on the card's rows and, 7 days back, on the terminal's."""
    day = 86_400

    def rolling(entity):
        key = entity * (1 << 40) + time_s
        order = np.argsort(key, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))

        def window(values, seconds):
            total = np.concatenate([[0.0], np.cumsum(values[order])])
            first = np.searchsorted(key[order], key - seconds, side="right")
            return total[place + 1] - total[first], (place + 1 - first).astype(float)

        return window

    weekday = (time_s // day + 3) % 7
    columns = [amount, (weekday >= 5) * 1.0, (time_s % day // 3600 <= 6) * 1.0]
    of_card, of_terminal = rolling(card), rolling(terminal)
    for days in (1, 7, 30):
        total, count = of_card(amount, days * day)
        columns += [count, total / count]
    late_frauds, late_count = of_terminal(fraud.astype(float), 7 * day)
    for days in (1, 7, 30):
        frauds, count = of_terminal(fraud.astype(float), (7 + days) * day)
        count = count - late_count
        columns += [count, np.where(count > 0, (frauds - late_frauds) / np.maximum(count, 1), 0.0)]
    return np.column_stack(columns)


@pytest.mark.slow
@pytest.mark.skipif(not HANDBOOK, reason="HANDBOOK is not set to the path of the handbook's raw.parquet")
def test_logistic_regression_reproduces_the_book():
    import pyarrow.parquet as parquet
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = parquet.read_table(Path(HANDBOOK)).sort_by("TX_DATETIME")
    read = {name: table[name].to_numpy() for name in ("TX_DATETIME", "TX_AMOUNT")}
    card, terminal = (table[name].to_numpy().astype(np.int64) for name in ("CUSTOMER_ID", "TERMINAL_ID"))
    time = read["TX_DATETIME"].astype("datetime64[s]").astype(np.int64)
    fraud = table["TX_FRAUD"].to_numpy().astype(np.bool_)
    features = book_features(time, card, terminal, read["TX_AMOUNT"].astype(np.float64), fraud)
    score = np.zeros(len(fraud))
    day = (time * 1000 - HANDBOOK_START_MS) // DAY_MS
    folds = []
    for fold in range(4):
        train = (day >= 7 * fold) & (day < 7 * fold + 7)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(features[train], fraud[train])
        rows = (day >= 7 * fold + 14) & (day < 7 * fold + 21)
        score[rows] = model.predict_proba(features[rows])[:, 1]
        data = Scored(time * 1000, score, fraud, card)
        if fold == 0:
            kept = evaluate.handbook_test_rows(data, 0)
            assert (int(kept.sum()), int(fraud[kept].sum())) == (58_264, 385)
        # Each fold has a model of its own, and test weeks overlap nowhere within one fold.
        folds.append(evaluate._measure(data, evaluate.handbook_test_rows(data, fold)))
    mean = {name: np.mean([f[name] for f in folds]) for name in evaluate.METRICS}
    assert mean["roc_auc"] == pytest.approx(0.868, abs=0.005)
    assert mean["average_precision"] == pytest.approx(0.623, abs=0.01)
    assert mean["card_precision_100"] == pytest.approx(0.297, abs=0.004)
