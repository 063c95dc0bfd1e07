"""The alert threshold of least cost: when it moves, what it may not leave, and what it does to decisions."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from dataflow.assemble import engine_of
from dataflow.replay import replay
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.alert_threshold import POINTS, AlertThreshold
from models.costs import AlertBudget, CostMatrix, CostSettings
from models.decision import Decision
from models.engine import Engine
from models.engine_settings import EngineSettings
from models.events import Control, Transaction, encode
from models.learners import OnlineLearner
from models.risk import Thresholds
from models.rules.pack import default_pack
from models.serving import Snapshot, untrained_body
from models.snapshot import decode
from models.snapshot import encode as encode_snapshot
from tests.streams import record
from tests.test_backtest import backtest, found
from tests.test_backtest import engine as steady
from tests.test_learners import stream

DAY = 86_400_000
EDGES = Thresholds()


def filled(
    costs: CostSettings, by_cost: bool = True, n: int = 4000, steep: float = 1.0, seed: int = 1
) -> AlertThreshold:
    threshold = AlertThreshold(costs, EDGES, by_cost)
    add(threshold, n, steep, seed)
    return threshold


def add(threshold: AlertThreshold, n: int, steep: float = 1.0, seed: int = 1, start: int = 0) -> None:
    """n settled payments over 20 days whose odds are `steep` times what the risk says."""
    draw = np.random.default_rng(seed)
    risk = 1.0 / (1.0 + np.exp(-draw.normal(-3.5, 2.0, n)))
    odds = steep * risk / (1.0 - risk)
    fraud = draw.random(n) < odds / (1.0 + odds)
    for i in range(n):
        at = DAY * (100 + 20 * i // n) + start
        threshold.add(at, float(risk[i]), float(draw.exponential(80.0)), bool(fraud[i]), 1.0, start + i)


def test_the_threshold_moves_to_the_least_cost_and_then_stays() -> None:
    threshold = filled(CostSettings())
    assert threshold.in_force == EDGES.high
    assert threshold.high is None
    threshold.check()
    moved = threshold.high
    assert moved is not None
    assert CostSettings().least_threshold <= moved < EDGES.high
    curve = threshold.curve()
    assert curve is not None
    assert curve.in_force == moved == pytest.approx(curve.best.threshold)
    for seed in range(2, 8):
        add(threshold, 200, seed=seed, start=10_000 * seed)
        threshold.check()
    assert threshold.high == moved, "a handful of labels must not move it"


def test_it_moves_when_costs_change_for_good() -> None:
    threshold = filled(CostSettings(matrix=CostMatrix(review=1.0)))
    threshold.check()
    before = threshold.high
    threshold.costs = CostSettings(matrix=CostMatrix(review=60.0))
    threshold._window.settings = threshold.costs
    threshold.check()
    assert before is not None
    assert threshold.high is not None
    assert threshold.high > 2.0 * before


@pytest.mark.parametrize(("least", "most"), [(0.3, 0.6), (0.02, 0.03)])
def test_it_never_leaves_its_limits(least: float, most: float) -> None:
    threshold = filled(CostSettings(least_threshold=least, most_threshold=most))
    threshold.check()
    assert least <= threshold.in_force <= max(most, EDGES.high)


def test_a_budget_that_is_broken_moves_it_also_when_that_costs_more() -> None:
    threshold = filled(CostSettings(budget=AlertBudget(per_day=2.0)))
    threshold.check()
    curve = threshold.curve()
    assert threshold.high is not None
    assert curve is not None
    assert curve.best.allowed
    assert curve.best.alerts_per_day <= 2.0


def test_where_nothing_costs_anything_it_stays_where_it_is() -> None:
    free = CostMatrix(
        missed_share=0.0, chargeback_fee=0.0, review=0.0, declined_share=0.0, declined_fixed=0.0
    )
    threshold = filled(CostSettings(matrix=free))
    threshold.check()
    assert threshold.high is None


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_a_budget_of_nothing_alerts_as_little_as_its_limits_allow(share: float) -> None:
    threshold = filled(CostSettings(budget=AlertBudget(share=share)))
    threshold.check()
    assert threshold.high == CostSettings().most_threshold
    threshold.check()
    assert threshold.high == CostSettings().most_threshold


def test_only_frauds_or_none_break_nothing() -> None:
    for steep, frauds in ((1e9, 4000), (0.0, 0)):
        threshold = filled(CostSettings(), steep=steep)
        assert threshold._window.frauds == frauds
        threshold.check()
        assert (threshold.high, threshold.curve() is None) == ((0.02, False) if frauds else (None, True))


def test_what_is_told_to_be_in_force_is_what_decides() -> None:
    low = Thresholds(medium=0.05, high=0.1, critical=0.3)
    threshold = AlertThreshold(CostSettings(budget=AlertBudget(share=0.0)), low, True)
    add(threshold, 4000)
    threshold.check()
    assert threshold.in_force == low.moved(threshold.high).high < low.critical


def test_a_snapshot_of_the_past_serves_with_the_threshold_of_now() -> None:
    learner = OnlineLearner(("amount_usd",), by_cost=True)
    learner._known_good = Snapshot.from_bytes(encode_snapshot(untrained_body(("amount_usd",), 0.05)))
    learner.champions.pin("known_good", "alice", "calm", 1)
    assert learner.snapshot() == learner._known_good.data
    learner.oversight.threshold.high = 0.2
    again = Snapshot.from_bytes(learner.snapshot())
    assert (again.high, again.version != learner._known_good.version) == (0.2, True)


def test_fixed_or_with_too_few_labels_nothing_moves() -> None:
    for threshold in (filled(CostSettings(), by_cost=False), filled(CostSettings(), n=500)):
        threshold.check()
        assert threshold.high is None
        assert threshold.in_force == EDGES.high
    assert filled(CostSettings(), n=500).curve() is None
    assert filled(CostSettings(), by_cost=False).curve().chosen_by == "fixed"  # type: ignore[union-attr]


def test_the_curve_is_short_in_order_and_holds_its_best_point() -> None:
    curve = filled(CostSettings(), n=6000).curve()
    assert curve is not None
    assert len(curve.points) <= POINTS
    assert curve.best in curve.points
    alerts = [point.alerts_per_day for point in curve.points]
    assert alerts == sorted(alerts)
    assert alerts[0] == 0.0
    assert min(point.cost_per_day for point in curve.points if point.allowed) == curve.best.cost_per_day


@pytest.mark.parametrize("high", [0.001, 0.2, 0.5, 0.9])
def test_moved_edges_stay_in_order(high: float) -> None:
    moved = EDGES.moved(high)
    assert 0.0 < moved.medium < moved.high < moved.critical == EDGES.critical
    assert EDGES.moved(None) is EDGES


# In snapshots and decisions


def test_a_snapshot_carries_it_and_one_without_is_as_it_was() -> None:
    names = ("amount_usd", *(f"f{i}" for i in range(7)))
    rows, fraud = stream(6000, base=-2.0)
    rows[:, 0] = np.abs(np.nan_to_num(rows[:, 0])) * 50.0
    plain, costed = (OnlineLearner(names, negative_rate=0.5, by_cost=by_cost) for by_cost in (False, True))
    for learner in (plain, costed):
        for i in range(6000):
            learner.learn(rows[i], bool(fraud[i]), key=i)
    assert costed.oversight.threshold.high is not None
    high, body = decode(costed.snapshot()).high, decode(plain.snapshot())
    assert high == costed.oversight.threshold.high
    assert body.high is None
    assert encode_snapshot(msgspec.structs.replace(decode(costed.snapshot()), high=None)) == plain.snapshot()


def payment(number: int) -> RawItem:
    at = DAY * 20_000 + number
    event = Transaction(
        id=f"p{number}", event_time=at, received_at=at, amount=100, currency="USD", channel="cnp", card="T-c"
    )
    return RawItem(f"s:{number}", encode(event), None, None)


def engine(mode: str, high: float | None) -> Engine:
    settings = Settings(engine=EngineSettings(alert_threshold=mode))  # type: ignore[arg-type]
    made = engine_of(settings, learn_inline=False)
    body = msgspec.structs.replace(untrained_body(made.settings.features, 0.05), high=high)
    made.snapshot = Snapshot.from_bytes(encode_snapshot(body))
    return made


def first(engine: Engine, number: int) -> Decision:
    return engine.step([payment(number)]).decisions[0]


def test_decisions_follow_the_snapshots_threshold_unless_it_is_fixed_or_an_operator_sets_one() -> None:
    assert first(engine("fixed", 0.04), 1).band == "low"
    assert first(engine("cost", None), 1).band == "low"
    costed = engine("cost", 0.04)
    assert first(costed, 1).band == "high"
    at = DAY * 20_000 + 2
    wanted = Thresholds(medium=0.2, high=0.5, critical=0.9)
    control = Control(
        id="c", event_time=at, received_at=at, kind="thresholds", version="1",
        payload=msgspec.Raw(msgspec.json.encode(wanted)),
    )  # fmt: skip
    assert not costed.step([RawItem("c:1", encode(control), None, None)]).dead
    assert first(costed, 3).band == "low", "who sets thresholds by hand is obeyed"


def costed(high: float) -> Engine:
    made = steady(learning=False, alert_threshold="cost")
    body = msgspec.structs.replace(untrained_body(made.settings.features, 0.002), high=high)
    made.snapshot = Snapshot.from_bytes(encode_snapshot(body))
    return made


def test_a_back_test_has_the_edges_of_the_model_on_both_sides() -> None:
    result = found(backtest("commerce", costed(0.0015), pack=default_pack()))
    assert result["changed"]["payments"] == 0
    assert [edges["high"] for edges in result["proposed"]["thresholds"]["before"]] == [0.0015]
    assert not result["proposed"]["thresholds"]["differs"]
    quiet = costed(0.5)
    result = found(backtest("commerce", costed(0.0015), snapshot=quiet.snapshot))
    assert result["digest"]["after"] == replay([record.path_of("commerce")], quiet)["digest"]
    assert result["alerts"]["gone"]["payments"] > 0
