"""Attempts to deliver, one at a time for each receiver, so that a receiver that hangs holds up nobody else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from alerts.receivers.post import Answer


class Attempt(NamedTuple):
    """One that was started and has ended. message_id: what was sent. at: when it was started, ms."""

    receiver: str
    message_id: str
    at: int
    answer: Answer


class Attempts(Protocol):
    """Starts attempts and hands out what came of them."""

    def start(self, receiver: str, message_id: str, at: int, send: Callable[[], Answer]) -> None: ...
    def finished(self, wait_s: float = 0.0) -> list[Attempt]:
        """What has ended since the last call; waits for the first one at most `wait_s`."""


class InLine:
    """Each attempt is made at once, in this thread: for drills and virtual clocks."""

    def __init__(self) -> None:
        self.ended: list[Attempt] = []

    def start(self, receiver: str, message_id: str, at: int, send: Callable[[], Answer]) -> None:
        self.ended.append(Attempt(receiver, message_id, at, send()))

    def finished(self, wait_s: float = 0.0) -> list[Attempt]:
        ended, self.ended = self.ended, []
        return ended


class InThreads:
    """Each attempt runs in a thread of its own, which ends with the process."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[Attempt] = queue.SimpleQueue()

    def start(self, receiver: str, message_id: str, at: int, send: Callable[[], Answer]) -> None:
        def attempt() -> None:
            try:
                answer = send()
            except Exception as error:  # noqa: BLE001  reported as the attempt's answer
                # Receivers turn what the network does into answers; whatever else happens must not lose the message.
                answer = Answer(None, f"our own mistake ({type(error).__name__})", ours=True)
            self._done.put(Attempt(receiver, message_id, at, answer))

        threading.Thread(target=attempt, name=f"to {receiver}", daemon=True).start()

    def finished(self, wait_s: float = 0.0) -> list[Attempt]:
        done: list[Attempt] = []
        try:
            done.append(self._done.get(timeout=wait_s) if wait_s > 0 else self._done.get_nowait())
            while True:
                done.append(self._done.get_nowait())
        except queue.Empty:
            return done
