"""The ledger's walk over a batch: compiled, row by row in stream order (models/ledger.py)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.entities import Ints
from models.hashing import Hashes, mix
from models.kernels import kernel_in_place
from models.windows import Int64

# row kinds
SKIP, PAY, ACT, LABEL = -1, 0, 1, 2
# row answers
NEW, DUPLICATE, CONFLICT, MATCHED, UNMATCHED, REPEATED = 0, 1, 2, 3, 4, 5
# outcome states
_OPEN, _FRAUD, _LEGITIMATE, _SETTLED, _NO_OUTCOME = 0, 1, 2, 3, 4
# what an outcome says of a payment, before and after it
UNKNOWN, GOOD, FRAUD = 0, 1, 2
# columns of the outcomes handed out
SEQUENCE, BEFORE, AFTER, ROW, RECEIVED, KNOWN_AT = 0, 1, 2, 3, 4, 5
# state: next sequence, next to settle, clock
NEXT, SETTLE, CLOCK = 0, 1, 2
_SALT = 0x5851F42D4C957F2D


@kernel_in_place
def _slot_of(index: Int64, ids: Hashes, key: np.uint64, ring: int) -> np.int64:
    mask = index.shape[0] - 1
    at = np.int64(mix(key) & np.uint64(mask))
    while index[at] >= 0 and ids[index[at] % ring] != key:
        at = (at + 1) & mask
    return at


@kernel_in_place
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


@kernel_in_place
def kept(key: np.uint64, rate: float) -> np.bool_:
    """True for the share `rate` of identities, chosen by hash."""
    return np.float64(mix(key ^ np.uint64(_SALT)) >> np.uint64(11)) * 2.0**-53 < rate


@kernel_in_place
def _meaning(outcome: int) -> int:
    if outcome == _FRAUD:
        return FRAUD
    if outcome in (_LEGITIMATE, _SETTLED):
        return GOOD
    return UNKNOWN


@kernel_in_place
def _hand_out(
    outcomes: Int64, owners: Hashes, told: int, sequence: int, before: int, after: int, i: int,
    ring_received: Int64, ring_entities: Hashes, clock: int,
) -> None:  # fmt: skip
    row = sequence % ring_received.shape[0]
    outcomes[told, SEQUENCE] = sequence
    outcomes[told, BEFORE] = before
    outcomes[told, AFTER] = after
    outcomes[told, ROW] = i
    outcomes[told, RECEIVED] = ring_received[row]
    outcomes[told, KNOWN_AT] = clock
    for e in range(owners.shape[1]):
        owners[told, e] = ring_entities[row, e]


@kernel_in_place
def walk(
    kinds: npt.NDArray[np.int8], ids: Hashes, contents: Hashes, received: Int64, entities: Hashes,
    fraud: npt.NDArray[np.int8], no_outcome: npt.NDArray[np.bool_], settle_after: int, rate: float,
    index: Int64, ring_ids: Hashes, ring_contents: Hashes, ring_received: Int64, ring_entities: Hashes,
    ring_outcome: npt.NDArray[np.int8], state: Int64,
    answers: npt.NDArray[np.int8], sequences: Int64, deltas: Ints, examples: Int64, outcomes: Int64, owners: Hashes,
    settled: Int64,
) -> tuple[int, int]:  # fmt: skip
    ring = ring_ids.shape[0]
    found, told = 0, 0
    for i in range(kinds.shape[0]):
        answers[i] = NEW
        sequences[i] = -1
        deltas[i] = 0
        settled[i] = state[SETTLE]
        if kinds[i] == SKIP:
            continue
        if received[i] > state[CLOCK]:
            state[CLOCK] = received[i]
        if kinds[i] == PAY:
            at = _slot_of(index, ring_ids, ids[i], ring)
            if index[at] >= 0:
                sequences[i] = index[at]
                same = ring_contents[index[at] % ring] == contents[i]
                answers[i] = DUPLICATE if same else CONFLICT
            else:
                sequence = state[NEXT]
                if sequence >= ring:
                    _forget(index, ring_ids, sequence - ring, ring)
                    at = _slot_of(index, ring_ids, ids[i], ring)
                    if state[SETTLE] <= sequence - ring:
                        state[SETTLE] = sequence - ring + 1
                row = sequence % ring
                ring_ids[row] = ids[i]
                ring_contents[row] = contents[i]
                # Its window opens when the stream brings it, so that windows close in stream order.
                ring_received[row] = state[CLOCK]
                for e in range(entities.shape[1]):
                    ring_entities[row, e] = entities[i, e]
                ring_outcome[row] = _NO_OUTCOME if no_outcome[i] else _OPEN
                index[at] = sequence
                sequences[i] = sequence
                state[NEXT] = sequence + 1
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
                    before, after = _meaning(ring_outcome[row]), _meaning(outcome)
                    _hand_out(
                        outcomes,
                        owners,
                        told,
                        index[at],
                        before,
                        after,
                        i,
                        ring_received,
                        ring_entities,
                        state[CLOCK],
                    )
                    told += 1
                    ring_outcome[row] = outcome
                    for e in range(entities.shape[1]):
                        entities[i, e] = ring_entities[row, e]
                    # Within its outcome window it is learnt when the window closes, like everything else.
                    # What was learnt as a fraud and is none is always learnt again, as good.
                    learnt = after == FRAUD or before == FRAUD or kept(ids[i], rate)
                    if index[at] < state[SETTLE] and learnt:
                        examples[found, 0] = index[at]
                        examples[found, 1] = fraud[i]
                        examples[found, 2] = i
                        examples[found, 3] = before
                        found += 1
        while state[SETTLE] < state[NEXT]:
            row = state[SETTLE] % ring
            # Strictly later: a label that comes at the very moment is still in time.
            if ring_received[row] + settle_after >= state[CLOCK]:
                break
            if ring_outcome[row] == _OPEN:
                ring_outcome[row] = _SETTLED
                _hand_out(
                    outcomes,
                    owners,
                    told,
                    state[SETTLE],
                    UNKNOWN,
                    GOOD,
                    i,
                    ring_received,
                    ring_entities,
                    state[CLOCK],
                )
                told += 1
            outcome = ring_outcome[row]
            if outcome == _FRAUD or (outcome != _NO_OUTCOME and kept(ring_ids[row], rate)):
                examples[found, 0] = state[SETTLE]
                examples[found, 1] = 1 if outcome == _FRAUD else 0
                examples[found, 2] = i
                examples[found, 3] = UNKNOWN
                found += 1
            state[SETTLE] += 1
        settled[i] = state[SETTLE]
    return found, told


@kernel_in_place
def fill(index: Int64, ids: Hashes, sequence: int) -> None:
    ring = ids.shape[0]
    for k in range(max(0, sequence - ring), sequence):
        at = _slot_of(index, ids, ids[k % ring], ring)
        index[at] = k


@kernel_in_place
def close(sequences: Int64, outcome: npt.NDArray[np.int8]) -> None:
    """These transactions have no outcome of their own, unless a label told one already."""
    ring = outcome.shape[0]
    for sequence in sequences:
        if outcome[sequence % ring] == _OPEN:
            outcome[sequence % ring] = _NO_OUTCOME
