"""Entity tables: identity hash → slot number, bounded, least recently seen out first.

Windows and profiles keep their state by slot. A table grows to its capacity; from then on a new identity takes the
slot of the one unseen for longest, row by row, so that the answer does not depend on the batch size.
Pinned entities (those with an open alert, by Control `pin`) are passed over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.hashing import Hashes, mix
from models.kernels import inlined, kernel_in_place

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[Any]]

# links: [slot, 0] less recently seen, [slot, 1] more recently seen; state: used, oldest, newest, evicted
_USED, _OLDEST, _NEWEST, _EVICTED = 0, 1, 2, 3


@kernel_in_place
def _find(index: Ints, keys: Hashes, key: np.uint64) -> np.int64:
    mask = index.shape[0] - 1
    at = np.int64(mix(key) & np.uint64(mask))
    while True:
        slot = index[at]
        if slot < 0 or keys[slot] == key:
            return at
        at = (at + 1) & mask


@kernel_in_place
def _remove(index: Ints, keys: Hashes, at: np.int64) -> None:
    """Backward-shift deletion (Knuth 6.4 R): leaves no tombstones, so probing never degrades."""
    mask = index.shape[0] - 1
    hole = at
    probe = (at + 1) & mask
    while index[probe] >= 0:
        home = np.int64(mix(keys[index[probe]]) & np.uint64(mask))
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            index[hole] = index[probe]
            hole = probe
        probe = (probe + 1) & mask
    index[hole] = -1


@kernel_in_place
def _touch(links: npt.NDArray[np.int32], state: npt.NDArray[np.int64], slot: int, linked: bool) -> None:
    if state[_NEWEST] == slot:
        return
    if linked:
        older, newer = links[slot, 0], links[slot, 1]
        if older >= 0:
            links[older, 1] = newer
        else:
            state[_OLDEST] = newer
        if newer >= 0:
            links[newer, 0] = older
    links[slot, 0] = state[_NEWEST]
    links[slot, 1] = -1
    if state[_NEWEST] >= 0:
        links[state[_NEWEST], 1] = slot
    else:
        state[_OLDEST] = slot
    state[_NEWEST] = slot


@inlined
def _fetched(index: Ints, keys: Hashes, links: npt.NDArray[np.int32], rows: Hashes) -> np.int64:
    """Read where the rows probably are, and their neighbours in the order of sight (see models.kernels.fetched)."""
    read, mask = np.int64(0), np.uint64(index.shape[0] - 1)
    for key in rows:
        read ^= index[np.int64(mix(key) & mask)]
    for key in rows:
        slot = index[np.int64(mix(key) & mask)]
        if slot >= 0:
            read ^= np.int64(keys[slot]) ^ links[slot, 0]
    for key in rows:
        slot = index[np.int64(mix(key) & mask)]
        if slot >= 0:
            for side in range(2):
                if links[slot, side] >= 0:
                    read ^= links[links[slot, side], 0]
    return read


@kernel_in_place
def _assign(
    index: Ints, keys: Hashes, links: npt.NDArray[np.int32], pinned: Flags, state: npt.NDArray[np.int64],
    limit: int, rows: Hashes, create: Flags, peek: Flags, slots: Ints, fresh: Flags,
) -> np.int64:  # fmt: skip
    read = _fetched(index, keys, links, rows)
    for i in range(rows.shape[0]):
        key = rows[i]
        slots[i] = -1
        fresh[i] = False
        if key == np.uint64(0):
            continue
        at = _find(index, keys, key)
        slot = index[at]
        if slot >= 0:
            slots[i] = slot
            if not peek[i]:
                _touch(links, state, slot, True)
            continue
        if not create[i]:
            continue
        if state[_USED] < limit:
            slot = np.int32(state[_USED])
            state[_USED] += 1
            linked = False
        else:
            slot = np.int32(state[_OLDEST])
            while slot >= 0 and pinned[slot]:
                slot = links[slot, 1]
            if slot < 0:  # everything is pinned: the newcomer is not tracked, its features are missing
                continue
            _remove(index, keys, _find(index, keys, keys[slot]))
            state[_EVICTED] += 1
            at = _find(index, keys, key)
            linked = True
        keys[slot] = key
        index[at] = slot
        fresh[i] = True
        slots[i] = slot
        _touch(links, state, slot, linked)
    return read


class EntityTable:
    """Slots of one kind of entity.

    capacity: most entities kept at once. Memory: 25 bytes a slot beside the windows' own.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        size = min(capacity, 1024)
        self.keys: Hashes = np.zeros(size, dtype=np.uint64)
        self.links: Ints = np.full((size, 2), -1, dtype=np.int32)
        self.pinned: Flags = np.zeros(size, dtype=np.bool_)
        self.index: Ints = np.full(4096, -1, dtype=np.int32)
        self.state = np.array([0, -1, -1, 0], dtype=np.int64)

    @property
    def used(self) -> int:
        """Slots given out so far."""
        return int(self.state[_USED])

    @property
    def evicted(self) -> int:
        """Entities whose slot was taken by another since the start."""
        return int(self.state[_EVICTED])

    @property
    def size(self) -> int:
        """Slots that exist now; state kept by slot must be at least this long."""
        return int(self.keys.shape[0])

    def assign(self, rows: Hashes, create: Flags, peek: Flags | None = None) -> tuple[Ints, Flags]:
        """Slots of a batch of identities, in row order.

        rows: (n,) hashes, 0 = missing. create: (n,) False looks up only. peek: (n,) True looks up without counting
        as seen. Returns slots (n,), -1 where there is
        none, and fresh (n,): True where the row began to use its slot and old state of the slot must be cleared.
        """
        self._grow(self.used + rows.shape[0])
        slots = np.empty(rows.shape[0], dtype=np.int32)
        fresh = np.empty(rows.shape[0], dtype=np.bool_)
        limit = min(self.size, self.capacity)
        if peek is None:
            peek = np.zeros(rows.shape[0], dtype=np.bool_)
        _assign(
            self.index,
            self.keys,
            self.links,
            self.pinned,
            self.state,
            limit,
            rows,
            create,
            peek,
            slots,
            fresh,
        )
        return slots, fresh

    def pin(self, key: int, pinned: bool) -> None:
        """Set or clear the pin of one identity; unknown identities are passed over."""
        at = _find(self.index, self.keys, np.uint64(key))
        if self.index[at] >= 0:
            self.pinned[self.index[at]] = pinned

    def _grow(self, wanted: int) -> None:
        size = self.size
        if wanted <= size or size >= self.capacity:
            return
        while size < wanted:
            size *= 2
        size = min(size, self.capacity)
        self.keys = grown(self.keys, size)
        self.links = grown(self.links, size, -1)
        self.pinned = grown(self.pinned, size)
        if self.index.shape[0] < 2 * size:
            length = self.index.shape[0]
            while length < 2 * size:
                length *= 2
            self.index = np.full(length, -1, dtype=np.int32)
            _reindex(self.index, self.keys, self.used)

    def arrays(self) -> Arrays:
        """Everything a checkpoint needs; the index is rebuilt."""
        return {"keys": self.keys, "links": self.links, "pinned": self.pinned, "state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.keys = np.array(arrays["keys"], dtype=np.uint64)
        self.links = np.array(arrays["links"], dtype=np.int32)
        self.pinned = np.array(arrays["pinned"], dtype=np.bool_)
        self.state = np.array(arrays["state"], dtype=np.int64)
        length = 4096
        while length < 2 * self.size:
            length *= 2
        self.index = np.full(length, -1, dtype=np.int32)
        _reindex(self.index, self.keys, self.used)


@kernel_in_place
def _reindex(index: Ints, keys: Hashes, used: int) -> None:
    for slot in range(used):
        index[_find(index, keys, keys[slot])] = slot


def grown(array: npt.NDArray[Any], rows: int, fill: float = 0) -> npt.NDArray[Any]:
    """A copy with `rows` rows (first axis), the new ones filled."""
    out = np.full((rows, *array.shape[1:]), fill, dtype=array.dtype)
    out[: array.shape[0]] = array
    return out
