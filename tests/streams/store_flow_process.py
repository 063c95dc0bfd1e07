"""The live flow over a store in a process of its own, for tests that kill it: checkpoints are written beside it.

    python -m tests.streams.store_flow_process URL DIRECTORY EVENTS

Recovery and checkpoints lie in DIRECTORY; the flow ends by itself once the engine has counted EVENTS. Epochs are short,
and each checkpoint's child sleeps a little first, so that kills find children at work and marks not reached yet.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from alerts.custody.keyring import KeyRing
from dataflow.checkpoint import Checkpoints
from dataflow.flow import build_flow
from dataflow.progress import Progress
from dataflow.scoring import Scorer
from dataflow.sinks.store import StoreSink
from dataflow.sources.stream import StreamSource
from models.engine import Engine
from tests.streams.record import fresh_engine


class Slow(Checkpoints):
    """A disk that takes its time."""

    def save(self, *arguments: Any, **more: Any) -> int:
        """Write a checkpoint, later."""
        time.sleep(0.05)
        return super().save(*arguments, **more)


def main(url: str, folder: Path, events: int) -> None:
    """Run until the engine has taken so many events, from wherever the last run got to."""
    recovery = folder / "recovery"
    if not recovery.exists():
        recovery.mkdir()
        init_db_dir(recovery, 1)
    checkpoints = Slow(folder / "checkpoints", KeyRing.for_tests().signer("checkpoint"))
    engines: list[Engine] = []
    progress = Progress()

    def scorer(resume: int | None) -> Scorer:
        engines[:] = [fresh_engine()]
        return Scorer(engines[0], checkpoints, lambda _: b"", lambda letter: letter, resume, None, progress)

    def done() -> bool:
        return bool(engines) and engines[0].counters.events_in >= events

    flow = build_flow(
        StreamSource(url, 16, done, sleep_ms=0, progress=progress),
        scorer,
        StoreSink(url, 1_000_000, lambda: 0, progress=progress),
    )
    run_main(
        flow,
        epoch_interval=timedelta(milliseconds=25),
        recovery_config=RecoveryConfig(recovery, timedelta(0)),
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
