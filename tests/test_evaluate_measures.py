"""Budgets, cost, calibration and intervals of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from dataflow.evaluation import comparison, measures
from dataflow.evaluation.intervals import bootstrap, intervals, ratio_intervals
from dataflow.evaluation.protocol import DAY_MS, HANDBOOK_START_MS, Fold, Handbook, Scored, measure
from models.costs import CostMatrix

PLAIN = CostMatrix(missed_share=1.0, chargeback_fee=0.0, review=5.0, declined_share=0.0, declined_fixed=0.0)
costs = st.builds(
    CostMatrix,
    **{name: st.floats(0, 10) for name in ("missed_share", "chargeback_fee", "review", "declined_fixed")},
)
payments = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.floats(0, 500)), min_size=1, max_size=40)


def sample(seed: int = 1, n: int = 6000, cards: int | None = 400, skill: float = 1.5) -> Scored:
    """42 days in which each card is good or bad as a whole, as frauds come in reality."""
    generator = np.random.default_rng(seed)
    time = HANDBOOK_START_MS + np.sort(generator.integers(0, 42 * DAY_MS, n))
    card = generator.integers(0, cards or n, n)
    fraud = (np.random.default_rng(9).random(cards or n) < 0.08)[card] & (generator.random(n) < 0.3)
    score = generator.normal(size=n) + skill * fraud
    return Scored(time, score, fraud, card if cards else None, generator.uniform(1, 100, n))


def rows_of(drawn):
    fraud, score, amount = zip(*drawn, strict=True)
    return np.array(fraud, dtype=np.bool_), np.array(score, dtype=np.float64) / 6, np.array(amount)


def cost_of(fraud, amount, alerted, matrix):
    """What every payment costs, added up one by one."""
    total = 0.0
    for f, a, stopped in zip(fraud.tolist(), amount.tolist(), alerted.tolist(), strict=True):
        if stopped:
            total += matrix.review + (0.0 if f else matrix.declined_share * a + matrix.declined_fixed)
        elif f:
            total += matrix.missed_share * a + matrix.chargeback_fee
    return total / len(fraud)


@given(payments, costs)
def test_every_point_of_the_cost_curve_is_what_its_threshold_costs(drawn, matrix):
    fraud, score, amount = rows_of(drawn)
    found = measures.cost_curve(fraud, score, amount, matrix)
    for point in [found["best"], *found["curve"]]:
        alerted = score >= (np.inf if point["threshold"] is None else point["threshold"])
        assert point["cost_usd"] == pytest.approx(cost_of(fraud, amount, alerted, matrix), abs=1e-6)
        assert point["alert_share"] == pytest.approx(alerted.mean())
    least = min(cost_of(fraud, amount, score >= t, matrix) for t in [np.inf, *score])
    assert found["best"]["cost_usd"] == pytest.approx(least, abs=1e-6)
    assert found["nothing_alerted"] == pytest.approx(cost_of(fraud, amount, score > 9, matrix), abs=1e-6)


@given(payments, costs)
def test_payment_by_payment_takes_what_is_expected_to_cost_less(drawn, matrix):
    fraud, risk, amount = rows_of(drawn)
    found = measures.cost_by_amount(fraud, risk, amount, matrix)
    stop = np.array(
        [
            r * (matrix.missed_share * a + matrix.chargeback_fee)
            > matrix.review + (1 - r) * (matrix.declined_share * a + matrix.declined_fixed)
            for r, a in zip(risk, amount, strict=True)
        ]
    )
    assert found["cost_usd"] == pytest.approx(cost_of(fraud, amount, stop, matrix), abs=1e-6)
    assert found["alert_share"] == pytest.approx(stop.mean())


def test_budgets_and_precision_by_hand():
    day = np.repeat([0, 1], 500) * DAY_MS
    score = np.arange(1000.0)
    fraud = np.zeros(1000, dtype=np.bool_)
    fraud[[999, 998, 996, 10]] = True
    found = measures.ranking(
        Scored(day, score, fraud, amount=np.ones(1000)), np.ones(1000, dtype=np.bool_), PLAIN
    )
    by_share = {row["share"]: row for row in found["budgets"]}
    assert by_share[0.005] == {"share": 0.005, "alerts_per_day": 2.5, "recall": 0.75, "precision": 0.6}
    assert by_share[0.001] == {"share": 0.001, "alerts_per_day": 0.5, "recall": 0.25, "precision": 1.0}
    assert found["precision_at"] == {"100": 0.03, "500": 0.006, "1000": 0.004}
    assert found["cost"]["best"]["alert_share"] == 0.0, "frauds of a dollar are not worth a look"


def test_calibration_tells_true_probabilities_from_others():
    generator = np.random.default_rng(3)
    risk = generator.beta(0.3, 6, 40_000)
    fraud = generator.random(40_000) < risk
    good = measures.calibration(fraud, risk)
    assert good["calibration_error"] < 0.004
    assert good["stated_over_observed"] == pytest.approx(1.0, abs=0.05)
    doubled = measures.calibration(fraud, np.minimum(2 * risk, 1.0))
    assert doubled["stated_over_observed"] > 1.8
    assert doubled["calibration_error"] > 5 * good["calibration_error"]
    assert doubled["calibration_error_riskiest"] > 0.1 > good["calibration_error_riskiest"]


@given(st.integers(1, 3000), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_reliability_bins_hold_every_payment_once_from_safe_to_risky(n, seed):
    generator = np.random.default_rng(seed)
    risk, fraud = generator.random(n), generator.random(n) < 0.3
    bins = measures.reliability(fraud, risk)
    assert sum(row["payments"] for row in bins) == n
    assert [row["risk"] for row in bins] == sorted(row["risk"] for row in bins)
    assert sum(row["payments"] * row["observed"] for row in bins) == pytest.approx(fraud.sum())


def test_intervals_hold_the_measure_and_widen_where_frauds_share_cards():
    data = sample()
    folds = Handbook().split(data)
    found = intervals(bootstrap(data, folds, 100))
    mean = measure(data, folds)["mean"]
    assert found.keys() == mean.keys()
    for name, (low, high) in found.items():
        assert low < mean[name] < high, name
    # Each card's frauds stand or fall together, so the interval over cards is the wider one.
    together = Scored(data.time, 0.3 * data.fraud + np.sin(data.card), data.fraud, data.card)
    one = Fold(folds[0].known, folds[0].recent, data.time >= 0)
    by_card = intervals(bootstrap(together, [one], 100))["average_precision"]
    no_card = Scored(together.time, together.score, together.fraud)
    by_row = intervals(bootstrap(no_card, [one], 100))["average_precision"]
    assert by_card[1] - by_card[0] > by_row[1] - by_row[0]


def test_intervals_narrow_with_data():
    def width(n: int) -> float:
        data = sample(n=n, cards=None)
        low, high = intervals(bootstrap(data, [Fold(data.fraud, data.fraud, data.time > 0)], 100))["roc_auc"]
        assert low < roc_auc_score(data.fraud, data.score) < high
        return high - low

    assert width(16_000) < width(1000) / 2


def test_the_ratio_of_two_like_models_is_surer_than_either():
    data = sample()
    folds = Handbook().split(data)
    near = data.scored(data.score + 0.1 * np.random.default_rng(5).normal(size=len(data.score)))
    ours, theirs = bootstrap(data, folds, 100), bootstrap(near, folds, 100)
    low, high = ratio_intervals(ours, theirs)["average_precision"]
    alone = intervals(ours)["average_precision"]
    assert low < 1.05
    assert high > 0.95
    assert (high - low) < (alone[1] - alone[0]) / alone[1] / 2
    same = ratio_intervals(ours, bootstrap(data, folds, 100))
    assert all(bounds == (1.0, 1.0) for bounds in same.values())


def test_the_json_has_the_contract_keys_and_the_first_baseline_in_front():
    data = sample()
    folds = Handbook().split(data)
    ours = comparison.run_model(comparison.OURS, data, folds, 10)
    theirs = comparison.run_model("other", data.scored(data.score + data.fraud), folds, 10)
    beside = [comparison.beside(ours, theirs, folds, PLAIN), comparison.beside_published(ours)]
    risk = data.scored(1 / (1 + np.exp(-data.score)))
    out = comparison.report(
        ours._replace(data=risk), beside, folds, costs=PLAIN, microseconds_per_transaction=6.5
    )
    keys = {"folds", "mean", "std", "baseline", "ratio", "microseconds_per_transaction"}
    assert keys <= out.keys()
    assert out["baseline"] == theirs.found["mean"]
    assert out["baseline_of"] == "other"
    assert out["ratio"]["roc_auc"] == pytest.approx(
        ours.found["mean"]["roc_auc"] / theirs.found["mean"]["roc_auc"]
    )
    assert [row["name"] for row in out["baselines"]] == ["other", comparison.PUBLISHED]
    assert out["baselines"][1]["ratio"]["roc_auc"] == pytest.approx(ours.found["mean"]["roc_auc"] / 0.879)
    alone = comparison.report(ours._replace(data=risk), [], folds, costs=PLAIN)
    assert (alone["baseline"], alone["ratio"], alone["baseline_of"]) == ({}, {}, "none")
