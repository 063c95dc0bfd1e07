"""Event-time windows over sums and counts, by entity.

A group keeps, for every slot of one entity table, what happened in the last `span` buckets: a linked list of
nodes in time order (one node a bucket and slot), running totals over the window, and totals are exact because
everything is added as 64-bit integers. Up to one hour a bucket is one millisecond, so the window (t − w, t] is exact;
longer windows use w/60 buckets; calendar windows use one bucket a civil period. Cost is amortised constant: a node
is added once and taken away once.

An event that comes late is put in its place and sees its own window (t − w, t], as far back as `slack` buckets;
beyond that the window is partly forgotten and the answer is "missing", never a wrong number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Flags, Ints, grown
from models.kernels import kernel

Int64 = npt.NDArray[np.int64]
HOUR_MS = 3_600_000
EXACT_UP_TO_MS = HOUR_MS
COARSE_BUCKETS = 60
MISSING = np.iinfo(np.int64).min
_NEVER = np.iinfo(np.int64).min // 2

# slot_links columns
_NEW, _AGG, _OLD = 0, 1, 2
# pool: [free list head, nodes used]
_FREE, _USED = 0, 1


@kernel
def _take(pool: Int64, links: Ints) -> np.int64:
    node: np.int64 = pool[_FREE]
    if node >= 0:
        pool[_FREE] = links[node, 1]
    else:
        node = pool[_USED]
        pool[_USED] += 1
    return node


@kernel
def _give(pool: Int64, links: Ints, node: int) -> None:
    links[node, 1] = pool[_FREE]
    pool[_FREE] = node


@kernel
def _advance_sums(
    slots: Ints, fresh: Flags, buckets: Int64, values: Int64, span: int, slack: int,
    ends: Ints, clock: Int64, totals: Int64, node_bucket: Int64, links: Ints, node_values: Int64, pool: Int64, out: Int64,
) -> None:  # fmt: skip
    width = values.shape[1]
    for i in range(slots.shape[0]):
        s = slots[i]
        if s < 0:
            for a in range(width):
                out[i, a] = MISSING
            continue
        if fresh[i]:
            node = ends[s, _OLD]
            while node >= 0:
                after = links[node, 1]
                _give(pool, links, node)
                node = after
            ends[s, _NEW] = ends[s, _AGG] = ends[s, _OLD] = -1
            clock[s] = _NEVER
            for a in range(width):
                totals[s, a] = 0
        bucket = buckets[i]
        if bucket > clock[s]:
            clock[s] = bucket
            node = ends[s, _AGG]
            while node >= 0 and node_bucket[node] <= bucket - span:
                for a in range(width):
                    totals[s, a] -= node_values[node, a]
                node = links[node, 1]
            ends[s, _AGG] = node
            node = ends[s, _OLD]
            while node >= 0 and node_bucket[node] <= bucket - span - slack:
                after = links[node, 1]
                _give(pool, links, node)
                node = after
            ends[s, _OLD] = node
            if node >= 0:
                links[node, 0] = -1
            else:
                ends[s, _NEW] = -1
        now = clock[s]
        something = False
        for a in range(width):
            if values[i, a] != 0:
                something = True
        if something and bucket > now - span - slack:
            before = ends[s, _NEW]
            while before >= 0 and node_bucket[before] > bucket:
                before = links[before, 0]
            if before >= 0 and node_bucket[before] == bucket:
                node = before
                for a in range(width):
                    node_values[node, a] += values[i, a]
            else:
                node = _take(pool, links)
                after = links[before, 1] if before >= 0 else ends[s, _OLD]
                node_bucket[node] = bucket
                for a in range(width):
                    node_values[node, a] = values[i, a]
                links[node, 0] = before
                links[node, 1] = after
                if before >= 0:
                    links[before, 1] = node
                else:
                    ends[s, _OLD] = node
                if after >= 0:
                    links[after, 0] = node
                else:
                    ends[s, _NEW] = node
                if bucket > now - span and after == ends[s, _AGG]:
                    ends[s, _AGG] = node
            if bucket > now - span:
                for a in range(width):
                    totals[s, a] += values[i, a]
        if bucket == now:
            for a in range(width):
                out[i, a] = totals[s, a]
        elif bucket < now - slack:
            for a in range(width):
                out[i, a] = MISSING
        else:
            for a in range(width):
                out[i, a] = totals[s, a]
            node = ends[s, _NEW]
            while node >= 0 and node_bucket[node] > bucket:
                if node_bucket[node] > now - span:
                    for a in range(width):
                        out[i, a] -= node_values[node, a]
                node = links[node, 0]
            node = links[ends[s, _AGG], 0] if ends[s, _AGG] >= 0 else ends[s, _NEW]
            while node >= 0 and node_bucket[node] > bucket - span:
                if node_bucket[node] <= bucket:
                    for a in range(width):
                        out[i, a] += node_values[node, a]
                node = links[node, 0]


def bucket_ms(window_ms: int) -> int:
    """Length of a bucket of a rolling window: 1 ms up to one hour, else w/60."""
    return 1 if window_ms <= EXACT_UP_TO_MS else window_ms // COARSE_BUCKETS


def shape_of(window_ms: int) -> tuple[int, int, int]:
    """(bucket length in ms, window in buckets, slack in buckets) of a rolling window.

    Slack: 10 minutes for exact windows, a sixth of the window for coarse ones.
    """
    length = bucket_ms(window_ms)
    if length == 1:
        return 1, window_ms, 600_000
    return length, COARSE_BUCKETS, COARSE_BUCKETS // 6


class SumWindows:
    """Running sums of `width` integer series over one window, for each slot of an entity.

    span and slack are in buckets; the caller turns times into buckets. See the module's docstring.
    """

    def __init__(self, width: int, span: int, slack: int) -> None:
        self.width, self.span, self.slack = width, span, slack
        self.ends: Ints = np.full((0, 3), -1, dtype=np.int32)
        self.clock: Int64 = np.full(0, _NEVER, dtype=np.int64)
        self.totals: Int64 = np.zeros((0, width), dtype=np.int64)
        self.node_bucket: Int64 = np.zeros(1024, dtype=np.int64)
        self.links: Ints = np.full((1024, 2), -1, dtype=np.int32)
        self.node_values: Int64 = np.zeros((1024, width), dtype=np.int64)
        self.pool: Int64 = np.array([-1, 0], dtype=np.int64)

    def advance(self, slots: Ints, fresh: Flags, buckets: Int64, values: Int64, size: int) -> Int64:
        """Add rows in order and return each row's window totals, itself included.

        slots, fresh, buckets: (n,); values: (n, width), a row of zeros only asks; size: slots of the entity
        table. Returns (n, width), MISSING where there is no slot or the row comes later than `slack`.
        """
        self._reserve(size, slots.shape[0])
        out = np.empty((slots.shape[0], self.width), dtype=np.int64)
        _advance_sums(
            slots, fresh, buckets, values, self.span, self.slack,
            self.ends, self.clock, self.totals, self.node_bucket, self.links, self.node_values, self.pool, out,
        )  # fmt: skip
        return out

    def _reserve(self, size: int, rows: int) -> None:
        if self.ends.shape[0] < size:
            self.ends = grown(self.ends, size, -1)
            self.clock = grown(self.clock, size, _NEVER)
            self.totals = grown(self.totals, size)
        needed = int(self.pool[_USED]) + rows
        have = self.node_bucket.shape[0]
        if needed > have:
            have = max(needed, have + have // 2)
            self.node_bucket = grown(self.node_bucket, have)
            self.links = grown(self.links, have, -1)
            self.node_values = grown(self.node_values, have)

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        used = int(self.pool[_USED])
        return {
            "ends": self.ends, "clock": self.clock, "totals": self.totals, "node_bucket": self.node_bucket[:used],
            "links": self.links[:used], "node_values": self.node_values[:used], "pool": self.pool,
        }  # fmt: skip

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        for name, array in arrays.items():
            setattr(self, name, np.array(array, dtype=_dtype_of(name)))


def _dtype_of(name: str) -> Any:
    return np.int32 if name in ("ends", "links") else np.int64
