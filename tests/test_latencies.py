"""Percentiles of the last minute: held to numpy, forgetting, bounded."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataflow.sinks.latencies import MOST, OVER_MS, Latencies

T0 = 1_788_220_800_000


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=300))
def test_they_are_the_percentiles_of_what_was_seen(waits: list[int]) -> None:
    latencies = Latencies()
    latencies.add(T0, [T0 - wait for wait in waits])
    told = latencies.percentiles(T0)
    assert list(told) == ["latency_p50_ms", "latency_p99_ms"]
    for share, value in zip((0.5, 0.99), told.values(), strict=True):
        # The smallest value with more than this share at or below it; the greatest where there is none.
        at = np.sort(waits)[min(int(np.floor(share * len(waits))), len(waits) - 1)]
        assert value == at


def test_a_backlog_is_forgotten_a_minute_after_it_is_worked_off() -> None:
    latencies = Latencies()
    assert latencies.percentiles(T0) == {}, "no decision yet is not a latency of nothing"
    latencies.add(T0, [T0 - 30_000] * 1000)
    for second in range(1, 70):
        latencies.add(T0 + second * 1000, [T0 + second * 1000 - 4])
    assert latencies.percentiles(T0 + 30_000)["latency_p99_ms"] == 30_000.0
    assert latencies.percentiles(T0 + OVER_MS) == {"latency_p50_ms": 4.0, "latency_p99_ms": 4.0}
    assert latencies.percentiles(T0 + 70_000 + OVER_MS) == {}


def test_only_the_newest_count_where_there_are_many_and_no_clock_runs_backwards() -> None:
    latencies = Latencies()
    latencies.add(T0, [T0 - 900] * MOST)
    latencies.add(T0 + 1, [T0 + 50] * MOST)
    assert latencies.percentiles(T0 + 1) == {"latency_p50_ms": 0.0, "latency_p99_ms": 0.0}
