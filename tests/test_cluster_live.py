"""The live scorer with one, two and three processes on one data directory: taken over, killed, and grown."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from dataflow.assemble import engine_of
from dataflow.bench.flow import append
from dataflow.bench.plant import Plant, plant
from dataflow.bench.workshop import workshop
from dataflow.replay import Digest
from dataflow.settings import Settings, load_settings
from dataflow.sources.files import FileSource, RawItem
from models.decision import Decision
from tests.streams import record

WAIT_S = 120.0


def settings(workers: int) -> Settings:
    base = load_settings(record.SETTINGS)
    flow = msgspec.structs.replace(base.flow, workers=workers, epoch_s=0.3, batch=64, shed_after_ms=0)
    return msgspec.structs.replace(base, flow=flow)


def stored(plant: Plant) -> Digest:
    """The digest of the decisions in the store, in their order."""
    digest = Digest()
    with plant.link.speaking() as client:
        for _, fields in client.xrange("tg:decisions"):
            digest.add([msgspec.json.decode(fields[b"d"], type=Decision)])
    return digest


def wait_for(plant: Plant, events: int) -> None:
    """Until so many events were taken."""
    ends = time.monotonic() + WAIT_S
    while plant.store.counters().events_in < events:
        assert time.monotonic() < ends, plant.store.counters()
        time.sleep(0.02)


@pytest.mark.slow
def test_one_stream_through_one_two_and_three_processes_with_a_kill(tmp_path: Path) -> None:
    lines = [item.line or b"" for items in FileSource(record.path_of("merchant")) for item in items]
    alone, digest = engine_of(settings(1), learn_inline=False), Digest()
    ends = []
    parts = [lines[:400], lines[400:800], lines[800:]]
    for part in parts:
        digest.add(alone.step([RawItem("alone", line, None, None) for line in part]).decisions)
        ends.append(alone.counters.decided)
    taken = 0
    with workshop() as (url, _):
        for workers, part, end in zip((1, 2, 3), parts, ends, strict=True):
            with plant(url, tmp_path / "data", settings(workers)) as made:
                scorer = made.start("scorer")
                half = len(part) // 2
                append(made.link, "tg:in", part[:half])
                if workers > 1:
                    made.wait(ends[workers - 2] + 1, WAIT_S)
                    made.kill(scorer)
                    scorer = made.start("scorer")
                append(made.link, "tg:in", part[half:-1])
                taken += len(part) - 1
                wait_for(made, taken)
                # A pause, with epochs in it, and then a single event: a cluster that was idle wakes up.
                time.sleep(1.0)
                append(made.link, "tg:in", part[-1:])
                taken += 1
                wait_for(made, taken)
                made.wait(end, WAIT_S)
                assert made.store.counters().balanced()
        assert stored(made).hex() == digest.hex()
        assert made.store.counters().events_in == len(lines)
