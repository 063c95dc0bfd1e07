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

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.chains import (
    AGG,
    BUCKET,
    NEVER,
    NEW,
    OLD,
    empty_pool,
    fetched_ends,
    give,
    join,
    not_newer,
    put,
    take,
    used,
    with_room,
)
from models.entities import Arrays, Flags, Ints, grown
from models.kernels import fetched, inlined, kernel_in_place

Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]
HOUR_MS = 3_600_000
EXACT_UP_TO_MS = HOUR_MS
COARSE_BUCKETS = 60

# heads, a row for each slot: two words of 32-bit node numbers (view `ends`), the slot's clock, totals
_CLOCK, _TOTALS = 2, 3
# nodes, a row each: a word of 32-bit node numbers (view `links`), the bucket, values
_VALUES = 2


@inlined
def _forget(
    s: int, bucket: int, span: int, slack: int, heads: Int64, ends: Ints, nodes: Int64, links: Ints, pool: Int64
) -> None:  # fmt: skip
    """Time goes on to `bucket`: what leaves the window leaves the totals, what no late event can ask for goes."""
    width = nodes.shape[1] - _VALUES
    heads[s, _CLOCK] = bucket
    node = ends[s, AGG]
    while node >= 0 and nodes[node, BUCKET] <= bucket - span:
        for a in range(width):
            heads[s, _TOTALS + a] -= nodes[node, _VALUES + a]
        node = links[node, 1]
    ends[s, AGG] = node
    node = ends[s, OLD]
    while node >= 0 and nodes[node, BUCKET] <= bucket - span - slack:
        after = links[node, 1]
        give(pool, links, node)
        node = after
    join(s, np.int64(-1), np.int64(node), ends, links)


@inlined
def _empty(s: int, heads: Int64, ends: Ints, links: Ints, pool: Int64) -> None:
    node = ends[s, OLD]
    while node >= 0:
        after = links[node, 1]
        give(pool, links, node)
        node = after
    ends[s, NEW] = ends[s, AGG] = ends[s, OLD] = -1
    heads[s, _CLOCK] = NEVER
    for a in range(_TOTALS, heads.shape[1]):
        heads[s, a] = 0


@inlined
def _node_at(
    s: int, bucket: int, now: int, span: int, ends: Ints, nodes: Int64, links: Ints, pool: Int64
) -> np.int64:
    """The slot's node for a bucket, made in its place where there is none."""
    before = not_newer(s, bucket, ends, nodes, links)
    if before >= 0 and nodes[before, BUCKET] == bucket:
        return before
    node = take(pool, links)
    nodes[node, BUCKET] = bucket
    for a in range(_VALUES, nodes.shape[1]):
        nodes[node, a] = 0
    put(s, node, before, bucket > now - span, ends, links)
    return node


@inlined
def _late_sums(s: int, bucket: int, now: int, span: int, heads: Int64, ends: Ints, nodes: Int64, links: Ints,
               sums: Int64) -> None:  # fmt: skip
    """What the window of an event that comes late holds."""
    width = sums.shape[0]
    for a in range(width):
        sums[a] = heads[s, _TOTALS + a]
    node = ends[s, NEW]
    while node >= 0 and nodes[node, BUCKET] > bucket:
        if nodes[node, BUCKET] > now - span:
            for a in range(width):
                sums[a] -= nodes[node, _VALUES + a]
        node = links[node, 0]
    node = links[ends[s, AGG], 0] if ends[s, AGG] >= 0 else ends[s, NEW]
    while node >= 0 and nodes[node, BUCKET] > bucket - span:
        if nodes[node, BUCKET] <= bucket:
            for a in range(width):
                sums[a] += nodes[node, _VALUES + a]
        node = links[node, 0]


@kernel_in_place
def _advance_sums(
    slots: Ints, fresh: Flags, buckets: Int64, values: Int64, asks: Flags, of: Int64, span: int, slack: int,
    heads: Int64, ends: Ints, nodes: Int64, links: Ints, pool: Int64, sums: Int64, out: Float,
) -> np.int64:  # fmt: skip
    width, m = of.shape[0], 0
    read = fetched(slots, heads) ^ fetched_ends(slots, ends, nodes)
    for i in range(slots.shape[0]):
        s = slots[i]
        if s < 0:
            if asks[i]:
                out[:, m] = np.nan
                m += 1
            continue
        if fresh[i]:
            _empty(s, heads, ends, links, pool)
        bucket = buckets[i]
        if bucket > heads[s, _CLOCK]:
            _forget(s, bucket, span, slack, heads, ends, nodes, links, pool)
        now = heads[s, _CLOCK]
        something = False
        for a in range(width):
            something |= values[i, of[a]] != 0
        if something and bucket > now - span - slack:
            node = _node_at(s, bucket, now, span, ends, nodes, links, pool)
            for a in range(width):
                nodes[node, _VALUES + a] += values[i, of[a]]
            if bucket > now - span:
                for a in range(width):
                    heads[s, _TOTALS + a] += values[i, of[a]]
        if not asks[i]:
            continue
        if bucket == now:
            for a in range(width):
                out[a, m] = heads[s, _TOTALS + a]
        elif bucket < now - slack:
            out[:, m] = np.nan
        else:
            _late_sums(s, bucket, now, span, heads, ends, nodes, links, sums)
            for a in range(width):
                out[a, m] = sums[a]
        m += 1
    return read


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
    """Running sums of some integer series over one window, for each slot of an entity.

    of: the columns of the values that are summed. span and slack are in buckets; the caller turns times into buckets.
    See the module's docstring. Memory: 24 bytes and 8 a series for a slot, 16 and 8 a series for a node.
    """

    def __init__(self, of: Sequence[int], span: int, slack: int) -> None:
        self.of, self.span, self.slack = np.array(of, dtype=np.int64), span, slack
        self.heads: Int64 = np.zeros((0, _TOTALS + len(of)), dtype=np.int64)
        self.nodes: Int64 = np.zeros((1024, _VALUES + len(of)), dtype=np.int64)
        self.pool = empty_pool()
        self._sums = np.empty(len(of), dtype=np.int64)
        self._room = 1024

    def advance(
        self, slots: Ints, fresh: Flags, buckets: Int64, values: Int64, asks: Flags, size: int
    ) -> Float:
        """Add n rows in order and return the window totals of those that ask, each itself included.

        slots, fresh, buckets, asks: (n,); values: (n, any), a row of zeros only asks; size: slots of the entity
        table. Returns (len(of), n), the answers in order at the front; NaN where there is no slot or the row comes later
        than `slack`.
        """
        n = len(slots)
        # Rows add a node each at the most: what there is in truth is asked for seldom.
        self._room -= n
        if self._room < 0 or size > len(self.heads):
            self._reserve(size, n)
        out = np.empty((len(self.of), n))
        _advance_sums(
            slots, fresh, buckets, values, asks, self.of, self.span, self.slack, self.heads, self.heads.view(np.int32),
            self.nodes, self.nodes.view(np.int32), self.pool, self._sums, out,
        )  # fmt: skip
        return out

    def _reserve(self, size: int, rows: int) -> None:
        have = self.heads.shape[0]
        if have < size:
            self.heads = grown(self.heads, size)
            self.heads[have:, :_CLOCK] = -1
            self.heads[have:, _CLOCK] = NEVER
        self.nodes, self._room = with_room(self.nodes, self.pool, rows)

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"heads": self.heads, "nodes": self.nodes[: used(self.pool)], "pool": self.pool}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        for name, array in arrays.items():
            setattr(self, name, np.array(array, dtype=np.int64))
        self._room = 0
