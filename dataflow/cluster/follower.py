"""A follower: a process of a cluster that does not lead. It is handed its job over standard input."""

from __future__ import annotations

import signal
from pathlib import Path

from dataflow.cluster.desk import Desk
from dataflow.cluster.process import Job, engine_for, follow, read_job
from dataflow.commands.replay import artefacts_in
from models.engine import Engine


def main() -> None:
    """Follow until the cluster ends."""
    # Ctrl-C reaches the whole group: the first process ends the cluster.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = read_job()
    follow(job, desk_of(job, engine_for(job)), None)


def desk_of(job: Job, engine: Engine) -> Desk:
    """The desk of a replay's process: models come out of a folder."""
    found = artefacts_in(Path(job.artefacts)) if job.artefacts else {}
    engine.artefacts = found
    return Desk(engine, lambda version: found.get(version, b""), leads=job.index == 0)


if __name__ == "__main__":
    main()
