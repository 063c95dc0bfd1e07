"""Drift detectors: silent on a stream that stays as it is, quick on one that does not, the same after a restart."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from models.corridor_calibration import CorridorWatch, corridor_ratios, ratio_of
from models.drift import CYCLES, EFFECT, FIRST, WATCHED, DriftWatch
from models.learner_report import Mark
from models.settled import Settled

FEATURES = (*(f"f{i}" for i in range(WATCHED + 3)), "is_weekend")
RATE = 0.1
N, AT = 20_000, 12_000
LATEST = 1_500
"""Examples within which a change must be told."""
Examples = tuple[np.ndarray, np.ndarray, np.ndarray]


def examples(seed: int, n: int = N) -> Examples:
    """(risk, fraud, squashed rows): calibrated, skewed, and neighbours alike, as examples of one day are."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(-6.0, 2.2, n)
    risk = 1.0 / (1.0 + np.exp(-logit))
    sampled = risk / (risk + (1.0 - risk) * RATE)
    day = np.repeat(draw.normal(0.0, 0.02, (n // 50 + 1, len(FEATURES))), 50, axis=0)[:n]
    rows = np.clip(0.5 + day + draw.normal(0.0, 0.15, (n, len(FEATURES))), 0.0, 1.0)
    return risk, draw.random(n) < sampled, rows


def marks_of(data: Examples, cut: int = -1) -> list[tuple[int, Mark]]:
    """(example, mark) in order; the watch is pickled at `cut`."""
    watch, found = DriftWatch(FEATURES, RATE), []
    for i, (risk, fraud, row) in enumerate(zip(*data, strict=True)):
        found += [(i, mark) for mark in watch.add(i, float(risk), bool(fraud), row)]
        if watch.choosing:
            # The calendar has the largest part: it must be left out all the same.
            watch.choose(np.arange(len(FEATURES), dtype=np.float64))
        if i == cut:
            watch = pickle.loads(pickle.dumps(watch))
    return found


def test_a_quiet_stream_gives_hardly_any_mark() -> None:
    found = [mark for seed in range(5) for mark in marks_of(examples(seed))]
    assert len(found) <= 1, "5 streams of 20,000 examples, 15 detectors each"


def _feature(data: Examples) -> Examples:
    risk, fraud, rows = data
    rows = rows.copy()
    rows[AT:, 8] = np.clip(rows[AT:, 8] + 0.5 * rows[:, 8].std(), 0.0, 1.0)
    return risk, fraud, rows


def _frauds(data: Examples) -> Examples:
    risk, fraud, rows = data
    more = np.random.default_rng(1).random(N) < 0.15
    more[:AT] = False
    return risk, fraud | more, rows


def _scores(data: Examples) -> Examples:
    risk, fraud, rows = data
    odds = risk / (1.0 - risk) * np.where(np.arange(N) < AT, 1.0, 4.0)
    return odds / (1.0 + odds), fraud, rows


def _outcomes(data: Examples) -> Examples:
    """Labels no longer follow the score: each example's is another's."""
    risk, fraud, rows = data
    fraud = fraud.copy()
    fraud[AT:] = np.random.default_rng(2).permutation(fraud[AT:])
    return risk, fraud, rows


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        (_feature, "feature", "f8"), (_frauds, "label_rate", "fraud"), (_scores, "score", "risk"),
        (_outcomes, "calibration", "log_loss"),
    ],
)  # fmt: skip
def test_a_change_is_told_soon_and_by_its_name(
    change: Callable[[Examples], Examples], kind: str, name: str
) -> None:
    found = marks_of(change(examples(11)))
    delays = [i - AT for i, mark in found if (mark.kind, mark.name) == (kind, name)]
    assert delays
    assert 0 < delays[0] <= LATEST
    assert all(i >= AT for i, _ in found)
    mark = next(mark for _, mark in found if mark.kind == kind)
    assert mark.text_en
    assert mark.text_zh
    assert mark.text_en != mark.text_zh


def test_what_is_over_may_be_told_again() -> None:
    risk, fraud, rows = examples(5, 30_000)
    for start, end in ((10_000, 13_000), (20_000, 23_000)):
        rows[start:end, 9] = np.clip(rows[start:end, 9] + 0.8 * EFFECT, 0.0, 1.0)
    told = [i for i, mark in marks_of((risk, fraud, rows)) if mark.name == "f9"]
    assert len(told) == 2
    assert 10_000 < told[0] < 13_000
    assert 20_000 < told[1] < 23_000


def test_a_restart_changes_nothing_and_the_start_is_not_judged() -> None:
    data = _scores(examples(11))
    assert marks_of(data) == marks_of(data, cut=AT + 100)
    assert all(i > FIRST for i, _ in marks_of(data))
    assert set(CYCLES) & set(FEATURES), "the test must show the calendar to the watch"


# Corridors


def settled(ratios: dict[str, float], n: int = 4000, seed: int = 3) -> Settled:
    """Settled examples of corridors whose odds of fraud are so many times what the risk says."""
    draw = np.random.default_rng(seed)
    parts = []
    for name, ratio in ratios.items():
        risk = 1.0 / (1.0 + np.exp(-draw.normal(-5.0, 1.5, n)))
        odds = ratio * risk / ((1.0 - risk) * RATE)
        fraud = draw.random(n) < odds / (1.0 + odds)
        parts.append((risk, fraud, np.full(n, name, dtype=object)))
    risk, fraud, names = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Settled(risk[:, None], fraud, np.where(fraud, 1.0, 1.0 / RATE), np.full(len(risk), np.nan), names)


def test_a_corridor_that_leaves_its_risk_is_told_once_until_it_is_back() -> None:
    watch = CorridorWatch()
    even = {f"C{i}": 1.0 for i in range(15)}
    assert watch.check(corridor_ratios(settled(even), 0, RATE, 20), 1) == []
    off = corridor_ratios(settled({**even, "C3": 3.0, "C7": 0.3}), 0, RATE, 20)
    assert sorted(mark.name for mark in watch.check(off, 2)) == ["C3", "C7"]
    assert off["C3"].low > 1.5
    assert off["C7"].high < 0.7
    assert watch.check(off, 3) == []
    assert watch.drifting == {"C3", "C7"}
    assert watch.check(corridor_ratios(settled(even, seed=4), 0, RATE, 20), 4) == []
    assert watch.drifting == set()


@pytest.mark.parametrize("observed", [0.0, 1.0, 4.0, 40.0])
def test_the_ratio_is_pulled_to_one_and_its_interval_holds_it(observed: float) -> None:
    ratio = ratio_of(observed, 2.0, 100.0)
    assert ratio.low < ratio.ratio < ratio.high
    assert abs(ratio.ratio - 1.0) <= abs(observed / 2.0 - 1.0)
    assert (ratio.z > 0.0) == (observed > 2.0)
    # Two frauds more or less among two expected are chance.
    assert ratio.drifting == (observed == 40.0)


def test_what_has_not_spoken_and_what_has_no_corridor_is_left_out() -> None:
    silent = settled({"A": 1.0, "": 1.0}, 50)
    silent.risks[:10] = np.nan
    assert set(corridor_ratios(silent, 0, RATE, 20)) == {"A"}
    silent.risks[:] = np.nan
    assert corridor_ratios(silent, 0, RATE, 20) == {}
