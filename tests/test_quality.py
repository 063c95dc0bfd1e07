"""Quality measures against scikit-learn and against slow, obvious definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from models import quality
from models.prequential import Prequential

# Few distinct scores, so that ties are common.
rows = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 5)), min_size=2, max_size=60)


def arrays(drawn: list[tuple[bool, int, int]]) -> tuple[quality.Flags, quality.Float, quality.Ints]:
    fraud, score, card = zip(*drawn, strict=True)
    return np.array(fraud, dtype=np.bool_), np.array(score, dtype=np.float64) / 7, np.array(card)


@given(rows)
def test_ranking_measures_equal_scikit_learn(drawn):
    fraud, score, _ = arrays(drawn)
    if fraud.all() or not fraud.any():
        assert math.isnan(quality.roc_auc(fraud, score))
    else:
        assert quality.roc_auc(fraud, score) == pytest.approx(roc_auc_score(fraud, score), abs=1e-12)
    if fraud.any():
        expected = average_precision_score(fraud, score)
        assert quality.average_precision(fraud, score) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(quality.average_precision(fraud, score))


@given(rows, st.integers(1, 60))
def test_recall_at_budget_is_the_mean_over_orders_of_ties(drawn, budget):
    fraud, score, _ = arrays(drawn)
    if not fraud.any():
        assert math.isnan(quality.recall_at_budget(fraud, score, budget))
        return
    # The best and the worst order of the ties bound it; without ties at the edge they agree.
    best = fraud[np.lexsort((~fraud, -score))][:budget].sum() / fraud.sum()
    worst = fraud[np.lexsort((fraud, -score))][:budget].sum() / fraud.sum()
    found = quality.recall_at_budget(fraud, score, budget)
    assert worst - 1e-12 <= found <= best + 1e-12
    shuffled = np.random.default_rng(1).permutation(len(score))
    assert quality.recall_at_budget(fraud[shuffled], score[shuffled], budget) == pytest.approx(found)


def slow_card_precision(fraud, score, card, day, k):
    found: set[int] = set()
    values = []
    for today in sorted(set(day.tolist())):
        best: dict[int, list[float]] = {}
        for f, s, c, d in zip(fraud, score, card.tolist(), day, strict=True):
            if d == today and c not in found:
                seen = best.setdefault(c, [-math.inf, 0])
                seen[0], seen[1] = max(seen[0], s), max(seen[1], int(f))
        top = sorted(best, key=lambda c: (-best[c][0], c))[:k]
        caught = [c for c in top if best[c][1]]
        values.append(len(caught) / k)
        found.update(caught)
    return values


@given(rows, st.integers(1, 4), st.integers(1, 3))
def test_card_precision_equals_the_slow_definition(drawn, k, days):
    fraud, score, card = arrays(drawn)
    day = np.arange(len(card)) % days
    mean, by_day = quality.card_precision(fraud, score, card, day, k)
    assert by_day == pytest.approx(slow_card_precision(fraud, score, card, day, k))
    assert mean == pytest.approx(sum(by_day) / len(by_day))


def test_a_card_found_is_not_found_again():
    fraud = np.array([True, True])
    mean, by_day = quality.card_precision(fraud, np.ones(2), np.array([5, 5]), np.array([0, 1]), k=1)
    assert by_day == [1.0, 0.0]
    assert mean == 0.5


def test_calibration_error_is_small_for_true_probabilities_and_right_for_a_shift():
    generator = np.random.default_rng(3)
    risk = generator.beta(0.3, 6, 40_000)
    fraud = generator.random(40_000) < risk
    assert quality.expected_calibration_error(fraud, risk) < 0.004
    shifted = np.full(1000, 0.3)
    assert quality.expected_calibration_error(np.arange(1000) < 100, shifted) == pytest.approx(0.2)


@given(rows, st.integers(1, 12))
def test_calibration_error_does_not_depend_on_row_order(drawn, bins):
    fraud, score, _ = arrays(drawn)
    turned = np.random.default_rng(2).permutation(len(score))
    one = quality.expected_calibration_error(fraud, score, bins)
    other = quality.expected_calibration_error(fraud[turned], score[turned], bins)
    assert one == pytest.approx(other, abs=1e-12)
    assert 0 <= one <= 1


@given(rows, st.data())
def test_weights_count_as_repeated_rows(drawn, data):
    fraud, score, _ = arrays(drawn)
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(fraud), max_size=len(fraud)))
    again = np.repeat(np.arange(len(fraud)), times)
    ranking = quality.Ranking(fraud, score)
    weight = np.array(times, dtype=np.float64)
    repeated = quality.Ranking(fraud[again], score[again])
    assert ranking.roc_auc(weight) == pytest.approx(repeated.roc_auc(), abs=1e-12, nan_ok=True)
    assert ranking.average_precision(weight) == pytest.approx(
        repeated.average_precision(), abs=1e-12, nan_ok=True
    )


def test_prequential_points_are_exact_over_a_bounded_window():
    generator = np.random.default_rng(8)
    fraud = generator.random(950) < 0.2
    risk = np.round(generator.random(950), 2)
    kept = Prequential(window=300, every=100, keep=4, threshold=0.9)
    points = [kept.add(i, float(risk[i]), bool(fraud[i])) for i in range(950)]
    assert sum(point is not None for point in points) == 9
    assert [point.time for point in kept.points] == [599, 699, 799, 899]
    last = kept.points[-1]
    inside = slice(600, 900)
    assert last.settled == 300
    assert last.average_precision == pytest.approx(average_precision_score(fraud[inside], risk[inside]))
    assert last.precision == pytest.approx(fraud[inside][risk[inside] >= 0.9].mean())


def test_prequential_says_none_where_nothing_is_defined():
    kept = Prequential(window=10, every=5)
    for i in range(5):
        point = kept.add(i, 0.1, fraud=False)
    assert point is not None
    assert (point.roc_auc, point.average_precision, point.precision, point.recall) == (None, None, None, None)
