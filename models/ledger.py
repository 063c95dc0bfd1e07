"""The ledger: a ring of the transactions seen, by id.

It recognises duplicates and conflicts, finds the transaction a late label speaks of, and closes the outcome window of
each transaction `settle_after` ms after the stream brought it: without a label it is then a settled negative.

Outcomes are learnt when the window closes, frauds too (a later label at once). Were frauds learnt on arrival and
good payments only after the window, every quantity that grows with time would seem to tell them apart, and the
base rate would be wrong. Memory of known frauds (windows, features) takes labels in at once. Payments that were
declined, by the issuer or by us, have no outcome: they are never settled, and only a label makes one an example. All
in one pass over the rows in stream order, so that nothing depends on the batch size.

Every outcome (fraud or good) is also handed out for the memory of outcomes (models/outcomes.py): a label when it
arrives, an unlabelled payment when its window closes, and a label that corrects an earlier one takes that one back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Ints
from models.hashing import Hashes
from models.ledger_walk import CLOCK, NEXT, SETTLE, close, fill, walk
from models.vectors import MAX_BATCH
from models.windows import Int64

Float32 = npt.NDArray[np.float32]


class Walk(NamedTuple):
    """Answers for each row, and the examples that came ripe.

    answers (n,), sequences (n,): of the transaction (new, duplicate, or labelled one). deltas (n,): change of the
    fraud count a label makes. examples (m, 4): sequence, fraud 0/1, row at which it became known, and what it was
    settled as before (UNKNOWN for the first outcome). outcomes (k, 6): columns SEQUENCE, BEFORE and AFTER (UNKNOWN,
    GOOD or FRAUD), ROW at which it became known, RECEIVED of the payment, KNOWN_AT (the clock then), both in ms.
    owners (k, E): the entities of that payment. settled (n,): the oldest transaction with an open window, as of each
    row.
    """

    answers: npt.NDArray[np.int8]
    sequences: Int64
    deltas: Ints
    examples: Int64
    outcomes: Int64
    owners: Hashes
    settled: Int64


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
        self.notes = np.full(size + MAX_BATCH, np.nan, dtype=np.float32)
        self.state: Int64 = np.zeros(3, dtype=np.int64)
        self._reindex()

    @property
    def clock(self) -> int:
        """Largest received_at seen, ms."""
        return int(self.state[CLOCK])

    def advance_clock(self, to: int) -> None:
        """Let the stream's clock be at least this, ms: for an engine whose events another one's ledger takes in."""
        self.state[CLOCK] = max(to, self.clock)

    @property
    def waiting(self) -> int:
        """Payments whose outcome window is open."""
        return int(self.state[NEXT] - self.state[SETTLE])

    @property
    def sequence(self) -> int:
        """Number of different transactions taken in so far."""
        return int(self.state[NEXT])

    def walk(
        self, kinds: npt.NDArray[np.int8], ids: Hashes, contents: Hashes, received: Int64, entities: Hashes,
        fraud: npt.NDArray[np.int8], no_outcome: npt.NDArray[np.bool_],
    ) -> Walk:  # fmt: skip
        """Take a batch in stream order. `entities` (n, E) is filled in for label rows that match."""
        n = kinds.shape[0]
        self._grow(self.sequence + n)
        answers, sequences = np.empty(n, dtype=np.int8), np.empty(n, dtype=np.int64)
        deltas = np.empty(n, dtype=np.int32)
        pending = self.sequence - int(self.state[SETTLE])
        examples = np.empty((pending + 2 * n, 4), dtype=np.int64)
        outcomes = np.empty((pending + 2 * n, 6), dtype=np.int64)
        owners = np.empty((pending + 2 * n, entities.shape[1]), dtype=np.uint64)
        settled = np.empty(n, dtype=np.int64)
        found, told = walk(
            kinds, ids, contents, received, entities, fraud, no_outcome, self.settle_after, self.negative_rate,
            self.index, self.ids, self.contents, self.received, self.entities, self.outcome, self.state,
            answers, sequences, deltas, examples, outcomes, owners, settled,
        )  # fmt: skip
        return Walk(
            answers,
            sequences,
            deltas,
            examples[:found].copy(),
            outcomes[:told].copy(),
            owners[:told].copy(),
            settled,
        )

    def forgo(self, sequences: Int64) -> None:
        """Transactions we declined: what would have become of them is not known unless a label tells.

        To be called before the window of any of them can close.
        """
        close(sequences, self.outcome)

    def note(self, sequences: Int64, values: Float32) -> None:
        """Keep one number with each new transaction, for `noted` when its outcome becomes known."""
        self.notes[sequences % self.notes.shape[0]] = values

    def noted(self, sequences: Int64) -> Float32:
        """The numbers kept with these transactions: those of outcomes the last walk handed out."""
        return self.notes[sequences % self.notes.shape[0]]

    def _grow(self, wanted: int) -> None:
        size = self.ids.shape[0]
        if wanted <= size or size >= self.capacity:
            return
        # Rings only grow while nothing was overwritten yet, so sequence % size keeps its meaning.
        while size < wanted:
            size *= 2
        size = min(size, self.capacity)
        have = self.ids.shape[0]
        # The margin keeps what a batch asks for from being overwritten by the same batch.
        notes = np.full(size + MAX_BATCH, np.nan, dtype=np.float32)
        notes[:have] = self.notes[:have]
        self.notes = notes
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
        fill(self.index, self.ids, self.sequence)

    def arrays(self) -> Arrays:
        """State for the checkpoint; the index is rebuilt."""
        used = min(self.sequence, self.ids.shape[0])
        rows = {
            name: getattr(self, name)[:used]
            for name in ("ids", "contents", "received", "entities", "outcome")
        }
        return {**rows, "notes": self.notes, "state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"], dtype=np.int64)
        size = min(self.capacity, 4096)
        while size < min(self.sequence, self.capacity):
            size = min(size * 2, self.capacity)
        self.notes = np.array(arrays["notes"], dtype=np.float32)
        for name in ("ids", "contents", "received", "entities", "outcome"):
            old = arrays[name]
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[: old.shape[0]] = old
            setattr(self, name, new)
        self._reindex()
