"""Replay by a cluster: recorded streams over several processes, with the summary and the digest of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bytewax.inputs import StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from dataflow.cluster.follower import desk_of
from dataflow.cluster.process import Job, addresses, engine_for, lead
from dataflow.replay import Digest, summary_of
from dataflow.scoring import Written
from dataflow.settings import Settings
from dataflow.sources.mapping import Mapping
from dataflow.sources.packets import FilePackets
from dataflow.sources.stream import Packet
from models.decision import Decision


class _Counted(StatefulSinkPartition[Written, None]):
    def __init__(
        self, on_decisions: Callable[[list[Decision]], None] | None, progress: Callable[[int], None] | None
    ) -> None:
        self._on_decisions, self._progress = on_decisions, progress

    def write_batch(self, values: list[Written]) -> None:
        for written in values:
            if self._on_decisions is not None:
                self._on_decisions([msgspec.json.decode(d, type=Decision) for d in written.commit.decisions])
            if self._progress is not None:
                self._progress(written.commit.counters.events_in)

    def snapshot(self) -> None:
        return None


class _CountedSink(FixedPartitionedSink[Written, None]):
    def __init__(self, part: _Counted) -> None:
        self._part = part

    def list_parts(self) -> list[str]:
        return ["decisions"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Counted:
        return self._part


def replay_by_cluster(
    paths: Sequence[Path], settings: Settings, workers: int, mapping: Mapping | None = None, *, batch: int, learn: bool,
    artefacts: Path | None = None, on_decisions: Callable[[list[Decision]], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """As dataflow.replay.replay. settings: with the engine's as they are for this run."""
    job = Job(
        settings=settings,
        addresses=addresses(workers),
        artefacts=str(artefacts or ""),
        digest=True,
        learn=learn,
    )
    desk, digest = desk_of(job, engine_for(job)), Digest()
    started = [0.0]

    def opens(_: tuple[str, str] | None) -> StatefulSourcePartition[Packet, Any]:
        # The processes have found each other: what counts begins here.
        started[0] = time.perf_counter()
        return FilePackets(paths, mapping, batch=batch).build_part("rounds", "files", None)

    sink = _CountedSink(_Counted(on_decisions, progress))
    lead(job, desk, None, lambda letter: letter, opens, sink, most=batch, digest=digest)
    return summary_of(desk.engine, digest, time.perf_counter() - started[0])
