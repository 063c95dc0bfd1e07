"""The undisturbed run: one engine, one learner and one store in memory, given what the flow took in the flow's order.

By the contract: models come by the Controls that stand in the stream, with learning off in the engine; what the
learner's process should have published is told by a learner beside it that meets the same examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

import msgspec
import numpy as np

from alerts.alert import Alert, Status
from alerts.memory_store import MemoryStore
from alerts.store import Store
from dataflow.assemble import engine_of, oversight_of
from dataflow.committing import commit_of
from dataflow.replay import Digest
from dataflow.scoring import artefacts_named
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.decision import DeadLetter, Decision, digest_line
from models.examples import Example, publishes
from models.learners import OnlineLearner
from models.serving import Snapshot

EVERY_ALERT = 1_000_000


class Told(NamedTuple):
    """An alert as far as it does not depend on the wall clock or on people."""

    id: str
    fingerprint: str
    severity: str
    hits: int
    events: tuple[str, ...]
    first_time: int
    last_time: int
    amount_usd: float
    priority: float


class Witness:
    """artefact: fetches a model's snapshot by version, as the scorer does."""

    def __init__(self, settings: Settings, artefact: Callable[[str], bytes]) -> None:
        self.engine = engine_of(settings, learn_inline=False)
        self.store, self.digest = MemoryStore(), Digest()
        self.published: list[str] = []
        engine = settings.engine
        self._learner = OnlineLearner(
            engine.features, negative_rate=engine.negative_rate, **oversight_of(settings)
        )
        self._artefact, self._every = artefact, engine.publish_every

    def take(self, batch: Sequence[RawItem], now: int) -> list[bytes]:
        """Decide a batch; the digest's lines. now: the wall clock, for people's deadlines only."""
        self.engine.artefacts = artefacts_named(batch, self._artefact) or self.engine.artefacts
        output = self.engine.step(batch)
        self.store.commit(commit_of(self.engine, output, _as_it_is, now))
        for example in output.examples:
            self._learn(example)
        self.digest.add(output.decisions)
        return [digest_line(decision) for decision in output.decisions]

    def _learn(self, example: Example) -> None:
        vector = np.asarray(example.vector, dtype=np.float32).astype(np.float64)
        learner = self._learner
        learnt = learner.learn(vector, example.fraud, example.weight, example.key, example.origin)
        if learnt and publishes(learner.examples, self._every):
            version = Snapshot.from_bytes(learner.snapshot()).version
            # Until there is enough to learn from, one and the same is published again.
            if version not in self.published[-1:]:
                self.published.append(version)


def alerts_in(store: Store) -> dict[str, Told]:
    """Every alert, by id."""
    return {alert.id: _told(alert) for alert in store.alerts(get_args(Status), "newest", EVERY_ALERT)}


def line_of(decision: bytes) -> bytes:
    """The digest's line of an encoded decision."""
    return digest_line(msgspec.json.decode(decision, type=Decision))


def _told(alert: Alert) -> Told:
    return Told(
        alert.id, alert.fingerprint, alert.severity, alert.count, tuple(alert.event_ids), alert.first_time,
        alert.last_time, round(alert.amount_usd, 2), round(alert.priority, 2),
    )  # fmt: skip


def _as_it_is(letter: DeadLetter) -> DeadLetter:
    return letter
