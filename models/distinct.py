"""Distinct counts over event-time windows, and when a pair was last seen.

For each slot a list of the different values seen, in order of their last sight; a value seen again moves to the
front. The count of values in (t − w, t] is exact when events come in order. For a late event, values that were
seen again since still count as seen (their earlier sight is forgotten). `PER_SLOT` bounds the values kept for a
slot: beyond it the value unseen for longest is dropped.

The same list answers "how long ago did this card last meet this merchant", which is what novelty features need.
"""

from __future__ import annotations

import numpy as np

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
from models.hashing import Hashes, mix
from models.kernels import fetched, inlined, kernel_in_place
from models.windows import Float, Int64

PER_SLOT = 4096
# heads, a row for each slot: words of 32-bit numbers (view `ends`: nodes, values in the window, values kept), the clock
_COUNT, _KEPT = 3, 4
_CLOCK, _HEAD = 3, 4
# nodes, a row each: a word of 32-bit node numbers (view `links`: older, newer), bucket, time, value, slot
_TIME, _VALUE, _SLOT, _NODE = 2, 3, 4, 5


@inlined
def _home(value: np.int64, slot: int, mask: int) -> np.int64:
    spread = np.uint64(slot) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mix(np.uint64(value) ^ spread) & np.uint64(mask))


@kernel_in_place
def _lookup(index: Ints, nodes: Int64, value: np.int64, slot: int) -> np.int64:
    mask = index.shape[0] - 1
    at = _home(value, slot, mask)
    while index[at] >= 0:
        node = index[at]
        if nodes[node, _VALUE] == value and nodes[node, _SLOT] == slot:
            return at
        at = (at + 1) & mask
    return at


@kernel_in_place
def _unindex(index: Ints, nodes: Int64, node: int) -> None:
    mask = index.shape[0] - 1
    hole = _lookup(index, nodes, nodes[node, _VALUE], nodes[node, _SLOT])
    probe = (hole + 1) & mask
    while index[probe] >= 0:
        other = index[probe]
        home = _home(nodes[other, _VALUE], nodes[other, _SLOT], mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            index[hole] = other
            hole = probe
        probe = (probe + 1) & mask
    index[hole] = -1


@inlined
def _fetched(slots: Ints, values: Hashes, heads: Int64, ends: Ints, nodes: Int64, index: Ints) -> np.int64:
    """Read the slots, the values' places and the ends of the lists (see models.kernels.fetched)."""
    read, mask = fetched(slots, heads), index.shape[0] - 1
    for i in range(slots.shape[0]):
        if slots[i] >= 0 and values[i] != np.uint64(0):
            read ^= index[_home(np.int64(values[i]), slots[i], mask)]
    for i in range(slots.shape[0]):
        if slots[i] >= 0 and values[i] != np.uint64(0):
            node = index[_home(np.int64(values[i]), slots[i], mask)]
            if node >= 0:
                read ^= nodes[node, _VALUE]
    return read ^ fetched_ends(slots, ends, nodes)


@inlined
def _empty(s: int, heads: Int64, ends: Ints, nodes: Int64, links: Ints, index: Ints, pool: Int64) -> None:
    node = ends[s, OLD]
    while node >= 0:
        after = links[node, 1]
        _unindex(index, nodes, node)
        give(pool, links, node)
        node = after
    ends[s, NEW] = ends[s, AGG] = ends[s, OLD] = -1
    ends[s, _COUNT] = ends[s, _KEPT] = 0
    heads[s, _CLOCK] = NEVER


@inlined
def _forget(
    s: int, now: int, span: int, slack: int, per_slot: int, ends: Ints, nodes: Int64, links: Ints, index: Ints,
    pool: Int64,
) -> None:  # fmt: skip
    """Forget what is too old to be asked for, or too much."""
    node = ends[s, OLD]
    while node >= 0 and (nodes[node, BUCKET] <= now - span - slack or ends[s, _KEPT] >= per_slot):
        after = links[node, 1]
        if ends[s, AGG] == node:
            ends[s, AGG] = after
            ends[s, _COUNT] -= 1
        ends[s, _KEPT] -= 1
        _unindex(index, nodes, node)
        give(pool, links, node)
        node = after
    join(s, np.int64(-1), np.int64(node), ends, links)


@inlined
def _unlink(s: int, node: np.int64, now: int, span: int, ends: Ints, nodes: Int64, links: Ints) -> None:
    older, newer = np.int64(links[node, 0]), np.int64(links[node, 1])
    if nodes[node, BUCKET] > now - span:
        ends[s, _COUNT] -= 1
    ends[s, _KEPT] -= 1
    if ends[s, AGG] == node:
        ends[s, AGG] = newer
    join(s, older, newer, ends, links)


@inlined
def _saw(
    s: int, value: np.int64, bucket: int, time: int, now: int, span: int, ends: Ints, nodes: Int64, links: Ints,
    index: Ints, pool: Int64,
) -> float:  # fmt: skip
    """Note that a value was seen; ms since it was last, −1 when it is new."""
    at = _lookup(index, nodes, value, s)
    node, gap = np.int64(index[at]), -1.0
    if node >= 0:
        gap = np.float64(max(time - nodes[node, _TIME], 0))
        if nodes[node, BUCKET] >= bucket:
            nodes[node, _TIME] = max(nodes[node, _TIME], time)
            return gap
        # It moves towards the newest end.
        _unlink(s, node, now, span, ends, nodes, links)
    else:
        node = take(pool, links)
        nodes[node, _VALUE] = value
        nodes[node, _SLOT] = s
        index[at] = node
    nodes[node, BUCKET] = bucket
    nodes[node, _TIME] = time
    put(s, node, not_newer(s, bucket, ends, nodes, links), bucket > now - span, ends, links)
    ends[s, _KEPT] += 1
    ends[s, _COUNT] += bucket > now - span
    return gap


@kernel_in_place
def _advance_distinct(
    slots: Ints, fresh: Flags, buckets: Int64, times: Int64, values: Hashes, asks: Flags, span: int, slack: int,
    per_slot: int, heads: Int64, ends: Ints, nodes: Int64, links: Ints, index: Ints, pool: Int64, out: Float,
) -> np.int64:  # fmt: skip
    m = 0
    read = _fetched(slots, values, heads, ends, nodes, index)
    for i in range(slots.shape[0]):
        s = slots[i]
        count, gap = np.nan, np.nan
        if s >= 0:
            if fresh[i]:
                _empty(s, heads, ends, nodes, links, index, pool)
            bucket = buckets[i]
            if bucket > heads[s, _CLOCK]:
                heads[s, _CLOCK] = bucket
                node = ends[s, AGG]
                while node >= 0 and nodes[node, BUCKET] <= bucket - span:
                    ends[s, _COUNT] -= 1
                    node = links[node, 1]
                ends[s, AGG] = node
            now = heads[s, _CLOCK]
            _forget(s, now, span, slack, per_slot, ends, nodes, links, index, pool)
            if values[i] != np.uint64(0) and bucket > now - span - slack:
                gap = _saw(
                    s, np.int64(values[i]), bucket, times[i], now, span, ends, nodes, links, index, pool
                )
            if bucket >= now - slack:
                seen = np.int64(ends[s, _COUNT])
                if bucket < now:
                    node = links[ends[s, AGG], 0] if ends[s, AGG] >= 0 else ends[s, NEW]
                    while node >= 0 and nodes[node, BUCKET] > bucket - span:
                        seen += 1
                        node = links[node, 0]
                count = np.float64(seen)
        if asks[i]:
            out[0, m] = count
            out[1, m] = gap
            m += 1
    return read


@kernel_in_place
def _rebuild(index: Ints, heads: Int64, ends: Ints, nodes: Int64, links: Ints) -> None:
    for s in range(heads.shape[0]):
        node = ends[s, OLD]
        while node >= 0:
            index[_lookup(index, nodes, nodes[node, _VALUE], s)] = node
            node = links[node, 1]


class DistinctWindows:
    """Distinct values of one column over one window, for each slot of an entity. span, slack in buckets.

    Memory: 32 bytes a slot, 48 a value kept.
    """

    def __init__(self, span: int, slack: int, per_slot: int = PER_SLOT) -> None:
        self.span, self.slack, self.per_slot = span, slack, per_slot
        self.heads: Int64 = np.zeros((0, _HEAD), dtype=np.int64)
        self.nodes: Int64 = np.zeros((1024, _NODE), dtype=np.int64)
        self.pool = empty_pool()
        self.index: Ints = np.full(4096, -1, dtype=np.int32)
        self._room = 1024

    def advance(
        self, slots: Ints, fresh: Flags, buckets: Int64, times: Int64, values: Hashes, asks: Flags, size: int
    ) -> Float:
        """Add n rows in order and answer those that ask; values (n,) are hashes, 0 only asks.

        Returns (2, n), the answers in order at the front: how many different values there are in the window, this row
        included, NaN where there is no slot or the row comes later than `slack`; ms since this value was last seen by
        this entity, −1 when it is new within window and slack, NaN when there is no value.
        """
        n = len(slots)
        self._room -= n
        if self._room < 0 or size > len(self.heads):
            self._reserve(size, n)
        out = np.empty((2, n))
        _advance_distinct(
            slots, fresh, buckets, times, values, asks, self.span, self.slack, self.per_slot, self.heads,
            self.heads.view(np.int32), self.nodes, self.nodes.view(np.int32), self.index, self.pool, out,
        )  # fmt: skip
        return out

    def _reserve(self, size: int, rows: int) -> None:
        have = self.heads.shape[0]
        if have < size:
            self.heads = grown(self.heads, size)
            self.heads.view(np.int32)[have:, :_COUNT] = -1
            self.heads[have:, _CLOCK] = NEVER
        self.nodes, self._room = with_room(self.nodes, self.pool, rows)
        if self.index.shape[0] < 2 * self.nodes.shape[0]:
            self._reindex(2 * self.nodes.shape[0])

    def _reindex(self, at_least: int) -> None:
        length = 4096
        while length < at_least:
            length *= 2
        self.index = np.full(length, -1, dtype=np.int32)
        _rebuild(self.index, self.heads, self.heads.view(np.int32), self.nodes, self.nodes.view(np.int32))

    def arrays(self) -> Arrays:
        """State for the checkpoint; the index is rebuilt."""
        return {"heads": self.heads, "nodes": self.nodes[: used(self.pool)], "pool": self.pool}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        for name, array in arrays.items():
            setattr(self, name, np.array(array, dtype=np.int64))
        self._room = 0
        self._reindex(2 * self.nodes.shape[0])
