"""The processes of a cluster: the first reads the stream, leads and starts the others; all run the same flow.

The first picks free ports of this machine and hands each follower a job over its standard input, which then stays open:
when it ends, the first process is gone, and the follower ends at once. When a follower is gone, so is the cluster: the
first process ends too, and whoever keeps it alive starts all of them again, from the last checkpoint.

Bytewax's processes take each other's messages on trust, so they listen on 127.0.0.1 only.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from bytewax.inputs import StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, Sink, StatefulSinkPartition

from dataflow.assemble import engine_of
from dataflow.checkpoint import Signs
from dataflow.cluster.desk import Desk
from dataflow.cluster.flow import Opens, Place, build_cluster
from dataflow.cluster.keys import SHARDS
from dataflow.cluster.lead import Lead
from dataflow.cluster.rounds import Position, Rounds
from dataflow.collecting import seldom_collected
from dataflow.committing import Seals
from dataflow.replay import Digest
from dataflow.scoring import Written
from dataflow.settings import Settings
from dataflow.sources.stream import Packet
from dataflow.warming import warm_up
from models.engine import Engine

RECOVERY_PARTITIONS = 1
NEVER_S = 86_400.0
"""Length of an epoch where nothing is saved."""
CREDITS = 6
"""Rounds under way for each process."""
LOST = 3
"""Exit code of a first process that has lost one of the others."""
GRACE_S = 3.0
FOLLOWER = "dataflow.cluster.follower"


class Job(msgspec.Struct, kw_only=True):
    """What a process of a cluster is to do. settings: with the engine's as they are for this run.

    index: 0 leads. artefacts: folder with model snapshots by version, "" the store. directory: where recovery and
    checkpoints are, "" nothing is saved. digest: decisions are also told as lines of a digest. learn: the lead learns.
    takes_over: number of the checkpoint of one process that the cluster began with, 0 none.
    warm: kernels are loaded before the first payment comes.
    """

    settings: Settings
    addresses: list[str]
    index: int = 0
    artefacts: str = ""
    directory: str = ""
    epoch_s: float = NEVER_S
    digest: bool = False
    learn: bool = False
    takes_over: int = 0
    warm: bool = False

    @property
    def saves(self) -> Path | None:
        """Where the parts of the cluster save."""
        return Path(self.directory) / "checkpoints" if self.directory else None


def engine_for(job: Job, vectors: Path | None = None) -> Engine:
    """The engine of one process. vectors: where vectors wait for their outcome; None keeps them in memory."""
    if job.warm:
        warm_up(job.settings)
    learns = job.learn and job.index == 0
    return engine_of(job.settings, learn_inline=learns, vectors_directory=vectors, kinds=SHARDS)


def addresses(workers: int) -> list[str]:
    """As many free ports of this machine."""
    sockets = [socket.socket() for _ in range(workers)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def followers(job: Job, lost: Callable[[int], None], module: str = FOLLOWER) -> Iterator[list[int]]:
    """Start every process but the first; their ids. lost: told with the exit code when one ends before its time."""
    processes = []
    ended = threading.Event()
    for index in range(1, len(job.addresses)):
        process = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(msgspec.structs.replace(job, index=index)) + b"\n")
        process.stdin.flush()
        processes.append(process)
        threading.Thread(target=_watch, args=(process, ended, lost), daemon=True).start()
    try:
        yield [process.pid for process in processes]
    finally:
        ended.set()
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _watch(process: subprocess.Popen[bytes], ended: threading.Event, lost: Callable[[int], None]) -> None:
    code = process.wait()
    if code != 0 and not ended.is_set():
        lost(code)


def lead(
    job: Job, desk: Desk, signer: Signs | None, seal: Seals, opens: Opens, sink: Sink[tuple[str, Written]],
    *, most: int, digest: Digest | None = None, module: str = FOLLOWER,
    started: Callable[[list[int]], None] | None = None, begins: Position | None = None,
) -> None:  # fmt: skip
    """Run a whole cluster from its first process until the stream ends.

    most: entries of a round. module: what a follower runs. started: told the ids of the followers. begins: where the
    stream goes on when the cluster has saved nothing yet.
    """
    if job.directory and not _recovery(job).exists():
        from bytewax.recovery import init_db_dir

        _recovery(job).mkdir(parents=True, mode=0o700)
        init_db_dir(_recovery(job), RECOVERY_PARTITIONS)  # type: ignore[no-untyped-call]
    rounds = Rounds(len(job.addresses), CREDITS * len(job.addresses), most)
    leads = Lead(desk, rounds, seal, digest)
    if begins is not None:
        leads.resume(begins, {at: shard.evicted for at, shard in enumerate(desk.engine.shards)}, 0)
    place = Place(desk, leads, job.saves, signer, digest=job.digest)
    with followers(job, _give_up, module) as pids:
        if started is not None:
            started(pids)
        _run(job, place, opens, sink)


def follow(job: Job, desk: Desk, signer: Signs | None) -> None:
    """Run a process that does not lead until the cluster ends, or the first process does."""
    threading.Thread(target=_end_with_leader, daemon=True).start()
    _run(job, Place(desk, None, job.saves, signer, digest=job.digest), _no_stream, _Nowhere())


def read_job() -> Job:
    """The job that a follower is handed: the first line of its standard input."""
    line = b""
    # Byte by byte: a thread will wait for the end of the same pipe, and a buffer would be in its way.
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise EOFError("the first process of the cluster ended before it had said what to do")
        line += byte
    return msgspec.json.decode(line, type=Job)


def _run(job: Job, place: Place, opens: Opens, sink: Sink[tuple[str, Written]]) -> None:
    from bytewax.recovery import RecoveryConfig
    from bytewax.testing import cluster_main

    recovery = RecoveryConfig(_recovery(job), timedelta(0)) if job.directory else None  # type: ignore[no-untyped-call]
    with seldom_collected():
        cluster_main(  # type: ignore[no-untyped-call]
            build_cluster(place, opens, sink), job.addresses, job.index,
            epoch_interval=timedelta(seconds=job.epoch_s), recovery_config=recovery,
        )  # fmt: skip


def _recovery(job: Job) -> Path:
    return Path(job.directory) / "recovery"


def _no_stream(_: tuple[str, str] | None) -> StatefulSourcePartition[Packet, Any]:
    raise AssertionError("the stream is read where the lead is")


class _Nowhere(FixedPartitionedSink[Written, None]):
    """The sink of a process that does not lead: it has no part of it."""

    def list_parts(self) -> list[str]:
        return []

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[Written, None]:
        raise AssertionError("what is decided is written where the lead is")


def _end_with_leader() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _give_up(code: int) -> None:
    """A follower is gone: end this process too, whatever it waits for."""
    # Where this process is the cause, it has something to say first.
    time.sleep(GRACE_S)
    sys.stderr.write(f"a process of the cluster ended (exit code {code}): all of them end\n")
    sys.stderr.flush()
    os._exit(LOST)
