"""How long decisions took lately, by percentiles: of the last minute, so that a backlog is soon forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

OVER_MS = 60_000
MOST = 4096
"""Decisions remembered at the most, the newest: at a high rate they span less than OVER_MS."""
SHARES = {"latency_p50_ms": 0.5, "latency_p99_ms": 0.99}


class Latencies:
    """From an event's entry in the stream to its decision being written, ms."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=MOST)

    def add(self, now: int, entered: Iterable[int]) -> None:
        """What was written at `now` (ms) had entered at these times (ms)."""
        self._seen.extend((now, max(now - at, 0)) for at in entered)

    def percentiles(self, now: int) -> dict[str, float]:
        """By SHARES, the smallest latency that so many were not above; empty where nothing was decided lately."""
        while self._seen and self._seen[0][0] <= now - OVER_MS:
            self._seen.popleft()
        ordered = sorted(latency for _, latency in self._seen)
        if not ordered:
            return {}
        return {
            name: float(ordered[min(int(share * len(ordered)), len(ordered) - 1)])
            for name, share in SHARES.items()
        }
