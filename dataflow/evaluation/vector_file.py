"""The feature vectors of a run, kept on disk for models that are fitted offline after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType

import numpy as np
import numpy.typing as npt

from dataflow.evaluation.protocol import Flags, Ints
from models.columns import Float

Float32 = npt.NDArray[np.float32]
CHUNK = 65_536
"""Rows read at once; with 130 features 34 MB."""


class VectorFile:
    """The vectors of a run in stream order, float32 in an unnamed file of rows × features × 4 bytes on disk."""

    def __init__(self, features: int) -> None:
        self.features = features
        self._file = tempfile.TemporaryFile(prefix="tidegate-vectors-")  # noqa: SIM115  closed by __exit__
        self.rows = 0

    def __enter__(self) -> VectorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, vectors: Float) -> None:
        """Append the vectors of a batch, [n, F]."""
        self._file.write(np.ascontiguousarray(vectors, dtype=np.float32).tobytes())
        self.rows += len(vectors)

    def batches(self, rows: Flags, columns: Sequence[int] | None = None) -> Iterator[tuple[Ints, Float32]]:
        """The chosen rows in order, in parts: their numbers and vectors [m, columns]; columns None: all of them."""
        if len(rows) != self.rows:
            raise ValueError(f"{len(rows)} flags for {self.rows} rows of vectors: give one a row")
        self._file.flush()
        chosen = slice(None) if columns is None else list(columns)
        for start in range(0, self.rows, CHUNK):
            wanted = np.flatnonzero(rows[start : start + CHUNK])
            if not len(wanted):
                continue
            first, last = int(wanted[0]), int(wanted[-1])
            self._file.seek((start + first) * self.features * 4)
            data = self._file.read((last + 1 - first) * self.features * 4)
            part = np.frombuffer(data, dtype=np.float32).reshape(-1, self.features)
            yield start + wanted, part[wanted - first][:, chosen]

    @cached_property
    def telling(self) -> Flags:
        """[F], True for each feature that is not one and the same (or missing) in every row."""
        low, high = np.full(self.features, np.inf), np.full(self.features, -np.inf)
        present = np.zeros(self.features, dtype=np.int64)
        for _, part in self.batches(np.ones(self.rows, dtype=np.bool_)):
            there = ~np.isnan(part)
            present += there.sum(axis=0)
            low = np.minimum(low, np.where(there, part, np.inf).min(axis=0))
            high = np.maximum(high, np.where(there, part, -np.inf).max(axis=0))
        found: Flags = (low < high) | ((present > 0) & (present < self.rows))
        return found
