"""The flow over one recorded stream in a process of its own, for tests that kill it.

    python -m tests.streams.flow_process STREAM DIRECTORY BATCH

Recovery and checkpoints lie in DIRECTORY; each commit becomes a line `BATCH_NUMBER COMMIT.` of out.jsonl there, the
full stop showing that it is whole. Batches that are done again after a kill are written again.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import msgspec
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from alerts.custody.keyring import KeyRing
from dataflow.checkpoint import Checkpoints
from dataflow.flow import build_flow
from dataflow.scoring import Scorer, Written
from dataflow.sources.packets import FilePackets
from tests.streams.record import fresh_engine


class Lines(StatelessSinkPartition[tuple[str, Written]]):
    """Appends commits to a file, each with one system call."""

    def __init__(self, path: Path, batch: int) -> None:
        self._out, self._batch = path.open("ab", buffering=0), batch
        self._out.write(b"\n")  # ends what a kill has cut

    def write_batch(self, items: list[tuple[str, Written]]) -> None:
        """Append a line for each."""
        for _, written in items:
            number = int(written.position[0]) // self._batch
            self._out.write(b"%d %b.\n" % (number, msgspec.json.encode(written.commit)))


class LinesSink(DynamicSink[tuple[str, Written]]):
    """One file for one worker."""

    def __init__(self, path: Path, batch: int) -> None:
        self._path, self._batch = path, batch

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Lines:
        """Open the file."""
        return Lines(self._path, self._batch)


def main(stream: Path, folder: Path, batch: int) -> None:
    """Run to the end of the stream, from wherever the last run got to."""
    recovery = folder / "recovery"
    if not recovery.exists():
        recovery.mkdir()
        init_db_dir(recovery, 1)
    checkpoints = Checkpoints(folder / "checkpoints", KeyRing.for_tests().signer("checkpoint"))

    def scorer(resume: int | None) -> Scorer:
        return Scorer(fresh_engine(), checkpoints, lambda _: b"", lambda letter: letter, resume)

    flow = build_flow(FilePackets([stream], batch=batch), scorer, LinesSink(folder / "out.jsonl", batch))
    run_main(flow, epoch_interval=timedelta(milliseconds=25), recovery_config=RecoveryConfig(recovery))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
