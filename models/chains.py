"""Chains of nodes in time order, one for each slot: the memory behind every window.

A slot has a row of `ends` with its newest node, the oldest that lies in the window, and the oldest of all; a node has a
row of `nodes` that begins with its neighbours (view `links`: the older, the newer) and its bucket. −1 is no node. Nodes
that are given back are taken again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.entities import Ints, grown
from models.kernels import inlined

Int64 = npt.NDArray[np.int64]
NEW, AGG, OLD = 0, 1, 2
BUCKET = 1
NEVER = np.iinfo(np.int64).min // 2
"""A clock that has not begun."""
_OLDER, _NEWER = 0, 1
# pool: [free list head, nodes used]
_FREE, _USED = 0, 1


def empty_pool() -> Int64:
    """No node taken yet."""
    return np.array([-1, 0], dtype=np.int64)


def used(pool: Int64) -> int:
    """Nodes that were ever taken."""
    return int(pool[_USED])


def with_room(nodes: Int64, pool: Int64, rows: int) -> tuple[Int64, int]:
    """Nodes with room for those of a few batches of so many rows, and for how many behind this batch."""
    taken, have = used(pool), nodes.shape[0]
    if taken + 4 * rows > have:
        nodes = grown(nodes, max(taken + 4 * rows, have + have // 2))
    return nodes, nodes.shape[0] - taken - rows


@inlined
def take(pool: Int64, links: Ints) -> np.int64:
    """A node that nobody has."""
    node: np.int64 = pool[_FREE]
    if node >= 0:
        pool[_FREE] = links[node, _NEWER]
    else:
        node = pool[_USED]
        pool[_USED] += 1
    return node


@inlined
def give(pool: Int64, links: Ints, node: int) -> None:
    """Give a node back; it is in no chain any more."""
    links[node, _NEWER] = pool[_FREE]
    pool[_FREE] = node


@inlined
def join(s: int, older: np.int64, newer: np.int64, ends: Ints, links: Ints) -> None:
    """Make two nodes of a slot neighbours; −1 on one side makes the other an end of the chain."""
    if older >= 0:
        links[older, _NEWER] = newer
    else:
        ends[s, OLD] = newer
    if newer >= 0:
        links[newer, _OLDER] = older
    else:
        ends[s, NEW] = older


@inlined
def not_newer(s: int, bucket: int, ends: Ints, nodes: Int64, links: Ints) -> np.int64:
    """The newest node of a slot that is not newer than a bucket."""
    node = np.int64(ends[s, NEW])
    while node >= 0 and nodes[node, BUCKET] > bucket:
        node = np.int64(links[node, _OLDER])
    return node


@inlined
def put(s: int, node: np.int64, older: np.int64, inside: bool, ends: Ints, links: Ints) -> None:
    """Put a node behind the `older` one. inside: it lies in the window."""
    newer = np.int64(links[older, _NEWER] if older >= 0 else ends[s, OLD])
    join(s, older, node, ends, links)
    join(s, node, newer, ends, links)
    if inside and newer == ends[s, AGG]:
        ends[s, AGG] = node


@inlined
def fetched_ends(slots: Ints, ends: Ints, nodes: Int64) -> np.int64:
    """Read the ends of the slots' chains (see models.kernels.fetched)."""
    read = np.int64(0)
    for s in slots:
        if s >= 0:
            for end in range(3):
                if ends[s, end] >= 0:
                    read ^= nodes[ends[s, end], BUCKET]
    return read
