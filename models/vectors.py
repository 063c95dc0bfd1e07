"""Feature vectors that wait for their label: a ring of the newest ones, as 32-bit floats.

A vector is learnt from as it was when the payment was decided; nothing is computed again when the label comes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.columns import Float
from models.entities import Arrays
from models.windows import Int64

MAX_BATCH = 4096


class Vectors:
    """Ring of `capacity` vectors of `width` features (4 bytes each), addressed by transaction sequence."""

    def __init__(self, capacity: int, width: int) -> None:
        if capacity <= MAX_BATCH:
            raise ValueError(f"the vector ring needs more than {MAX_BATCH} rows")
        self.capacity = capacity
        self.ring: npt.NDArray[np.float32] = np.zeros((min(capacity, 8192), width), dtype=np.float32)

    def put(self, sequences: Int64, rows: Float) -> None:
        """Keep the vectors of new transactions (sequences rise by one)."""
        if sequences.size == 0:
            return
        self._grow(int(sequences[-1]) + 1)
        self.ring[sequences % self.ring.shape[0]] = rows

    def get(self, sequence: int, upto: int) -> Float | None:
        """The vector of a transaction, None when it is gone; `upto` is the number of transactions so far.

        A margin of one batch keeps the answer independent of how the stream is cut into batches.
        """
        if upto - sequence > self.capacity - MAX_BATCH:
            return None
        vector: Float = self.ring[sequence % self.ring.shape[0]].astype(np.float64)
        return vector

    def _grow(self, wanted: int) -> None:
        size = self.ring.shape[0]
        if wanted <= size or size >= self.capacity:
            return
        while size < wanted:
            size *= 2
        grown = np.zeros((min(size, self.capacity), self.ring.shape[1]), dtype=np.float32)
        grown[: self.ring.shape[0]] = self.ring
        self.ring = grown

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"ring": self.ring}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.ring = np.array(arrays["ring"], dtype=np.float32)
