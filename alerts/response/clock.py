"""The two clocks of the response: people's and the stream's.

They are the same but for latency when a stream is live. A simulated or replayed stream runs faster: detectors and
containments follow its clock, deadlines and people follow their own.
"""

from __future__ import annotations

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """now, stream: ms since the epoch. speed: how many ms of the stream pass in one of the people's, at least 1."""

    now: int
    stream: int
    speed: float = 1.0

    def stream_after(self, minutes: float) -> int:
        """The stream's time when so many minutes of the people's have passed, ms."""
        return self.stream + int(minutes * 60_000 * max(self.speed, 1.0))
