"""A Kafka cluster for tests: the stand-in of dataflow/chaos/brokers.py, with what writes to it and reads from it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from dataflow.chaos.brokers import Brokers
from dataflow.chaos.brokers import cluster as running

ROOT = Path(__file__).resolve().parent.parent
PARTITIONS = 4
"""What the stand-in gives each topic."""


class Cluster(Brokers):
    """Running brokers, and the ways in and out."""

    def produce(
        self, topic: str, messages: Sequence[tuple[bytes, bytes]], start_ms: int = 1_000_000, step_ms: int = 1
    ) -> list[tuple[int, int]]:
        """Write (key, value) messages, `step_ms` apart; partition and offset of each."""
        producer = Producer({"bootstrap.servers": self.brokers, "partitioner": "murmur2_random"})
        placed: dict[int, tuple[int, int]] = {}
        for number, (key, value) in enumerate(messages):

            def done(error: Any, message: Any, number: int = number) -> None:
                assert error is None
                placed[number] = (message.partition(), message.offset())

            producer.produce(topic, value, key, timestamp=start_ms + step_ms * number, on_delivery=done)
            producer.poll(0)
        assert producer.flush(30) == 0
        return [placed[number] for number in range(len(messages))]

    def consume(self, topic: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Messages of a topic from its beginning, in the order of each partition, until there are enough."""
        consumer = Consumer(
            {"bootstrap.servers": self.brokers, "group.id": "test", "enable.auto.commit": False}
        )
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        found: list[Any] = []
        until = time.monotonic() + 30
        while not enough(found):
            assert time.monotonic() < until, f"only {len(found)} messages came"
            found += [one for one in consumer.consume(1000, 0.2) if one.error() is None]
        consumer.close()
        return found


@contextmanager
def cluster(brokers: int = 1) -> Iterator[Cluster]:
    """A cluster for the length of a `with` block."""
    with running(brokers) as found:
        yield Cluster(found.process, found.brokers)


class ScorerProcess:
    """`tidegate worker scorer` over a topic and a store, in `folder`."""

    def __init__(self, folder: Path, url: str, settings: str) -> None:
        self.folder, self._url = folder, url
        self.command = [sys.executable, "-m", "dataflow.cli", "worker", "scorer"]
        self.settle(settings)
        self.process: subprocess.Popen[bytes] | None = None

    def settle(self, settings: str) -> None:
        """Write its tidegate.toml."""
        (self.folder / "tidegate.toml").write_text(settings)

    def start(self) -> None:
        """Start it, again after a kill."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
        with (self.folder / "scorer.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder,
                env={**env, "PYTHONPATH": str(ROOT), "REDIS_URL": self._url},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def said(self) -> str:
        """Its log."""
        return (self.folder / "scorer.log").read_text()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait generously while it runs."""
        assert self.process is not None
        for _ in range(1200):
            if found := condition():
                return found
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        raise AssertionError(f"it never came: {self.said()}")
