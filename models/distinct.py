"""Distinct counts over event-time windows, and when a pair was last seen.

For each slot a list of the different values seen, in order of their last sight; a value seen again moves to the
front. The count of values in (t − w, t] is exact when events come in order. For a late event, values that were
seen again since still count as seen (their earlier sight is forgotten). `PER_SLOT` bounds the values kept for a
slot: beyond it the value unseen for longest is dropped.

The same list answers "how long ago did this card last meet this merchant", which is what novelty features need.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Flags, Ints, grown
from models.hashing import Hashes, mix
from models.kernels import kernel
from models.windows import _NEVER, MISSING, Int64, _give, _take

PER_SLOT = 4096
_NEW, _AGG, _OLD = 0, 1, 2
_USED = 1


@kernel
def _home(value: np.uint64, slot: int, mask: int) -> np.int64:
    return np.int64(mix(value ^ (np.uint64(slot) * np.uint64(0x9E3779B97F4A7C15))) & np.uint64(mask))


@kernel
def _lookup(index: Ints, node_value: Hashes, node_slot: Ints, value: np.uint64, slot: int) -> np.int64:
    mask = index.shape[0] - 1
    at = _home(value, slot, mask)
    while index[at] >= 0:
        node = index[at]
        if node_value[node] == value and node_slot[node] == slot:
            return at
        at = (at + 1) & mask
    return at


@kernel
def _unindex(index: Ints, node_value: Hashes, node_slot: Ints, node: int) -> None:
    mask = index.shape[0] - 1
    hole = _lookup(index, node_value, node_slot, node_value[node], node_slot[node])
    probe = (hole + 1) & mask
    while index[probe] >= 0:
        other = index[probe]
        home = _home(node_value[other], node_slot[other], mask)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            index[hole] = other
            hole = probe
        probe = (probe + 1) & mask
    index[hole] = -1


@kernel
def _advance_distinct(
    slots: Ints, fresh: Flags, buckets: Int64, times: Int64, values: Hashes, span: int, slack: int, per_slot: int,
    ends: Ints, counts: Ints, clock: Int64, index: Ints,
    node_bucket: Int64, node_time: Int64, node_value: Hashes, node_slot: Ints, links: Ints, pool: Int64,
    out: Int64, gap: Int64,
) -> None:  # fmt: skip
    for i in range(slots.shape[0]):
        s = slots[i]
        gap[i] = MISSING
        if s < 0:
            out[i] = MISSING
            continue
        if fresh[i]:
            node = ends[s, _OLD]
            while node >= 0:
                after = links[node, 1]
                _unindex(index, node_value, node_slot, node)
                _give(pool, links, node)
                node = after
            ends[s, _NEW] = ends[s, _AGG] = ends[s, _OLD] = -1
            counts[s, 0] = counts[s, 1] = 0
            clock[s] = _NEVER
        bucket = buckets[i]
        if bucket > clock[s]:
            clock[s] = bucket
            node = ends[s, _AGG]
            while node >= 0 and node_bucket[node] <= bucket - span:
                counts[s, 0] -= 1
                node = links[node, 1]
            ends[s, _AGG] = node
        now = clock[s]
        # forget what is too old to be asked for, or too much
        node = ends[s, _OLD]
        while node >= 0 and (node_bucket[node] <= now - span - slack or counts[s, 1] >= per_slot):
            after = links[node, 1]
            if ends[s, _AGG] == node:
                ends[s, _AGG] = after
                counts[s, 0] -= 1
            counts[s, 1] -= 1
            _unindex(index, node_value, node_slot, node)
            _give(pool, links, node)
            node = after
        ends[s, _OLD] = node
        if node >= 0:
            links[node, 0] = -1
        else:
            ends[s, _NEW] = -1
        value = values[i]
        if value != np.uint64(0) and bucket > now - span - slack:
            at = _lookup(index, node_value, node_slot, value, s)
            node = index[at]
            place = True
            if node >= 0:
                gap[i] = max(times[i] - node_time[node], 0)
                if node_bucket[node] >= bucket:
                    place = False
                    node_time[node] = max(node_time[node], times[i])
                else:  # unlink; it moves towards the newest end
                    older, newer = links[node, 0], links[node, 1]
                    if node_bucket[node] > now - span:
                        counts[s, 0] -= 1
                    counts[s, 1] -= 1
                    if ends[s, _AGG] == node:
                        ends[s, _AGG] = newer
                    if older >= 0:
                        links[older, 1] = newer
                    else:
                        ends[s, _OLD] = newer
                    if newer >= 0:
                        links[newer, 0] = older
                    else:
                        ends[s, _NEW] = older
            else:
                gap[i] = -1
                node = _take(pool, links)
                node_value[node] = value
                node_slot[node] = s
                index[at] = node
            if place:
                before = ends[s, _NEW]
                while before >= 0 and node_bucket[before] > bucket:
                    before = links[before, 0]
                after = links[before, 1] if before >= 0 else ends[s, _OLD]
                node_bucket[node] = bucket
                node_time[node] = times[i]
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
                counts[s, 1] += 1
                if bucket > now - span:
                    counts[s, 0] += 1
                    if after == ends[s, _AGG]:
                        ends[s, _AGG] = node
        if bucket < now - slack:
            out[i] = MISSING
        else:
            out[i] = counts[s, 0]
            if bucket < now:
                node = links[ends[s, _AGG], 0] if ends[s, _AGG] >= 0 else ends[s, _NEW]
                while node >= 0 and node_bucket[node] > bucket - span:
                    out[i] += 1
                    node = links[node, 0]


@kernel
def _rebuild(index: Ints, node_value: Hashes, node_slot: Ints, ends: Ints, links: Ints) -> None:
    for s in range(ends.shape[0]):
        node = ends[s, _OLD]
        while node >= 0:
            index[_lookup(index, node_value, node_slot, node_value[node], s)] = node
            node = links[node, 1]


class DistinctWindows:
    """Distinct values of one column over one window, for each slot of an entity. span, slack in buckets."""

    def __init__(self, span: int, slack: int, per_slot: int = PER_SLOT) -> None:
        self.span, self.slack, self.per_slot = span, slack, per_slot
        self.ends: Ints = np.full((0, 3), -1, dtype=np.int32)
        self.counts: Ints = np.zeros((0, 2), dtype=np.int32)
        self.clock: Int64 = np.full(0, _NEVER, dtype=np.int64)
        self.index: Ints = np.full(4096, -1, dtype=np.int32)
        self.node_bucket: Int64 = np.zeros(1024, dtype=np.int64)
        self.node_time: Int64 = np.zeros(1024, dtype=np.int64)
        self.node_value: Hashes = np.zeros(1024, dtype=np.uint64)
        self.node_slot: Ints = np.full(1024, -1, dtype=np.int32)
        self.links: Ints = np.full((1024, 2), -1, dtype=np.int32)
        self.pool: Int64 = np.array([-1, 0], dtype=np.int64)

    def advance(
        self, slots: Ints, fresh: Flags, buckets: Int64, times: Int64, values: Hashes, size: int
    ) -> tuple[Int64, Int64]:
        """Add rows in order; values (n,) are hashes, 0 only asks.

        Returns (count of different values in the window, this row included; ms since this value was last seen by
        this entity, −1 when it is new within window and slack, MISSING when there is no value).
        """
        self._reserve(size, slots.shape[0])
        out = np.empty(slots.shape[0], dtype=np.int64)
        gap = np.empty(slots.shape[0], dtype=np.int64)
        _advance_distinct(
            slots, fresh, buckets, times, values, self.span, self.slack, self.per_slot,
            self.ends, self.counts, self.clock, self.index,
            self.node_bucket, self.node_time, self.node_value, self.node_slot, self.links, self.pool, out, gap,
        )  # fmt: skip
        return out, gap

    def _reserve(self, size: int, rows: int) -> None:
        if self.ends.shape[0] < size:
            self.ends = grown(self.ends, size, -1)
            self.counts = grown(self.counts, size)
            self.clock = grown(self.clock, size, _NEVER)
        needed = int(self.pool[_USED]) + rows
        have = self.node_bucket.shape[0]
        if needed > have:
            have = max(needed, have + have // 2)
            self.node_bucket = grown(self.node_bucket, have)
            self.node_time = grown(self.node_time, have)
            self.node_value = grown(self.node_value, have)
            self.node_slot = grown(self.node_slot, have, -1)
            self.links = grown(self.links, have, -1)
        if self.index.shape[0] < 2 * have:
            self._reindex(2 * have)

    def _reindex(self, at_least: int) -> None:
        length = 4096
        while length < at_least:
            length *= 2
        self.index = np.full(length, -1, dtype=np.int32)
        _rebuild(self.index, self.node_value, self.node_slot, self.ends, self.links)

    def arrays(self) -> Arrays:
        """State for the checkpoint; the index is rebuilt."""
        used = int(self.pool[_USED])
        return {
            "ends": self.ends, "counts": self.counts, "clock": self.clock, "node_bucket": self.node_bucket[:used],
            "node_time": self.node_time[:used], "node_value": self.node_value[:used],
            "node_slot": self.node_slot[:used], "links": self.links[:used], "pool": self.pool,
        }  # fmt: skip

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        for name, array in arrays.items():
            setattr(self, name, np.array(array, dtype=getattr(self, name).dtype))
        self._reindex(2 * self.node_bucket.shape[0])


def column_or(values: npt.NDArray[np.int64], missing: float = np.nan) -> npt.NDArray[np.float64]:
    """Window answers as a float column, MISSING → NaN."""
    return np.where(values == MISSING, missing, values.astype(np.float64))
