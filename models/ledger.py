"""The ledger: a ring of the transactions seen, by id.

It recognises duplicates and conflicts, finds the transaction a late label speaks of, and closes the outcome window of
each transaction `settle_after` ms after it was received: without a label it is then a settled negative.

Outcomes are learnt when the window closes, frauds too (a later label at once). Were frauds learnt on arrival and
good payments only after the window, every quantity that grows with time would seem to tell them apart, and the
base rate would be wrong. Memory of known frauds (windows, features) takes labels in at once. Declined
authorisations have no outcome: they are never settled, and only a fraud label makes one an example. All in one
pass over the rows in stream order, so that nothing depends on the batch size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Ints
from models.hashing import Hashes, mix
from models.kernels import kernel
from models.windows import Int64

# row kinds
SKIP, PAY, ACT, LABEL = -1, 0, 1, 2
# row answers
NEW, DUPLICATE, CONFLICT, MATCHED, UNMATCHED, REPEATED = 0, 1, 2, 3, 4, 5
# outcome states
_OPEN, _FRAUD, _LEGITIMATE, _SETTLED, _NO_OUTCOME = 0, 1, 2, 3, 4
# state: next sequence, next to settle, clock
_NEXT, _SETTLE, _CLOCK = 0, 1, 2
_SALT = 0x5851F42D4C957F2D


@kernel
def _slot_of(index: Int64, ids: Hashes, key: np.uint64, ring: int) -> np.int64:
    mask = index.shape[0] - 1
    at = np.int64(mix(key) & np.uint64(mask))
    while index[at] >= 0 and ids[index[at] % ring] != key:
        at = (at + 1) & mask
    return at


@kernel
def _forget(index: Int64, ids: Hashes, sequence: int, ring: int) -> None:
    at = _slot_of(index, ids, ids[sequence % ring], ring)
    if index[at] != sequence:
        return
    mask = index.shape[0] - 1
    hole = at
    probe = (at + 1) & mask
    while index[probe] >= 0:
        home = np.int64(mix(ids[index[probe] % ring]) & np.uint64(mask))
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            index[hole] = index[probe]
            hole = probe
        probe = (probe + 1) & mask
    index[hole] = -1


@kernel
def kept(key: np.uint64, rate: float) -> np.bool_:
    """True for the share `rate` of identities, chosen by hash."""
    return np.float64(mix(key ^ np.uint64(_SALT)) >> np.uint64(11)) * 2.0**-53 < rate


@kernel
def _walk(
    kinds: npt.NDArray[np.int8], ids: Hashes, contents: Hashes, received: Int64, entities: Hashes,
    fraud: npt.NDArray[np.int8], no_outcome: npt.NDArray[np.bool_], settle_after: int, rate: float,
    index: Int64, ring_ids: Hashes, ring_contents: Hashes, ring_received: Int64, ring_entities: Hashes,
    ring_outcome: npt.NDArray[np.int8], state: Int64,
    answers: npt.NDArray[np.int8], sequences: Int64, deltas: Ints, examples: Int64,
) -> int:  # fmt: skip
    ring = ring_ids.shape[0]
    found = 0
    for i in range(kinds.shape[0]):
        answers[i] = NEW
        sequences[i] = -1
        deltas[i] = 0
        if kinds[i] == SKIP:
            continue
        if received[i] > state[_CLOCK]:
            state[_CLOCK] = received[i]
        if kinds[i] == PAY:
            at = _slot_of(index, ring_ids, ids[i], ring)
            if index[at] >= 0:
                sequences[i] = index[at]
                same = ring_contents[index[at] % ring] == contents[i]
                answers[i] = DUPLICATE if same else CONFLICT
            else:
                sequence = state[_NEXT]
                if sequence >= ring:
                    _forget(index, ring_ids, sequence - ring, ring)
                    at = _slot_of(index, ring_ids, ids[i], ring)
                    if state[_SETTLE] <= sequence - ring:
                        state[_SETTLE] = sequence - ring + 1
                row = sequence % ring
                ring_ids[row] = ids[i]
                ring_contents[row] = contents[i]
                ring_received[row] = received[i]
                for e in range(entities.shape[1]):
                    ring_entities[row, e] = entities[i, e]
                ring_outcome[row] = _NO_OUTCOME if no_outcome[i] else _OPEN
                index[at] = sequence
                sequences[i] = sequence
                state[_NEXT] = sequence + 1
        elif kinds[i] == LABEL:
            at = _slot_of(index, ring_ids, ids[i], ring)
            if index[at] < 0:
                answers[i] = UNMATCHED
            else:
                row = index[at] % ring
                outcome = _FRAUD if fraud[i] == 1 else _LEGITIMATE
                if ring_outcome[row] == outcome or (outcome == _LEGITIMATE and ring_outcome[row] == _SETTLED):
                    answers[i] = REPEATED
                else:
                    answers[i] = MATCHED
                    sequences[i] = index[at]
                    if outcome == _FRAUD:
                        deltas[i] = 1
                    elif ring_outcome[row] == _FRAUD:
                        deltas[i] = -1
                    ring_outcome[row] = outcome
                    for e in range(entities.shape[1]):
                        entities[i, e] = ring_entities[row, e]
                    # Within its outcome window it is learnt when the window closes, like everything else.
                    if index[at] < state[_SETTLE] and (outcome == _FRAUD or kept(ids[i], rate)):
                        examples[found, 0] = index[at]
                        examples[found, 1] = fraud[i]
                        examples[found, 2] = i
                        found += 1
        while state[_SETTLE] < state[_NEXT]:
            row = state[_SETTLE] % ring
            # Strictly later: a label that comes at the very moment is still in time.
            if ring_received[row] + settle_after >= state[_CLOCK]:
                break
            if ring_outcome[row] == _OPEN:
                ring_outcome[row] = _SETTLED
            outcome = ring_outcome[row]
            if outcome == _FRAUD or (outcome != _NO_OUTCOME and kept(ring_ids[row], rate)):
                if found >= examples.shape[0]:
                    return -1
                examples[found, 0] = state[_SETTLE]
                examples[found, 1] = 1 if outcome == _FRAUD else 0
                examples[found, 2] = i
                found += 1
            state[_SETTLE] += 1
    return found


class Walk(NamedTuple):
    """Answers for each row, and the examples that came ripe.

    answers (n,), sequences (n,): of the transaction (new, duplicate, or labelled one). deltas (n,): change of the
    fraud count a label makes. examples (m, 3): sequence, fraud 0/1, row at which it became known.
    """

    answers: npt.NDArray[np.int8]
    sequences: Int64
    deltas: Ints
    examples: Int64


class Ledger:
    """Ring of `capacity` transactions (memory about 110 bytes each, grown on demand)."""

    def __init__(self, capacity: int, entities: int, settle_after: int, negative_rate: float) -> None:
        self.capacity, self.settle_after, self.negative_rate = capacity, settle_after, negative_rate
        size = min(capacity, 4096)
        self.ids: Hashes = np.zeros(size, dtype=np.uint64)
        self.contents: Hashes = np.zeros(size, dtype=np.uint64)
        self.received: Int64 = np.zeros(size, dtype=np.int64)
        self.entities: Hashes = np.zeros((size, entities), dtype=np.uint64)
        self.outcome = np.zeros(size, dtype=np.int8)
        self.state: Int64 = np.zeros(3, dtype=np.int64)
        self._reindex()

    @property
    def clock(self) -> int:
        """Largest received_at seen, ms."""
        return int(self.state[_CLOCK])

    @property
    def sequence(self) -> int:
        """Number of different transactions taken in so far."""
        return int(self.state[_NEXT])

    def walk(
        self, kinds: npt.NDArray[np.int8], ids: Hashes, contents: Hashes, received: Int64, entities: Hashes,
        fraud: npt.NDArray[np.int8], no_outcome: npt.NDArray[np.bool_],
    ) -> Walk:  # fmt: skip
        """Take a batch in stream order. `entities` (n, E) is filled in for label rows that match."""
        n = kinds.shape[0]
        self._grow(self.sequence + n)
        answers, sequences = np.empty(n, dtype=np.int8), np.empty(n, dtype=np.int64)
        deltas = np.empty(n, dtype=np.int32)
        pending = self.sequence - int(self.state[_SETTLE])
        examples = np.empty((pending + 2 * n, 3), dtype=np.int64)
        found = _walk(
            kinds, ids, contents, received, entities, fraud, no_outcome, self.settle_after, self.negative_rate,
            self.index, self.ids, self.contents, self.received, self.entities, self.outcome, self.state,
            answers, sequences, deltas, examples,
        )  # fmt: skip
        return Walk(answers, sequences, deltas, examples[:found].copy())

    def _grow(self, wanted: int) -> None:
        size = self.ids.shape[0]
        if wanted <= size or size >= self.capacity:
            return
        # Rings only grow while nothing was overwritten yet, so sequence % size keeps its meaning.
        while size < wanted:
            size *= 2
        size = min(size, self.capacity)
        have = self.ids.shape[0]
        for name in ("ids", "contents", "received", "entities", "outcome"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[:have] = old
            setattr(self, name, new)
        self._reindex()

    def _reindex(self) -> None:
        size = 1
        while size < 2 * self.ids.shape[0] + 1:
            size *= 2
        self.index: Int64 = np.full(size, -1, dtype=np.int64)
        _fill(self.index, self.ids, self.sequence)

    def arrays(self) -> Arrays:
        """State for the checkpoint; the index is rebuilt."""
        used = min(self.sequence, self.ids.shape[0])
        rows = {
            name: getattr(self, name)[:used]
            for name in ("ids", "contents", "received", "entities", "outcome")
        }
        return {**rows, "state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"], dtype=np.int64)
        size = min(self.capacity, 4096)
        while size < min(self.sequence, self.capacity):
            size = min(size * 2, self.capacity)
        for name in ("ids", "contents", "received", "entities", "outcome"):
            old = arrays[name]
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[: old.shape[0]] = old
            setattr(self, name, new)
        self._reindex()


@kernel
def _fill(index: Int64, ids: Hashes, sequence: int) -> None:
    ring = ids.shape[0]
    for k in range(max(0, sequence - ring), sequence):
        at = _slot_of(index, ids, ids[k % ring], ring)
        index[at] = k
