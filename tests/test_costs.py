"""The cheapest threshold, held to brute force; windows, budgets and settings at their edges."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import model_charts
from dataflow.settings import load_settings
from models.alert_threshold import AlertThreshold
from models.costs import DAY_MS, AlertBudget, CostMatrix, CostSettings, CostWindow, trade_off
from models.errors import SettingsError
from models.risk import Thresholds

# Eighths are exact in binary, so brute force over fractions and the arrays must agree to the last bit.
eighths = st.integers(0, 8).map(lambda n: n / 8)
money = st.integers(0, 4000).map(lambda n: n / 8)
payments = st.lists(
    st.tuples(eighths, money, st.booleans(), st.integers(1, 16).map(lambda n: n / 4)), max_size=25
)
matrices = st.builds(
    CostMatrix,
    missed_share=eighths,
    chargeback_fee=money,
    review=money,
    declined_share=eighths,
    declined_fixed=money,
)
budgets = st.builds(
    AlertBudget,
    share=st.none() | eighths,
    per_day=st.none() | st.integers(0, 40).map(float),
)


def cost_at(rows: list[tuple[float, float, bool, float]], threshold: float, costs: CostMatrix) -> Fraction:
    total = Fraction(0)
    for risk, amount, fraud, weight in rows:
        if risk >= threshold:
            one = Fraction(costs.review)
            if not fraud:
                one += Fraction(costs.declined_share) * Fraction(amount) + Fraction(costs.declined_fixed)
        elif fraud:
            one = Fraction(costs.missed_share) * Fraction(amount) + Fraction(costs.chargeback_fee)
        else:
            one = Fraction(0)
        total += one * Fraction(weight)
    return total


@given(payments, matrices, budgets, st.integers(1, 16))
def test_the_whole_curve_is_what_brute_force_gives(
    rows: list[tuple[float, float, bool, float]], costs: CostMatrix, budget: AlertBudget, days: int
) -> None:
    columns = [np.array([row[c] for row in rows], dtype=float) for c in (0, 1, 3)]
    fraud = np.array([row[2] for row in rows], dtype=np.bool_)
    found = trade_off(columns[0], columns[1], fraud, columns[2], float(days), costs, budget)
    thresholds = [math.inf, *sorted({row[0] for row in rows}, reverse=True)]
    assert found.threshold.tolist() == thresholds
    everything = sum(row[3] for row in rows)
    best: tuple[Fraction, float] | None = None
    for at, threshold in enumerate(thresholds):
        alerts = sum(row[3] for row in rows if row[0] >= threshold)
        caught = sum(row[3] for row in rows if row[0] >= threshold and row[2])
        frauds = sum(row[3] for row in rows if row[2])
        cost = cost_at(rows, threshold, costs)
        assert found.cost_per_day[at] == float(cost) / days
        assert found.alerts_per_day[at] == alerts / days
        assert found.precision[at] == caught / alerts if alerts else math.isnan(found.precision[at])
        assert found.recall[at] == caught / frauds if frauds else math.isnan(found.recall[at])
        allowed = (budget.share is None or alerts <= budget.share * everything) and (
            budget.per_day is None or alerts <= budget.per_day * days
        )
        assert bool(found.allowed[at]) == allowed
        if allowed and (best is None or cost < best[0]):
            best = cost, threshold
    assert best is not None
    assert found.threshold[found.best] == best[1]


def window_of(rows: list[tuple[int, float, float, bool]], **changes: object) -> CostWindow:
    window = CostWindow(msgspec.structs.replace(CostSettings(), **changes))
    for key, (time, risk, amount, fraud) in enumerate(rows):
        window.add(time, risk, amount, fraud, key=key)
    return window


def drawn(count: int, seed: int = 3) -> list[tuple[int, float, float, bool]]:
    draw = random.Random(seed)
    rows = []
    for n in range(count):
        fraud = draw.random() < 0.1
        risk = min(draw.betavariate(4, 2) if fraud else draw.betavariate(1, 12), 1.0)
        rows.append((n * 600_000, round(risk, 3), draw.lognormvariate(4, 1), fraud))
    return rows


def test_the_order_of_payments_does_not_matter() -> None:
    rows = drawn(3000)
    again = list(rows)
    random.Random(1).shuffle(again)
    one, other = window_of(rows).trade_off(), window_of(again).trade_off()
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_window_alerts_nothing() -> None:
    found = CostWindow(CostSettings()).trade_off()
    assert found.threshold.tolist() == [math.inf]
    assert (found.best, found.cost_per_day[0], found.alerts_per_day[0], found.days) == (0, 0.0, 0.0, 1.0)
    assert math.isnan(found.recall[0])


def test_only_the_newest_rows_within_the_days_count() -> None:
    rows = drawn(2000)
    few = window_of(rows, window_rows=700)
    assert len(few) == 700
    for a, b in zip(few.trade_off(), window_of(rows[-700:]).trade_off(), strict=True):
        np.testing.assert_array_equal(a, b)
    days = 3.0
    young = [row for row in rows if row[0] > rows[-1][0] - days * DAY_MS]
    for a, b in zip(window_of(rows, window_days=days).trade_off(), window_of(young).trade_off(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_corrected_label_replaces_the_first_one() -> None:
    window = window_of([(0, 0.9, 100.0, True), (1, 0.1, 20.0, False)])
    assert window.trade_off().recall[1] == 1.0
    window.add(0, 0.9, 100.0, False, key=0)
    assert len(window) == 2
    assert math.isnan(window.trade_off().recall[1])
    # A key whose row has been overwritten is a new payment.
    small = window_of([(0, 0.9, 100.0, True), (1, 0.1, 20.0, False)], window_rows=1)
    small.add(2, 0.5, 10.0, True, key=0)
    assert (len(small), small.trade_off().threshold.tolist()) == (1, [math.inf, 0.5])


@pytest.mark.parametrize(
    ("price", "direction"),
    [({"review": 50.0}, "fewer"), ({"chargeback_fee": 500.0}, "more"), ({"declined_share": 0.9}, "fewer")],
)
def test_prices_move_the_threshold_the_way_they_should(price: dict[str, float], direction: str) -> None:
    rows = drawn(4000)
    usual = window_of(rows).trade_off()
    moved = window_of(rows, matrix=msgspec.structs.replace(CostMatrix(), **price)).trade_off()
    before, after = usual.alerts_per_day[usual.best], moved.alerts_per_day[moved.best]
    assert after < before if direction == "fewer" else after > before


def test_a_budget_is_kept_and_costs_something() -> None:
    rows = drawn(4000)
    free = window_of(rows).trade_off()
    tight = window_of(rows, budget=AlertBudget(per_day=3.0, share=0.5)).trade_off()
    assert tight.alerts_per_day[tight.best] <= 3.0 < free.alerts_per_day[free.best]
    assert tight.cost_per_day[tight.best] > free.cost_per_day[free.best]


@pytest.mark.parametrize(
    ("values", "told"),
    [((0, 1.2, 1.0), "risk is 1.2"), ((0, math.nan, 1.0), "risk is nan"), ((0, 0.5, -1.0), "amount -1.0")],
)
def test_what_cannot_be_is_refused(values: tuple[int, float, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        CostWindow(CostSettings()).add(*values, fraud=True, key=7)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[costs.matrix]\nreview = -1.0", "review is -1.0"),
        ("[costs.matrix]\nreview = nan", "review is nan"),
        ("[costs.budget]\nshare = 1.5", "share is 1.5: give a share of payments"),
        ("[costs.budget]\nper_day = -2", "per_day is -2"),
        ("[costs]\nwindow_days = 0", "window_days is 0"),
        ("[costs]\nwindow_rows = 0", "window_rows is 0"),
        ("[costs]\nfee = 3", "unknown field `fee`"),
    ],
)
def test_wrong_settings_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    assert told in str(error.value)
    assert "$.costs" in str(error.value)
    assert str(path) in str(error.value)


def test_settings_come_through(tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_text(
        "[costs]\nwindow_days = 7.0\n[costs.matrix]\nreview = 2.5\n[costs.budget]\nper_day = 40.0\n"
    )
    costs = load_settings(path).costs
    assert (costs.window_days, costs.matrix.review, costs.budget.per_day) == (7.0, 2.5, 40.0)


NAMES = {name: name for name in ("cost", "over", "recall", "precision", "alerts", "share", "best", "now")}


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_shows_the_curve_and_marks_the_best_point(dark: bool) -> None:
    rows = drawn(4000)
    threshold = AlertThreshold(CostSettings(), Thresholds(), by_cost=False)
    for key, (time, risk, amount, fraud) in enumerate(rows):
        threshold.add(time, risk, amount, fraud, 1.0, key)
    found, curve = window_of(rows).trade_off(), threshold.curve()
    assert curve is not None
    figure = model_charts.cost_trade_off(curve, NAMES, dark)
    cost = figure.data[0]
    assert found.alerts_per_day[found.best] in list(cost.x)
    assert min(cost.y) == found.cost_per_day[found.best]
    assert [trace.name for trace in figure.data] == ["cost", "recall", "precision"]
    texts = " ".join(str(note.text) for note in figure.layout.annotations)
    assert "best" in texts
    assert f"now {curve.in_force:.2f}" in texts
