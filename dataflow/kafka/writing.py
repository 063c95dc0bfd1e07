"""Writes to a topic in order and without loss: what could not be written is said, and a full queue waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from dataflow.kafka.client import library, remedy
from models.errors import TopicError

Headers = Sequence[tuple[str, bytes]]
WAIT_S = 0.5


class TopicWriter:
    """Sends to `topic` by `producer`. given_up: asked while the brokers are waited for; True ends the waiting."""

    def __init__(self, producer: Any, topic: str, given_up: Callable[[], bool]) -> None:
        self._producer, self._topic, self._given_up = producer, topic, given_up
        self._refused: Any = None

    def write(self, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """Queue one message; wait while the queue is full. Raises TopicError."""
        while True:
            self._check()
            try:
                self._producer.produce(
                    self._topic, value, key, on_delivery=self._delivered, headers=list(headers)
                )
                return
            except BufferError:
                self._producer.poll(WAIT_S)
                if self._given_up():
                    raise TopicError(self._unsent()) from None
            except library().KafkaException as error:
                raise TopicError(
                    f"topic {self._topic}: {error.args[0].str()}. {remedy(error.args[0])}"
                ) from None

    def poll(self) -> None:
        """Hear of what was delivered or refused. Raises TopicError."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Return when the brokers have everything. Raises TopicError: refused, or given up waiting."""
        while self._producer.flush(WAIT_S):
            self._check()
            if self._given_up():
                raise TopicError(self._unsent())
        self._check()

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._refused = error

    def _check(self) -> None:
        if self._refused is not None:
            raise TopicError(
                f"topic {self._topic}: {self._refused.str()}: what was sent last was not taken. {remedy(self._refused)}"
            )

    def _unsent(self) -> str:
        return f"topic {self._topic}: {len(self._producer)} messages were not taken by the brokers in time"


def given_up_after(stopping: Callable[[], bool], grace_s: float) -> Callable[[], bool]:
    """True once `stopping` has held for `grace_s` seconds."""
    since: float | None = None

    def given_up() -> bool:
        nonlocal since
        if not stopping():
            return False
        since = since or time.monotonic()
        return time.monotonic() - since > grace_s

    return given_up
