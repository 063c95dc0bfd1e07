"""The two clocks of the response: people's and the stream's.

They are the same but for latency when a stream is live. A simulated or replayed stream runs faster: detectors and
containments follow its clock, deadlines and people follow their own.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """now, stream: ms since the epoch. speed: how many ms of the stream pass in one of the people's, at least 1."""

    now: int
    stream: int
    speed: float = 1.0

    def stream_after(self, minutes: float) -> int:
        """The stream's time when so many minutes of the people's have passed, ms.

        Never before the people's own: behind a backlog, or after hours without an event, the stream's clock stands back,
        and what comes next is received now.
        """
        length = int(minutes * 60_000)
        return max(self.stream + int(length * max(self.speed, 1.0)), self.now + length)


PACE_OVER_MS = 60_000
PACE_LEAST_MS = 5_000
WATCH = "incidents"
"""The process that watches, and tells the others in its beat how fast the stream passes."""


class Pace:
    """How fast the stream passes, over the last minute of the people's clock.

    speed: what was known before a restart. It is kept until there is enough to measure, and never below 1.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = max(speed, 1.0)
        self._seen: deque[tuple[int, int]] = deque()

    def seen(self, now: int, stream: int) -> float:
        """The speed after another look at both clocks (ms)."""
        seen = self._seen
        if stream:
            seen.append((now, stream))
        while len(seen) > 1 and seen[1][0] <= now - PACE_OVER_MS:
            seen.popleft()
        if seen and now - seen[0][0] >= PACE_LEAST_MS:
            self.speed = max((stream - seen[0][1]) / (now - seen[0][0]), 1.0)
        return self.speed


class TellsTime(Protocol):
    """The part of a store that knows the stream's time."""

    def stream_time(self) -> int: ...
    def beats(self) -> dict[str, dict[str, str | int | float]]: ...


def present(store: TellsTime, now: int) -> Clock:
    """Both clocks as people who act now need them: the stream's time, and its pace as the watch last told it."""
    return Clock(now, store.stream_time() or now, pace_told(store))


def pace_told(store: TellsTime) -> float:
    """The pace in the watch's last beat; 1 where it never told one."""
    told = store.beats().get(WATCH, {}).get("speed", 1.0)
    return float(told) if isinstance(told, int | float) else 1.0
