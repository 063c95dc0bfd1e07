"""The learner as a process of its own: takes examples from the store, publishes signed snapshots as Control events.

It advances on label counts only. Its River models are saved by itself for itself, signed; after a kill it goes on
from the last save and, learning the same examples in the same order, publishes the same snapshots again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from alerts.custody.private_files import make_private_directory, replace_private
from alerts.custody.signing import SIGNATURE_BYTES, Signer
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.scoring import now_ms
from models.engine import publishes
from models.errors import SnapshotError
from models.events import Control, encode
from models.learners import OnlineLearner
from models.serving import Snapshot

READ = 200
BEAT_MS = 2000


class _Saved(msgspec.Struct, frozen=True):
    cursor: str
    learner: bytes
    version: str


class LearnerProcess:
    """Reads `examples`, writes `artefact:<version>` and `control`. directory: where its own state is saved."""

    def __init__(
        self,
        url: str,
        directory: Path,
        signer: Signer,
        features: tuple[str, ...],
        negative_rate: float,
        publish_every: int,
        prefix: str = "tg:",
    ) -> None:
        make_private_directory(directory)
        self._path = directory / "learner.state"
        self._link, self._store, self._prefix = RedisLink(url), RedisStore(url, prefix), prefix
        self._signer, self._every = signer, publish_every
        self._learner = OnlineLearner(features, negative_rate=negative_rate)
        self._cursor, self._version, self._published = "0-0", "", 0
        self._load()
        self._beaten = 0

    def step(self) -> int:
        """Learn what has come; the number of examples taken."""
        with self._link.speaking() as client:
            entries = client.xrange(f"{self._prefix}examples", f"({self._cursor}", "+", count=READ)
        for id_, fields in entries:
            self._take(fields)
            self._cursor = id_.decode()
            if publishes(self._learner.examples, self._every):
                self._publish()
        now = now_ms()
        if now - self._beaten >= BEAT_MS:
            self._beat(now)
        return len(entries)

    def run(self, stopping: Callable[[], bool], wait: Callable[[float], Any]) -> None:
        """Learn until told to stop; saves what it knows at the end."""
        while not stopping():
            if self.step() == 0:
                wait(0.25)
        self._save()

    def _take(self, fields: dict[bytes, bytes]) -> None:
        vector = np.frombuffer(fields[b"v"], dtype=np.float32).astype(np.float64)
        if vector.shape[0] != len(self._learner.features):
            raise SnapshotError(
                f"an example has {vector.shape[0]} features, the learner {len(self._learner.features)}: "
                "stop, let the old version finish its examples, or delete the stream `examples`"
            )
        self._learner.learn(vector, fields[b"y"] == b"1", float(fields[b"w"]), key=int(fields[b"k"]))

    def _publish(self) -> None:
        """Artefact first, then the Control event: who sees the event finds the artefact."""
        data = self._learner.snapshot()
        version = Snapshot.from_bytes(data).version
        now = max(self._store.stream_time(), 1)
        event = Control(
            id="model-" + hashlib.sha256(f"{version}\x1f{self._cursor}".encode()).hexdigest()[:24],
            event_time=now, received_at=now, kind="model", version=version, artefact=version, actor="learner",
            reason=f"{self._learner.examples} examples",
        )  # fmt: skip
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=True)
            pipe.set(f"{self._prefix}artefact:{version}", self._signer.sign(data) + data)
            pipe.xadd(f"{self._prefix}control", {"e": encode(event)})
            pipe.execute()
        self._version, self._published = version, now_ms()
        self._save()

    def _save(self) -> None:
        body = msgspec.msgpack.encode(_Saved(self._cursor, self._learner.to_state(), self._version))
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
        saved = msgspec.msgpack.decode(data[SIGNATURE_BYTES:], type=_Saved)
        self._learner = OnlineLearner.from_state(saved.learner)
        self._cursor, self._version = saved.cursor, saved.version

    def _beat(self, now: int) -> None:
        self._store.beat(
            "learner",
            {
                "status": "live", "pid": os.getpid(), "model": self._version, "examples": self._learner.examples,
                "position": self._cursor, "published_at": self._published,
            },
            now,
        )  # fmt: skip
        self._beaten = now


def artefact_of(link: RedisLink, signer: Signer, prefix: str = "tg:") -> Callable[[str], bytes]:
    """Fetch a snapshot by version and refuse it unless we signed it."""

    def fetch(version: str) -> bytes:
        with link.speaking() as client:
            data = client.get(f"{prefix}artefact:{version}")
        if data is None:
            return b""
        if not signer.verify(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES]):
            raise SnapshotError(f"model snapshot {version}: not signed with our key")
        return bytes(data[SIGNATURE_BYTES:])

    return fetch
