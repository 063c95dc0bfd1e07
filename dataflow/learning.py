"""The learner as a process of its own: takes examples from the store, publishes signed snapshots as Control events.

It advances on label counts only, and on an operator's choice of champion, which the scorer puts among the examples. Its
River models are saved by itself for itself, signed; after a kill it goes on
from the last save and, learning the same examples in the same order, publishes the same snapshots again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.private_files import make_private_directory, replace_private
from alerts.custody.signing import SIGNATURE_BYTES, Signer
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.evaluation.groups import columns_by_group
from dataflow.scoring import now_ms
from dataflow.sinks.examples import example_of
from models.errors import SnapshotError
from models.events import Control, decode, encode
from models.examples import publishes
from models.features import CATALOGUE
from models.learner_report import Change, FeatureGroup, LearnerReport
from models.learners import OnlineLearner
from models.poisoning import NORMAL
from models.serving import Snapshot

READ = 200
MOST_REASON = 256
"""Characters a Control event takes as reason."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
BEAT_MS = 2000


class _Saved(msgspec.Struct, frozen=True):
    cursor: str
    learner: bytes
    version: str
    told: int


class LearnerProcess:
    """Reads `examples`, writes `artefact:<version>`, `control`, its report and every change of the champion.

    directory: where its own state is saved. oversight: costs, thresholds and by_cost of OnlineLearner.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        signer: Signer,
        features: tuple[str, ...],
        negative_rate: float,
        publish_every: int,
        prefix: str = "tg:",
        **oversight: Any,
    ) -> None:
        make_private_directory(directory)
        self._path = directory / "learner.state"
        self._link, self._store, self._prefix = RedisLink(url), RedisStore(url, prefix), prefix
        self._signer, self._every = signer, publish_every
        self._learner = OnlineLearner(features, negative_rate=negative_rate, **oversight)
        self._cursor, self._version, self._published = "0-0", "", 0
        # Changes of the champion that the store has been told of.
        self._told = 0
        self._refused = ""
        self._load()
        self._beaten = 0

    def step(self) -> int:
        """Learn what has come; the number of examples taken."""
        with self._link.speaking() as client:
            entries = client.xrange(f"{self._prefix}examples", f"({self._cursor}", "+", count=READ)
        for id_, fields in entries:
            due = self._choose(fields[b"c"]) if b"c" in fields else self._take(fields)
            self._cursor = id_.decode()
            if due:
                self._publish()
        now = now_ms()
        if not 0 <= now - self._beaten < BEAT_MS:
            self._beat(now)
        return len(entries)

    def run(self, stopping: Callable[[], bool], wait: Callable[[float], Any]) -> None:
        """Learn until told to stop; saves what it knows at the end."""
        while not stopping():
            if self.step() == 0:
                wait(0.25)
        self._save()

    def _choose(self, line: bytes) -> bool:
        """Take an operator's choice or trust; True when it is published at once. What cannot be is told in the beat."""
        event = decode(line)
        assert isinstance(event, Control)
        take = self._learner.trust if event.kind == "trust" else self._learner.choose
        try:
            take(event.version, event.actor or "operator", event.reason or "", event.received_at)
        except SnapshotError as error:
            self._refused = str(error)
            return False
        self._refused = ""
        return True

    def _take(self, fields: dict[bytes, bytes]) -> bool:
        """Learn one example; True when a snapshot is due."""
        example = example_of(fields)
        if example.vector.shape[0] != len(self._learner.features):
            raise SnapshotError(
                f"an example has {example.vector.shape[0]} features, the learner {len(self._learner.features)}: "
                "stop, let the old version finish its examples, or delete the stream `examples`"
            )
        learnt = self._learner.learn(
            example.vector, example.fraud, example.weight, example.key, example.origin
        )
        return learnt and publishes(self._learner.examples, self._every)

    def _publish(self) -> None:
        """Artefact first, then the Control event: who sees the event finds the artefact."""
        data = self._learner.snapshot()
        version = Snapshot.from_bytes(data).version
        now = max(self._store.stream_time(), 1)
        changes = self._learner.champions.since(self._told)
        event = Control(
            id="model-" + hashlib.sha256(f"{version}\x1f{self._cursor}".encode()).hexdigest()[:24],
            event_time=now, received_at=now, kind="model", version=version, artefact=version, actor="learner",
            reason=self._reason(changes),
        )  # fmt: skip
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=True)
            pipe.set(f"{self._prefix}artefact:{version}", self._signer.sign(data) + data)
            pipe.xadd(f"{self._prefix}control", {"e": encode(event)})
            pipe.execute()
        for number, change in enumerate(changes, self._told + 1):
            self._store.note_model_change(f"{event.id}-{number:06d}", change)
        self._store.put_learner_report(self._report(version, now))
        self._told = self._learner.champions.made
        self._version, self._published = version, now_ms()
        self._save()

    def _report(self, version: str, now: int) -> LearnerReport:
        """The learner's report with what only the scorer and the feature groups know."""
        counters = self._store.counters()
        return msgspec.structs.replace(
            self._learner.report(version, now),
            groups=feature_groups(self._learner),
            vectors_waiting=counters.vectors_waiting,
            vectors_gone=counters.vectors_gone,
        )

    def _reason(self, changes: list[Change]) -> str:
        champion = self._learner.champions.champion
        parts = [f"{self._learner.examples} examples", f"champion {champion}"]
        state, _ = self._learner.oversight.labels.state
        if state != NORMAL:
            surges = self._learner.oversight.labels.surges
            parts.append(
                f"learning {state}: {', '.join(dict.fromkeys(f'{s.kind}:{s.name}' for s in surges))}"
            )
        parts += [f"{c.kind} by {c.actor}: {c.before} to {c.after}, {c.reason}" for c in changes[-1:]]
        return _UNPRINTABLE.sub(" ", "; ".join(parts))[:MOST_REASON]

    def _save(self) -> None:
        body = msgspec.msgpack.encode(
            _Saved(self._cursor, self._learner.to_state(), self._version, self._told)
        )
        replace_private(self._path, self._signer.sign(body) + body)
        with self._link.speaking() as client:
            client.xtrim(f"{self._prefix}examples", minid=self._cursor, approximate=True)

    def _load(self) -> None:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        if not self._signer.verify(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES]):
            raise SnapshotError(
                f"{self._path}: not signed with our key - remove it to learn anew from the stream"
            )
        try:
            saved = msgspec.msgpack.decode(data[SIGNATURE_BYTES:], type=_Saved)
        except msgspec.DecodeError as error:
            raise SnapshotError(
                f"{self._path}: {error} - saved by another version; remove it to learn anew from the stream"
            ) from None
        try:
            self._learner = OnlineLearner.from_state(saved.learner)
        except SnapshotError as error:
            raise SnapshotError(f"{self._path}: {error}; remove the file to begin anew") from None
        self._cursor, self._version, self._told = saved.cursor, saved.version, saved.told

    def _beat(self, now: int) -> None:
        self._store.beat(
            "learner",
            {
                "status": "live", "pid": os.getpid(), "model": self._version, "examples": self._learner.examples,
                "position": self._cursor, "published_at": self._published,
                "champion": self._learner.champions.champion, "refused": self._refused,
            },
            now,
        )  # fmt: skip
        self._beaten = now


def feature_groups(learner: OnlineLearner) -> list[FeatureGroup]:
    """Each group's part of the champion's risk, largest first; empty until something is compiled."""
    parts = learner.feature_parts()
    if parts is None or not parts.sum():
        return []
    width = len(parts)
    if width < len(CATALOGUE):
        return []
    columns = columns_by_group(CATALOGUE, width)
    found = [
        FeatureGroup(name, float(parts[at].sum() / parts.sum()), len(at)) for name, at in columns.items()
    ]
    return sorted(found, key=lambda group: (-group.share, group.name))
