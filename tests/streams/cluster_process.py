"""A cluster over one recorded stream in processes of its own, for tests that kill them.

    python -m tests.streams.cluster_process STREAM DIRECTORY BATCH WORKERS [STOP_AFTER]

As tests.streams.flow_process, with `pids.txt` in DIRECTORY: the first process and its followers. STOP_AFTER: the stream
ends after so many entries. Without arguments it is a follower.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from bytewax.inputs import StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.custody.keyring import KeyRing
from dataflow.cluster.desk import Desk
from dataflow.cluster.process import Job, addresses, engine_for, follow, lead, read_job
from dataflow.scoring import Written
from dataflow.settings import load_settings
from dataflow.sources.packets import FilePackets
from dataflow.sources.stream import Packet
from tests.streams.record import SETTINGS

EPOCH_S = 0.1


class Lines(StatefulSinkPartition[Written, None]):
    """Appends commits to a file, each with one system call."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("ab", buffering=0)
        self._out.write(b"\n")  # ends what a kill has cut

    def write_batch(self, values: list[Written]) -> None:
        """Append a line for each."""
        for written in values:
            number = written.commit.counters.events_in
            self._out.write(b"%d %b.\n" % (number, msgspec.json.encode(written.commit)))

    def snapshot(self) -> None:
        """Nothing to keep."""


class LinesSink(FixedPartitionedSink[Written, None]):
    """One file, written where the lead is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_parts(self) -> list[str]:
        """The file."""
        return ["lines"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Lines:
        """Open it."""
        return Lines(self._path)


class Ending(StatefulSourcePartition[Packet, Any]):
    """A stream that ends early, as when the flow is told to stop."""

    def __init__(self, stream: StatefulSourcePartition[Packet, Any], entries: int) -> None:
        self._stream, self._entries = stream, entries

    def next_batch(self) -> list[Packet]:
        """Packets while they begin before the end."""
        packets = list(self._stream.next_batch())
        if int(packets[0].position[0]) > self._entries:
            raise StopIteration
        return packets

    def snapshot(self) -> int:
        """Nobody asks."""
        return 0


def desk(job: Job) -> Desk:
    """The desk of one process."""
    return Desk(engine_for(job), lambda _: b"", leads=job.index == 0)


def main(stream: Path, folder: Path, batch: int, workers: int, stop_after: int = 1 << 60) -> None:
    """Run to the end of the stream, from wherever the last run got to."""
    job = Job(
        settings=load_settings(SETTINGS),
        addresses=addresses(workers),
        directory=str(folder),
        epoch_s=EPOCH_S,
        learn=True,
    )
    signer = KeyRing.for_tests().signer("checkpoint")
    source = FilePackets([stream], batch=batch)

    def opens(position: tuple[str, str] | None) -> StatefulSourcePartition[Packet, Any]:
        begin = None if position is None else int(position[0])
        return Ending(source.build_part("rounds", "files", begin), stop_after)

    lead(
        job, desk(job), signer, lambda letter: letter, opens, LinesSink(folder / "out.jsonl"), most=batch,
        module="tests.streams.cluster_process", started=lambda pids: note(folder, pids),
    )  # fmt: skip


def note(folder: Path, pids: list[int]) -> None:
    """Tell the test which processes there are."""
    (folder / "pids.tmp").write_text(" ".join(map(str, [os.getpid(), *pids])))
    (folder / "pids.tmp").rename(folder / "pids.txt")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        given = read_job()
        follow(given, desk(given), KeyRing.for_tests().signer("checkpoint"))
