"""Feature vectors that wait for their label: a ring of 32-bit floats within a fixed budget, on disk when asked.

A vector is learnt from as it was when the payment was decided; nothing is computed again when the label comes. When
more payments wait for their outcome than the ring has room for, a share of them, chosen by hash, is not kept, frauds
as well as good ones, and an example that was kept counts 1/share times (Horvitz and Thompson, "A Generalization of
Sampling Without Replacement from a Finite Universe", 1952). The share halves when the ring is nearly full of open
outcomes and doubles when it is nearly empty, row by row in stream order.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.columns import Float
from models.entities import Arrays, Flags, grown
from models.errors import SnapshotError
from models.hashing import Hashes, mix
from models.kernels import kernel_in_place
from models.windows import Int64

MAX_BATCH = 4096
SLACK = 65_536
"""Places beyond the capacity. A vector whose place is taken has been out of reach for so many others, so that a
checkpoint that is written meanwhile, and may not see the ring as it was, lacks none that counts."""
_LEAST_SHARE = 2.0**-12
_FULL, _EMPTY = 0.9, 0.2
_SALT = 0x9E6C63D0676A9A99
UNDESCRIBED = -1
"""Corridor of a vector that nothing was told of; actor of a label that names none."""
# columns of what is told of a payment beside its vector
_CORRIDOR, _PAID, _LABELLED, _SOURCE, _ACTOR = range(5)
# state: next place, places until the share may change again, transactions taken
_NEXT, _PATIENCE, _TAKEN = 0, 1, 2


class Kept(NamedTuple):
    """A vector [F] and what its example counts for the ones that were not kept.

    corridor: its code; paid_at, labelled_at: ms, 0 where not known (`describe`, `label`). source, actor: codes of who
    labelled it.
    """

    vector: Float
    weight: float
    corridor: int = UNDESCRIBED
    paid_at: int = 0
    labelled_at: int = 0
    source: int = UNDESCRIBED
    actor: int = UNDESCRIBED


@kernel_in_place
def chosen(key: np.uint64, share: float) -> np.bool_:
    """True for the share of identities, by hash; the chosen of a smaller share are among those of a larger one."""
    return np.float64(mix(key ^ np.uint64(_SALT)) >> np.uint64(11)) * 2.0**-53 < share


@kernel_in_place
def choose(keys: Hashes, share: float, out: Flags) -> None:
    """`chosen` for each key (n,), into out (n,)."""
    for i in range(keys.shape[0]):
        out[i] = chosen(keys[i], share)


@kernel_in_place
def _place(
    sequences: Int64, keys: Hashes, settled: Int64, room: int, places: Int64, owners: Int64,
    shares: npt.NDArray[np.float32], state: Int64, share: Float, out: Int64,
) -> None:  # fmt: skip
    for i in range(sequences.shape[0]):
        # The oldest open payment: places of closed ones may be taken.
        oldest = settled[i]
        held = state[_NEXT]
        if oldest < sequences[i]:
            held = places[oldest % places.shape[0]]
        waiting = state[_NEXT] - held
        if state[_PATIENCE] <= 0:
            if waiting >= _FULL * room and share[0] > _LEAST_SHARE:
                share[0] *= 0.5
                state[_PATIENCE] = room // 16
            elif waiting < _EMPTY * room and share[0] < 1.0:
                share[0] *= 2.0
                state[_PATIENCE] = room // 16
        at = sequences[i] % places.shape[0]
        places[at] = state[_NEXT]
        state[_TAKEN] = sequences[i] + 1
        out[i] = -1
        if not chosen(keys[i], share[0]):
            continue
        slot = state[_NEXT] % owners.shape[0]
        owners[slot] = sequences[i]
        shares[slot] = np.float32(share[0])
        out[i] = slot
        state[_NEXT] += 1
        state[_PATIENCE] -= 1


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


class Vectors:
    """Ring of `capacity` vectors of `width` features (4 bytes each), found by transaction sequence.

    transactions: how many the ledger remembers; outcomes come for these only. directory: where the ring lies on disk
    as an unnamed file; None keeps it in memory.
    """

    def __init__(self, capacity: int, width: int, transactions: int, directory: Path | None = None) -> None:
        if capacity <= MAX_BATCH:
            raise ValueError(f"the vector ring needs more than {MAX_BATCH} rows")
        self.capacity, self._transactions, self._directory = capacity, transactions, directory
        self._most = capacity + SLACK
        size = min(capacity, 8192)
        self.ring = self._room(size, width)
        # Which place a transaction got, or would have got: where its neighbours lie in the ring.
        self._places: Int64 = np.zeros(min(transactions, 8192) + MAX_BATCH, dtype=np.int64)
        self._owners: Int64 = np.full(size, -1, dtype=np.int64)
        self._shares: npt.NDArray[np.float32] = np.ones(size, dtype=np.float32)
        self._about: Int64 = np.zeros((size, 5), dtype=np.int64)
        self._state: Int64 = np.zeros(3, dtype=np.int64)
        self._share: Float = np.ones(1)

    @property
    def placed(self) -> int:
        """Vectors put so far, over all rounds of the ring."""
        return int(self._state[_NEXT])

    @property
    def share(self) -> float:
        """Share of payments whose vector is kept now."""
        return float(self._share[0])

    def put(self, sequences: Int64, keys: Hashes, settled: Int64, rows: Float) -> None:
        """Keep the vectors of new transactions: `claim` and `fill` at once."""
        self.fill(self.claim(sequences, keys, settled), rows)

    def claim(self, sequences: Int64, keys: Hashes, settled: Int64) -> Int64:
        """Make room for the vectors of new transactions (sequences rise by one); keys: hashes of their ids.

        settled: the ledger's next outcome to close, as of each row. Returns their slots, −1 for what is not kept; `fill`
        follows before any of their outcomes can come ripe.
        """
        slots = np.empty(sequences.shape[0], dtype=np.int64)
        if sequences.size == 0:
            return slots
        self._grow(int(sequences[-1]) + 1)
        _place(
            sequences, keys, settled, self.capacity - MAX_BATCH, self._places, self._owners, self._shares,
            self._state, self._share, slots,
        )  # fmt: skip
        self._about[slots[slots >= 0]] = (UNDESCRIBED, 0, 0, UNDESCRIBED, UNDESCRIBED)
        return slots

    def fill(self, slots: Int64, rows: Float | npt.NDArray[np.float32]) -> None:
        """Write vectors to the slots they have claimed."""
        kept = slots >= 0
        self.ring[slots[kept]] = rows[kept]

    def describe(self, sequences: Int64, corridors: Int64, paid_at: Int64) -> None:
        """Keep beside newly put vectors where their payments come from: code of the corridor, time in ms."""
        slots = self._places[sequences % self._places.shape[0]] % self._owners.shape[0]
        kept = self._owners[slots] == sequences
        self._about[slots[kept], _CORRIDOR] = corridors[kept]
        self._about[slots[kept], _PAID] = paid_at[kept]

    def label(self, sequence: int, at: int, source: int = UNDESCRIBED, actor: int = UNDESCRIBED) -> None:
        """Note when a payment's label came (ms) and from whom, by code; the last label counts."""
        slot = self._place_of(sequence) % self._owners.shape[0]
        if self._owners[slot] == sequence:
            self._about[slot, _LABELLED:] = at, source, actor

    def get(self, sequence: int, upto: int) -> Kept | None:
        """The vector of a transaction; None when it was not chosen or is gone. upto: transactions so far.

        A margin of one batch keeps the answer independent of how the stream is cut into batches.
        """
        place = self._place_of(sequence)
        slot = place % self._owners.shape[0]
        if self.gone(sequence, upto) or self._owners[slot] != sequence:
            return None
        vector: Float = self.ring[slot].astype(np.float64)
        return Kept(vector, 1.0 / float(self._shares[slot]), *self._about[slot].tolist())

    def weigh(self, sequences: Int64, share: float) -> None:
        """Newly put transactions stand for 1/share as many: the others of their kind have no outcome."""
        for sequence in sequences.tolist():
            slot = self._place_of(sequence) % self._owners.shape[0]
            if self._owners[slot] == sequence:
                self._shares[slot] *= np.float32(share)

    def gone(self, sequence: int, upto: int) -> bool:
        """True when newer vectors took the place of this one."""
        return self._place_of(upto) - self._place_of(sequence) > self.capacity - MAX_BATCH

    def _place_of(self, sequence: int) -> int:
        if sequence >= self._taken:
            return int(self._state[_NEXT])
        return int(self._places[sequence % self._places.shape[0]])

    @property
    def _taken(self) -> int:
        return int(self._state[_TAKEN])

    def _room(self, rows: int, width: int) -> npt.NDArray[np.float32]:
        if self._directory is None:
            return np.zeros((rows, width), dtype=np.float32)
        # No name: it is gone with the process, and what must outlive that is in the checkpoint.
        with tempfile.TemporaryFile(dir=self._directory) as file:
            try:
                # Places without room behind them would end the process by a signal when they are written to.
                _allocate(file.fileno(), rows * width * 4)
            except OSError as error:
                raise SnapshotError(
                    f"{self._directory}: {error.strerror}: no room for {rows} vectors that wait for their outcome. Make "
                    "room there; the flow goes on from its checkpoint"
                ) from None
            return np.memmap(file, dtype=np.float32, mode="r+", shape=(rows, width))

    def _grow(self, transactions: int) -> None:
        most = self._places.shape[0] - MAX_BATCH
        if transactions > most and most < self._transactions:
            while most < transactions:
                most *= 2
            self._places = grown(self._places, min(most, self._transactions) + MAX_BATCH)
        # At most one vector a transaction; nothing was overwritten while the ring still grows.
        size, wanted = self.ring.shape[0], int(self._state[_NEXT]) + transactions - self._taken
        if wanted <= size or size >= self._most:
            return
        while size < wanted:
            size *= 2
        size = min(size, self._most)
        ring = self._room(size, self.ring.shape[1])
        ring[: self.ring.shape[0]] = self.ring
        self.ring = ring
        self._owners, self._shares = grown(self._owners, size, -1), grown(self._shares, size, 1)
        self._about = grown(self._about, size)

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {
            "ring": self.ring, "places": self._places, "owners": self._owners, "shares": self._shares,
            "state": self._state, "share": self._share, "about": self._about,
        }  # fmt: skip

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.ring = self._room(*arrays["ring"].shape)
        self.ring[:] = arrays["ring"]
        self._places, self._owners = np.array(arrays["places"]), np.array(arrays["owners"])
        self._shares, self._share = np.array(arrays["shares"]), np.array(arrays["share"])
        self._about, self._state = np.array(arrays["about"]), np.array(arrays["state"])
