"""The live scorer as a cluster: the input stream and the store are the first process's, the work is everyone's.

A data directory that one process has used is taken over: each process loads that checkpoint before it loads what a
cluster has saved since, if anything. Once a cluster has used it, it stays one, also with a single process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from bytewax.inputs import StatefulSourcePartition

from alerts.custody.keyring import KeyRing
from alerts.custody.private_files import make_private_directory
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.artefacts import artefact_of
from dataflow.checkpoint import Checkpoints
from dataflow.cluster.desk import Desk
from dataflow.cluster.process import Job, addresses, engine_for, follow, lead, read_job
from dataflow.cluster.rounds import Position
from dataflow.committing import Seals
from dataflow.settings import Settings
from dataflow.sinks.store import StoreSink
from dataflow.sources.stream import INPUT, START, Packet, StreamSource
from models.decision import Counters
from models.errors import SettingsError, SnapshotError
from models.freezing import adopt, counters_in, thaw
from models.state import restore_into

FOLLOWER = "dataflow.cluster.live_follower"
ROUND = 512
"""Most entries of a round: several rounds are under way at once, and a containment waits for all of them."""


def is_cluster(settings: Settings) -> bool:
    """Whether the scorer of these settings runs as a cluster."""
    return settings.flow.workers > 1 or _folder(settings).exists()


def check(settings: Settings) -> None:
    """Raise SettingsError for what a cluster cannot do, before anything is started."""
    if is_cluster(settings) and settings.kafka.source:
        raise SettingsError(
            f"a Kafka topic is read by one process: set flow.workers to 1, and data_dir to a directory without "
            f"{_folder(settings).name}/"
        )


def run(
    settings: Settings, url: str, ring: KeyRing, seal: Seals, stopping: Callable[[], bool], restarts: int
) -> None:
    """Lead until told to stop. Raises SettingsError."""
    check(settings)
    store = RedisStore(url)
    begins = _taken_over(settings, ring, store)
    evidence = msgspec.structs.replace(settings.engine, evidence=settings.flow.evidence)
    job = Job(
        settings=msgspec.structs.replace(settings, engine=evidence), addresses=addresses(settings.flow.workers),
        directory=str(_folder(settings)), epoch_s=settings.flow.epoch_s, takes_over=begins, warm=True,
    )  # fmt: skip
    waiting = settings.directory / "vectors"
    make_private_directory(waiting)
    desk = desk_at(job, url, ring, waiting)
    stream = StreamSource(url, settings.flow.batch, stopping)

    def opens(position: tuple[str, str] | None) -> StatefulSourcePartition[Packet, Any]:
        return stream.build_part("rounds", INPUT, position or (START, START))

    lead(
        job, desk, ring.signer("checkpoint"), seal, opens,
        StoreSink(url, settings.store.keep_decisions, lambda: restarts), most=min(settings.flow.batch, ROUND),
        module=FOLLOWER, begins=Position(_checkpoints(settings, ring).at(begins)) if begins else None,
    )  # fmt: skip


def run_follower(url: str, ring_of: Callable[[Settings], KeyRing]) -> None:
    """Follow until the cluster ends."""
    job = read_job()
    ring = ring_of(job.settings)
    follow(job, desk_at(job, url, ring, None), ring.signer("checkpoint"))


def desk_at(job: Job, url: str, ring: KeyRing, vectors: Path | None) -> Desk:
    """The desk of one process, with what one process alone had saved."""
    engine = engine_for(job, vectors)
    if job.takes_over:
        found = _checkpoints(job.settings, ring).load(job.takes_over)
        if found is None:
            raise SnapshotError(
                f"{job.settings.directory / 'checkpoints'}: checkpoint {job.takes_over}, which the cluster began with, "
                "is gone; restore it"
            )
        arrays, record = found[1], found[2]
        if job.index == 0:
            thaw(engine, arrays, record)
        else:
            adopt(engine, record)
            for shard in engine.shards:
                restore_into(shard.parts(), arrays)
    return Desk(engine, artefact_of(RedisLink(url), ring.signer("model")), leads=job.index == 0)


def _taken_over(settings: Settings, ring: KeyRing, store: RedisStore) -> int:
    """The number of one process's checkpoint that the cluster began or begins with, 0 for none; kept from then on."""
    folder = _folder(settings)
    kept = folder / "takes_over"
    if kept.exists():
        return int(kept.read_text())
    checkpoints, cursors = _checkpoints(settings, ring), store.cursors()
    number = 0
    known_numbers = checkpoints.numbers()
    if known_numbers and not checkpoints.at(known_numbers[-1])[0]:
        raise SettingsError(
            f"{checkpoints.directory}: the newest checkpoint does not say where the stream goes on, as with a Kafka "
            "topic: go on with flow.workers = 1, or begin with an empty data_dir"
        )
    for known in reversed(known_numbers):
        found = checkpoints.load(known)
        # One that is ahead of the store was written just before a kill: what lies between would be lost.
        if found is not None and _reached(counters_in(found[2]), cursors):
            number = known
            break
    make_private_directory(folder)
    kept.write_text(str(number))
    return number


def _reached(counters: Counters, cursors: dict[str, int]) -> bool:
    """Whether the store has everything that was counted."""
    counted = (counters.decided, counters.alerts, counters.dead_letters)
    return all(n <= cursors[name] for n, name in zip(counted, ("decisions", "hits", "dead"), strict=True))


def _checkpoints(settings: Settings, ring: KeyRing) -> Checkpoints:
    return Checkpoints(settings.directory / "checkpoints", ring.signer("checkpoint"))


def _folder(settings: Settings) -> Path:
    return settings.directory / "cluster"
