"""The child processes of `tidegate up`: each does one job until SIGTERM, or until its parent is gone.

When the parent dies, whatever way, the child stops itself (parent.py).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import msgspec

from alerts.custody.data_keys import FILE_NAME, FileDataKeys
from alerts.custody.envelope import Sealer, dead_letter_context
from alerts.custody.keyring import KeyRing, keyring_path
from alerts.custody.private_files import make_private_directory
from alerts.notices.of_incident import NoticeClocks
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow import clerk, sender
from dataflow.artefacts import artefact_of
from dataflow.assemble import engine_of, oversight_of
from dataflow.checkpoint import Checkpoints
from dataflow.collecting import seldom_collected
from dataflow.door import Door
from dataflow.feeding import Feeder
from dataflow.parent import stop, working
from dataflow.progress import Progress
from dataflow.response import watching
from dataflow.scoring import Scorer, now_ms
from dataflow.settings import Settings
from dataflow.shedding import Shedding
from dataflow.warming import warm_up
from models.decision import DeadLetter
from models.errors import TidegateError

RESTARTS = "TIDEGATE_RESTARTS"


def prepare() -> None:
    """Stop on SIGTERM; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    working.set()


def ring_of(settings: Settings) -> KeyRing:
    """The key ring of the data directory, made on first start."""
    make_private_directory(settings.directory)
    return KeyRing.load_or_create(keyring_path(settings.directory), now_ms())


def sealer(settings: Settings, ring: KeyRing) -> Callable[[DeadLetter], DeadLetter]:
    """Seals what a dead letter holds of its entry."""
    seals = Sealer(ring, FileDataKeys(settings.directory / FILE_NAME), now_ms)

    def seal(letter: DeadLetter) -> DeadLetter:
        if letter.data is None:
            return letter
        sealed = seals.seal_bytes(letter.data.encode("utf-8", "replace"), dead_letter_context(letter.place))
        return msgspec.structs.replace(letter, data=sealed)

    return seal


def run_scorer(settings: Settings, url: str) -> None:
    """The Bytewax flow over the store at `url`, with recovery in the data directory."""
    from dataflow.cluster import live

    if live.is_cluster(settings):
        ring, restarts = ring_of(settings), int(os.environ.get(RESTARTS, "0"))
        live.run(settings, url, ring, sealer(settings, ring), stop.is_set, restarts)
        return

    from bytewax.errors import BytewaxRuntimeError
    from bytewax.recovery import RecoveryConfig, init_db_dir
    from bytewax.testing import run_main

    from dataflow.flow import build_flow
    from dataflow.kafka.lanes import copy_of, source_of
    from dataflow.observe.traced import TracedScorer
    from dataflow.observe.traces import spans_of
    from dataflow.sinks.store import StoreSink

    ring = ring_of(settings)
    recovery = settings.directory / "recovery"
    if not recovery.exists():
        make_private_directory(recovery)
        init_db_dir(recovery, 1)  # type: ignore[no-untyped-call]
    waiting = settings.directory / "vectors"
    make_private_directory(waiting)
    checkpoints = Checkpoints(settings.directory / "checkpoints", ring.signer("checkpoint"))
    TracedScorer.spans = spans_of("scorer", settings.observe.traces)
    chosen = TracedScorer if settings.observe.traces else Scorer
    artefact, seal = artefact_of(RedisLink(url), ring.signer("model")), sealer(settings, ring)

    # Beside a Kafka topic the flow waits for its checkpoints: positions of the topic are kept by epoch.
    progress = None if settings.kafka.source else Progress()
    warm_up(settings)

    def scorer(resume: int | None) -> Scorer:
        engine = engine_of(
            settings, learn_inline=False, vectors_directory=waiting, evidence=settings.flow.evidence
        )
        shedding = Shedding(settings.flow.shed_after_ms)
        return chosen(engine, checkpoints, artefact, seal, resume, shedding, progress)

    flow = build_flow(
        source_of(settings, url, stop.is_set, progress),
        scorer,
        StoreSink(
            url, settings.store.keep_decisions, lambda: int(os.environ.get(RESTARTS, "0")), progress=progress
        ),
        copy_of(settings, stop.is_set),
    )
    try:
        with seldom_collected():
            run_main(  # type: ignore[no-untyped-call]
                flow,
                epoch_interval=timedelta(seconds=settings.flow.epoch_s),
                recovery_config=RecoveryConfig(recovery, timedelta(0)),  # type: ignore[no-untyped-call]
            )
    except BytewaxRuntimeError as error:
        # Bytewax wraps what its parts raise: ours says what to do.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, TidegateError):
            cause = cause.__cause__
        raise cause or error from None
    finally:
        TracedScorer.spans.close()


def run_learner(settings: Settings, url: str) -> None:
    """Learn examples and publish snapshots."""
    from dataflow.learning import LearnerProcess

    engine = settings.engine
    LearnerProcess(
        url,
        settings.directory / "learner",
        ring_of(settings).signer("model"),
        engine.features,
        engine.negative_rate,
        engine.publish_every,
        **oversight_of(settings),
    ).run(stop.is_set, stop.wait)


def run_sender(settings: Settings, url: str) -> None:
    """Route what happened to receivers."""
    sender.run(settings, url, int(os.environ.get(RESTARTS, "0")), stop)


def run_clerk(url: str) -> None:
    """End snoozes, watch deadlines, link the audit trail."""
    clerk.run(RedisStore(url), int(os.environ.get(RESTARTS, "0")), stop.is_set, stop.wait)


def run_incidents(settings: Settings, url: str) -> None:
    """Find surges, follow incidents, end what has had its time."""
    plans = watching.followed(settings.emergency.book)
    watching.run(
        RedisStore(url), plans, int(os.environ.get(RESTARTS, "0")), stop.is_set, stop.wait,
        NoticeClocks(settings.notices),
    )  # fmt: skip


def run_observer(settings: Settings, url: str) -> None:
    """Export metrics, and alert about Tidegate itself."""
    from dataflow.observe import observer

    observer.run(settings, url, int(os.environ.get(RESTARTS, "0")), stop.is_set, stop.wait)


def run_serve(settings: Settings, url: str) -> None:
    """Answer HTTP requests."""
    from dataflow.cli import version
    from dataflow.serve.server import serve

    serve(settings, url, ring_of(settings), stop, version())


def run_simulator(settings: Settings, url: str, start: int) -> None:
    """Feed the simulated world through the door."""
    ring, keys = ring_of(settings), FileDataKeys(settings.directory / FILE_NAME)
    Feeder(url, lambda clock: Door(ring, keys, clock=clock), settings.simulator, settings.flow, start).run(
        stop.is_set, stop.wait
    )
