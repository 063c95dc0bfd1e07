"""The ring of waiting vectors: the newest stay, a full ring samples by hash, weights undo it, disk is as memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.hashing import hash_texts
from models.vectors import MAX_BATCH, Vectors

ROOM = 4000
KEYS = hash_texts([f"payment-{i}" for i in range(60_000)])


def rows_of(sequences: np.ndarray) -> np.ndarray:
    return np.stack([sequences, -sequences], axis=1).astype(np.float64)


def filled(vectors: Vectors, n: int, horizon: int, batch: int = 700) -> Vectors:
    """n payments, each open until `horizon` more have come."""
    for start in range(0, n, batch):
        sequences = np.arange(start, min(start + batch, n))
        settled = np.maximum(sequences + 1 - horizon, 0)
        vectors.put(sequences, KEYS[sequences], settled, rows_of(sequences))
    return vectors


def ring(directory: Path | None = None) -> Vectors:
    return Vectors(ROOM + MAX_BATCH, 2, 100_000, directory)


def held(vectors: Vectors, n: int) -> dict[int, float]:
    """Weight by sequence of what is still there."""
    found = {}
    for sequence in range(n):
        kept = vectors.get(sequence, n)
        if kept is not None:
            assert kept.vector.tolist() == [sequence, -sequence]
            found[sequence] = kept.weight
    return found


def test_within_the_budget_every_open_one_is_kept_and_weighs_one() -> None:
    vectors = filled(ring(), 30_000, 2000)
    there = held(vectors, 30_000)
    assert set(range(28_000, 30_000)) <= set(there)
    assert set(there.values()) == {1.0}
    assert vectors.gone(20_000, 30_000)
    assert not vectors.gone(29_000, 30_000)


def test_over_the_budget_a_share_by_hash_is_kept_and_its_weights_stand_for_all() -> None:
    n, horizon = 60_000, 20_000
    vectors = filled(ring(), n, horizon)
    assert vectors.share < 0.5
    there = held(vectors, n)
    still_open = {s: w for s, w in there.items() if s >= n - horizon}
    assert not any(vectors.gone(s, n) for s in range(n - horizon, n)), "an open outcome lost its place"
    assert sum(still_open.values()) == pytest.approx(horizon, rel=0.08)
    # The budget is used, not just respected.
    assert len(still_open) > 0.25 * ROOM


def test_the_share_comes_back_when_the_pressure_is_gone() -> None:
    vectors = filled(ring(), 40_000, 20_000)
    pressed = vectors.share
    for start in range(40_000, 60_000, 500):
        sequences = np.arange(start, start + 500)
        vectors.put(sequences, KEYS[sequences], sequences + 1 - 300, rows_of(sequences))
    assert pressed < 0.5
    assert vectors.share == 1.0


@pytest.mark.parametrize("batch", [1, 33, MAX_BATCH])
def test_nothing_depends_on_the_batch_size(batch: int) -> None:
    one, other = filled(ring(), 25_000, 9_000), filled(ring(), 25_000, 9_000, batch)
    assert held(one, 25_000) == held(other, 25_000)


def test_on_disk_and_from_a_checkpoint_it_is_the_same(tmp_path: Path) -> None:
    memory, disk = filled(ring(), 20_000, 9_000), filled(ring(tmp_path), 20_000, 9_000)
    restored = ring(tmp_path)
    restored.restore({name: np.array(array) for name, array in disk.arrays().items()})
    assert held(memory, 20_000) == held(disk, 20_000) == held(restored, 20_000)
    assert list(tmp_path.iterdir()) == []
    for vectors in (memory, restored):
        sequences = np.arange(20_000, 21_000)
        vectors.put(sequences, KEYS[sequences], sequences - 5000, rows_of(sequences))
    assert held(memory, 21_000) == held(restored, 21_000)


def test_explored_payments_count_for_those_that_were_not() -> None:
    vectors = filled(ring(), 100, 1000)
    vectors.weigh(np.array([3, 5]), 0.25)
    there = held(vectors, 100)
    assert (there[3], there[4], there[5]) == (4.0, 1.0, 4.0)
