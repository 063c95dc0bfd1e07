"""The processes of `tidegate up` for a benchmark or a chaos run: the same workers over the same store, in a folder of
their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from alerts.custody.private_files import replace_private
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.settings import Settings
from dataflow.supervise import BACK_OFF_S, Child, Supervisor, python
from dataflow.worker import ring_of
from models.errors import StoreError
from models.events import Control, encode
from models.serving import Snapshot

START_S = 90.0
POLL_S = 0.002


class Plant:
    """Workers over the store at `url`; everything they write lies in `directory`."""

    def __init__(self, url: str, directory: Path, settings: Settings) -> None:
        self.url, self.directory = url, directory
        self.settings = msgspec.structs.replace(settings, data_dir=str(directory))
        self.store, self.link = RedisStore(url), RedisLink(url)
        self._signer = ring_of(self.settings).signer("model")
        self._resolved = directory / "settings.json"
        nowhere = msgspec.structs.replace(self.settings.store, url="")
        replace_private(
            self._resolved, msgspec.json.encode(msgspec.structs.replace(self.settings, store=nowhere))
        )
        self._supervisor = Supervisor()

    def start(self, name: str, back_off: Sequence[float] = BACK_OFF_S) -> Child:
        """Start one worker. back_off: before `watch` starts it again."""
        command = python("dataflow.cli", "worker", name, "--resolved", str(self._resolved))
        child = Child(name, command, self.directory / f"{name}.log", {"REDIS_URL": self.url}, back_off)
        self._supervisor.add(child)
        return child

    def watch(self) -> list[str]:
        """Start again what has ended, as `tidegate up` does; what happened."""
        return self._supervisor.watch()

    def kill(self, child: Child) -> None:
        """Kill a worker as a crash would, with no chance to say goodbye."""
        os.kill(child.pid, signal.SIGKILL)
        while child.pid:
            time.sleep(POLL_S)
        self._supervisor.children.remove(child)

    def serve(self, snapshot: Snapshot) -> None:
        """Have the scorer serve this model from its next event on, as the learner would."""
        event = Control(
            id=f"model-{snapshot.version}", event_time=1, received_at=1, kind="model", version=snapshot.version,
            artefact=snapshot.version, actor="bench", reason="benchmark",
        )  # fmt: skip
        with self.link.speaking() as client:
            client.set(f"tg:artefact:{snapshot.version}", self._signer.sign(snapshot.data) + snapshot.data)
            client.xadd("tg:control", {"e": encode(event)})

    def decided(self) -> int:
        """Decisions the store holds or held."""
        return self.store.cursors()["decisions"]

    def wait(self, decisions: int, seconds: float) -> None:
        """Wait until so many decisions were made; StoreError, with the end of the log, when they are not in time."""
        ends = time.monotonic() + seconds
        while (made := self.decided()) < decisions:
            if time.monotonic() > ends:
                log = (self.directory / "scorer.log").read_text("utf-8", "replace")[-800:]
                raise StoreError(f"the scorer made {made} of {decisions} decisions in {seconds:g} s: {log}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop every worker."""
        self._supervisor.stop()


@contextmanager
def plant(url: str, directory: Path, settings: Settings) -> Iterator[Plant]:
    """A plant that is stopped in the end."""
    made = Plant(url, directory, settings)
    try:
        yield made
    finally:
        made.stop()
