"""One run of the scale measurement: python -m dataflow.bench.scale_lap FOLDER WORKERS."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from bytewax.inputs import StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.testing import run_main

from alerts.custody.keyring import KeyRing
from dataflow.assemble import engine_of
from dataflow.bench.scale import Lap
from dataflow.checkpoint import Checkpoints
from dataflow.cluster.follower import desk_of
from dataflow.cluster.process import NEVER_S, Job, addresses, engine_for, lead
from dataflow.commands.replay import artefacts_in
from dataflow.flow import build_flow
from dataflow.replay import BATCH, Digest
from dataflow.scoring import Scorer, Written
from dataflow.settings import Settings, read_resolved
from dataflow.sources.packets import FilePackets, FilePartition
from dataflow.sources.stream import Packet
from dataflow.warming import warm_up
from models.decision import Decision


class Clock(StatefulSinkPartition[Written, None]):
    """Notes when the first packet was read and the last decision came, and keeps the decisions for afterwards."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.events = 0
        self.processes = [os.getpid()]
        self._used: list[float] = []
        self._cpu: list[float] = []
        self._decisions: list[list[bytes]] = []

    def begin(self) -> None:
        """The stream is opened."""
        self.began, self._used = time.perf_counter(), cpu_of(self.processes)

    def write_batch(self, values: list[Written]) -> None:
        """Keep the decisions."""
        for written in values:
            self._decisions.append(written.commit.decisions)
            self.events = written.commit.counters.events_in
        self.ended, self._cpu = time.perf_counter(), cpu_of(self.processes)

    def snapshot(self) -> None:
        """Nothing to keep."""

    def lap(self) -> Lap:
        """What the run gave."""
        digest = Digest()
        for of in self._decisions:
            digest.add(msgspec.json.decode(decision, type=Decision) for decision in of)
        cpu = [after - before for after, before in zip(self._cpu, self._used, strict=True)]
        return Lap(self.events, self.ended - self.began, digest.hex(), cpu)


def cpu_of(processes: list[int]) -> list[float]:
    """CPU seconds that these processes have used so far; nothing where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return []
    ticks = os.sysconf("SC_CLK_TCK")
    told = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return [(int(fields[11]) + int(fields[12])) / ticks for fields in told]


class ClockSink(FixedPartitionedSink[Written, None]):
    """One clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def list_parts(self) -> list[str]:
        """The clock."""
        return ["clock"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Clock:
        """The clock."""
        return self._clock


class TimedPackets(FilePackets):
    """A file whose opening is noted."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__([path], batch=BATCH)
        self._clock = clock

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> FilePartition:
        """Open the file."""
        self._clock.begin()
        return super().build_part(step_id, for_part, resume_state)


def alone(settings: Settings, folder: Path, clock: Clock) -> None:
    """The flow of one process."""
    found = artefacts_in(folder / "models")
    checkpoints = Checkpoints(folder / "checkpoints", KeyRing.for_tests().signer("checkpoint"))
    warm_up(settings)
    engine = engine_of(settings, learn_inline=False)
    scorer = Scorer(engine, checkpoints, lambda version: found.get(version, b""), lambda letter: letter, None)
    flow = build_flow(TimedPackets(folder / "stream.jsonl", clock), lambda _: scorer, ClockSink(clock))
    run_main(flow, epoch_interval=timedelta(seconds=NEVER_S))  # type: ignore[no-untyped-call]


def together(settings: Settings, folder: Path, clock: Clock, workers: int) -> None:
    """The cluster."""
    job = Job(settings=settings, addresses=addresses(workers), artefacts=str(folder / "models"), warm=True)
    source = TimedPackets(folder / "stream.jsonl", clock)

    def opens(_: tuple[str, str] | None) -> StatefulSourcePartition[Packet, Any]:
        return source.build_part("rounds", "files", None)

    lead(
        job, desk_of(job, engine_for(job)), None, lambda letter: letter, opens, ClockSink(clock), most=BATCH,
        started=clock.processes.extend,
    )  # fmt: skip


def main(folder: Path, workers: int) -> None:
    """Run and print the lap."""
    settings, clock = read_resolved(folder / "settings.json"), Clock()
    settings = msgspec.structs.replace(
        settings, engine=msgspec.structs.replace(settings.engine, evidence=settings.flow.evidence)
    )
    if workers == 1:
        alone(settings, folder, clock)
    else:
        together(settings, folder, clock, workers)
    print(msgspec.json.encode(clock.lap()).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
