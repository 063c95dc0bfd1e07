"""Benchmarks: the JSON others read, figures that fit one another, and a floor that is one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflow.bench.flow import Runner
from dataflow.bench.growth import growth
from dataflow.bench.latency import latency
from dataflow.bench.load import Load
from dataflow.bench.loop import STAGES, Loop, Spent, items_of, trained
from dataflow.bench.page import page
from dataflow.bench.parts import BATCHES, Parts, costs, measured
from dataflow.bench.passthrough import PassThrough
from dataflow.bench.plots import write
from dataflow.bench.recovery import recovery
from dataflow.bench.scale import scale
from dataflow.bench.throughput import throughput
from dataflow.bench.workshop import workshop
from dataflow.commands.bench import KINDS
from dataflow.settings import Settings
from models.events import Label, Transaction, decode
from models.features import NAMES
from models.rules.pack import default_pack
from tests.test_cli import refused, tidegate


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Loop, Load, str, Path]]:
    load = Load(customers=300)
    loop = Loop(Settings(), load)
    loop.train(lambda: load.events >= 1000)
    with workshop() as (url, directory):
        yield loop, load, url, directory


def test_throughput_says_what_the_contract_names() -> None:
    result = throughput(Settings(), 5, lambda _: None)
    assert result["ratio"] == pytest.approx(result["full_per_second"] / result["floor_per_second"], abs=1e-3)
    assert tuple(result["stages_us"]) == STAGES
    assert all(spent > 0 for spent in result["stages_us"].values())
    assert result["machine"].keys() >= {"cpu", "cores", "python", "os", "libraries"}
    assert result["cpu_us"].keys() == {"floor", "full"}
    assert result["balanced"]
    assert len(result["laps"]) >= 1
    shown(["throughput"], result)


def test_floor_and_engine_decide_the_same_payments_lap_after_lap(made: tuple[Loop, Load, str, Path]) -> None:
    loop, load, url, directory = made

    def floor() -> PassThrough:
        engine = loop.successor()
        engine.__class__ = PassThrough
        assert isinstance(engine, PassThrough)
        return engine

    runners = {
        "floor:": Runner(url, "floor:", directory / "floor", Settings(), floor),
        "full:": Runner(url, "full:", directory / "full", Settings(), loop.successor),
    }
    seen: list[bytes] = []
    for size in (700, 300):
        lines = load.take(size)
        seen += lines
        for prefix, runner in runners.items():
            lap = runner.lap(lines)
            assert (lap.events, runner.counters.events_in) == (size, len(seen)), prefix
            assert min(lap.wall_s, lap.flow_s, lap.store_s) > 0
    payments = {event.id for event in map(decode, seen) if isinstance(event, Transaction)}
    for prefix, runner in runners.items():
        assert runner.counters.decided == len(payments)
        assert runner.counters.balanced()
        with runner.link.speaking() as client:
            assert client.xlen(f"{prefix}decisions") == len(payments)
            assert client.xlen(f"{prefix}in") == 0


def test_the_stages_are_of_a_stream_that_goes_on(made: tuple[Loop, Load, str, Path]) -> None:
    loop, load, _, _ = made
    decided = loop.engine.counters.decided
    stages = loop.stages(512)
    assert tuple(stages) == STAGES
    assert loop.engine.counters.decided > decided
    # Nobody listens any more.
    loop.engine.step(items_of(load.take(64)))
    assert loop.stages(64).keys() == stages.keys()


def test_frauds_are_judged_at_once_and_the_stream_is_the_same_however_it_is_read() -> None:
    whole, parts = Load(customers=300), Load(customers=300)
    events = [decode(line) for line in whole.take(4000)]
    again = [decode(line) for count in (1, 2999, 1000) for line in parts.take(count)]
    assert [event.id for event in again] == [event.id for event in events]
    paid = {event.id: at for at, event in enumerate(events) if isinstance(event, Transaction)}
    verdicts = {
        event.transaction_id: at
        for at, event in enumerate(events)
        if isinstance(event, Label) and event.id.startswith("verdict-")
    }
    assert verdicts
    assert all(at == paid[id_] + 1 for id_, at in verdicts.items())


@pytest.mark.slow
def test_several_processes_decide_as_one_beside_which_they_are_timed() -> None:
    result = scale(Settings(), 5, lambda _: None)
    assert result["equal"]
    rates = result["events_per_second"]
    assert result["scale"] == {"2": pytest.approx(rates["2"] / rates["1"], abs=2e-3)}
    assert [len(cpu) for cpu in result["cpu_us"].values()] == [1, 2]
    shown(["scale"], result)


def test_latency_counts_every_decision_from_its_place_on_the_timetable() -> None:
    result = latency(Settings(), 8, lambda _: None, rate=200.0)
    spread = result["latency_ms"]
    assert list(spread) == ["p50", "p90", "p99", "p999"]
    assert 0 < spread["p50"] <= spread["p90"] <= spread["p99"] <= spread["p999"]
    assert result["rate"] == 200.0
    assert result["events"] == pytest.approx(200 * result["measured_s"], rel=0.05)
    assert 0.5 * result["events"] < result["decisions"] <= result["events"]
    assert all(
        a[0] < b[0] and a[1] <= b[1] for a, b in zip(result["curve"], result["curve"][1:], strict=False)
    )
    shown(["latency"], result)


def test_recovery_is_of_a_scorer_that_was_killed() -> None:
    result = recovery(Settings(), lambda _: None, 2000)
    assert result["recovery_seconds"] > 0
    assert result["entities"] >= 2000
    assert result["checkpoint_mb"] > 0
    shown(["recovery"], result)


def test_growth_tells_time_and_memory() -> None:
    grown = growth(Settings(), lambda _: None, 1500)
    assert [point["customers"] for point in grown["points"]] == [1500]
    assert grown["points"][0]["entities"] > 3 * 1500
    shown(["growth"], grown)


def test_costs_name_every_part() -> None:
    features = measured("features", Settings(), 5, lambda _: None)
    assert set(features["microseconds"]) == {*NAMES, "matrix"}
    each = sum(cost for name, cost in features["microseconds"].items() if name != "matrix")
    assert sum(features["groups"].values()) == pytest.approx(each, rel=1e-3)
    assert features["rows"] > 64 * BATCHES
    shown(["features"], features)
    parts = Parts(trained(Settings(), Spent(lambda _: None), 0.0, 0.0))
    rules, models = (costs(run(), parts.rows, lambda: False) for run in (parts.rules, parts.models))
    assert set(rules) == {*(rule.id for rule in default_pack().rules), "pack"}
    assert models.keys() == {"linear", "forest", "boosted", "half_space", "score", "explain"}
    assert min(*rules.values(), *models.values()) > 0


def shown(whats: list[str], result: dict[str, Any]) -> None:
    """The page has the figures and the command that makes them again."""
    args = argparse.Namespace(seconds=7.0, entities=2000, console=False, report=None, page=Path("docs/b.md"))
    text = page(dict.fromkeys(whats, result), args)
    assert all(f"tidegate bench --what {what}" in text for what in whats)
    assert result["machine"]["python"] in text


def test_plots_are_a_page_and_a_picture(tmp_path: Path) -> None:
    result = {"points": [{"customers": n, "us_per_event": 30.0, "entities": 5 * n} for n in (10, 100)]}
    paths = write("growth", result, tmp_path / "plots")
    assert [path.name for path in paths] == ["bench-growth.html", "bench-growth.png"]
    assert "plotly" in paths[0].read_text("utf-8")[:20_000]
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_measured_is_refused_by_name(tmp_path: Path) -> None:
    said = refused(tidegate("bench", "--what", "speed", cwd=tmp_path))
    assert "speed" in said
    assert all(kind in said for kind in KINDS)
    assert "--seconds" in refused(tidegate("bench", "--seconds", 1, cwd=tmp_path))
    assert "--what all" in refused(tidegate("bench", "--page", "p.md", cwd=tmp_path))
