"""Benchmarks: the JSON others read, figures that fit one another, and a floor that is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.bench.flow import Runner
from dataflow.bench.load import Load
from dataflow.bench.loop import STAGES, Loop, items_of
from dataflow.bench.passthrough import PassThrough
from dataflow.bench.throughput import throughput
from dataflow.bench.workshop import workshop
from dataflow.commands.bench import ABSENT, KINDS
from dataflow.settings import Settings
from models.events import Label, Transaction, decode
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


@pytest.mark.parametrize("what", [*ABSENT, "speed"])
def test_what_cannot_be_measured_is_refused_by_name(what: str, tmp_path: Path) -> None:
    said = refused(tidegate("bench", "--what", what, cwd=tmp_path))
    assert what in said
    assert what in ABSENT or all(kind in said for kind in KINDS)
    assert "--seconds" in refused(tidegate("bench", "--seconds", 1, cwd=tmp_path))
