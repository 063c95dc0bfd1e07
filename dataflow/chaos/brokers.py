"""Kafka brokers for a chaos run and for tests: librdkafka's own stand-in, over TCP, in a process that can be frozen.

python -m dataflow.chaos.brokers N        prints the addresses of N brokers and serves until stdin ends

It keeps some megabytes of each partition and forgets the rest without a word: nothing to keep events in.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dataflow.kafka.client import library
from dataflow.supervise import python


class Brokers:
    """A running stand-in; `brokers` as clients take them."""

    def __init__(self, process: subprocess.Popen[str], brokers: str) -> None:
        self.process, self.brokers = process, brokers

    def freeze(self) -> None:
        """No broker answers from now on."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """They answer again."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def cluster(brokers: int = 1) -> Iterator[Brokers]:
    """Brokers for the length of a `with` block. Raises SettingsError where the client library is missing."""
    library()
    process = subprocess.Popen(
        python("dataflow.chaos.brokers", str(brokers)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Brokers(process, process.stdout.readline().strip())
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def _serve(brokers: int) -> None:
    producer = library().Producer({"test.mock.num.brokers": brokers, "log_level": 0})
    found = producer.list_topics(timeout=10).brokers.values()
    sys.stdout.write(",".join(f"{broker.host}:{broker.port}" for broker in found) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
