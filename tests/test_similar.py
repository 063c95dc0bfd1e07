"""Similar confirmed frauds: nearness by leaves against a plain walk, the memory's bounds, changes of model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models import similar
from models.columns import Float
from models.compiled import Forest
from models.errors import SnapshotError
from models.learners import OnlineLearner
from models.serving import Snapshot, untrained_body
from models.similar import ConfirmedFraud, FraudMemory, leaves, nearest, packed
from models.snapshot import SnapshotBody, decode, encode

FEATURES = tuple(f"f{n}" for n in range(6))


def fraud_of(key: int, vector: Float, name: str | None = None) -> ConfirmedFraud:
    return ConfirmedFraud(
        key=key, vector=packed(vector), amount_usd=10.0 * key, id=f"tx-{key}" if name is None else name, time=1000 + key
    )  # fmt: skip


def learnt(seed: int) -> Snapshot:
    rng = np.random.default_rng(seed)
    learner = OnlineLearner(FEATURES, seed=seed)
    for key in range(1200):
        row = rng.normal(size=len(FEATURES))
        row[rng.random(len(FEATURES)) < 0.1] = np.nan
        fraud = bool(np.nan_to_num(row[0]) + seed * np.nan_to_num(row[1]) > 1.2)
        learner.learn(row, fraud, key=key)
    return Snapshot.from_bytes(learner.snapshot())


@pytest.fixture(scope="module")
def snapshots() -> tuple[Snapshot, Snapshot]:
    return learnt(1), learnt(2)


def plain_leaves(body: SnapshotBody, row: Float) -> list[int]:
    """Leaves by a walk that shares nothing with the kernel."""
    found = []
    for trees in (body.boosted, body.forest):
        for root in trees.roots.tolist():
            if trees.feature[root] < 0:
                continue
            node = root
            while trees.feature[node] >= 0:
                x = float(row[trees.feature[node]])
                left = bool(trees.missing_left[node]) if math.isnan(x) else x <= float(trees.threshold[node])
                node = int(trees.left[node] if left else trees.right[node])
            found.append(node)
    return found


def drawn(count: int, seed: int = 5) -> list[ConfirmedFraud]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(FEATURES)))
    rows[rng.random(rows.shape) < 0.15] = np.nan
    return [fraud_of(key, row) for key, row in enumerate(rows)]


def test_distances_are_shares_of_trees_and_the_nearest_come_first(
    snapshots: tuple[Snapshot, Snapshot],
) -> None:
    frauds = drawn(300)
    row = np.array([1.5, 0.2, np.nan, -0.4, 0.0, 2.0])
    for snapshot in snapshots:
        body = decode(snapshot.data)
        case = plain_leaves(body, row.astype(np.float32))
        wanted = []
        for fraud in frauds:
            there = plain_leaves(body, similar.unpacked(fraud, len(FEATURES)))
            apart = sum(a != b for a, b in zip(case, there, strict=True)) / len(case)
            wanted.append((apart, -fraud.key))
        found = nearest(snapshot, row, frauds, 7)
        assert [(f.distance, -f.fraud.key) for f in found] == sorted(wanted)[:7]
        assert {f.trees for f in found} == {len(case)}
        assert len(case) > 100


def test_another_model_brings_another_nearness(snapshots: tuple[Snapshot, Snapshot]) -> None:
    frauds, row = drawn(300), np.full(len(FEATURES), 0.9)
    one, other = (nearest(snapshot, row, frauds, 20) for snapshot in snapshots)
    assert [f.fraud.key for f in one] != [f.fraud.key for f in other]


def test_the_same_payment_is_at_distance_nought_and_may_be_left_out(
    snapshots: tuple[Snapshot, Snapshot],
) -> None:
    # Not a 32-bit number: the copy that waited for its label is cut.
    row = np.array([math.pi, 1 / 3, np.nan, -math.e, 1e-7, 2.0])
    frauds = [*drawn(50), fraud_of(99, row)]
    first = nearest(snapshots[0], row, frauds, 1)[0]
    assert (first.fraud.id, first.distance) == ("tx-99", 0.0)
    assert all(f.fraud.id != "tx-99" for f in nearest(snapshots[0], row, frauds, 50, own="tx-99"))
    # Two frauds without an id are not each other.
    nameless = [fraud_of(1, row, name=""), fraud_of(2, row, name="")]
    assert [f.fraud.key for f in nearest(snapshots[0], row, nameless, 5, own="")] == [2, 1]


def test_what_shares_no_leaf_is_not_similar() -> None:
    one_split = Forest(
        roots=np.array([0, 3], dtype=np.int32),
        feature=np.array([0, -1, -1, -1], dtype=np.int32),
        threshold=np.zeros(4),
        left=np.array([1, -1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1, -1], dtype=np.int32),
        missing_left=np.array([1, 0, 0, 0], dtype=np.int32),
        value=np.zeros(4),
    )
    from msgspec.structs import replace

    snapshot = Snapshot.from_bytes(encode(replace(untrained_body(FEATURES, 0.01), boosted=one_split)))
    below, above = np.full(6, -1.0), np.full(6, 1.0)
    found = nearest(
        snapshot, below, [fraud_of(1, above), fraud_of(2, below), fraud_of(3, np.full(6, np.nan))]
    )
    # The tree of one leaf does not count, and a missing value goes where the tree sends it.
    assert [(f.fraud.key, f.distance, f.trees) for f in found] == [(3, 0.0, 1), (2, 0.0, 1)]


def test_a_model_without_trees_and_an_empty_memory_give_none(snapshots: tuple[Snapshot, Snapshot]) -> None:
    row = np.zeros(len(FEATURES))
    assert nearest(Snapshot.untrained(FEATURES), row, drawn(5)) == []
    assert nearest(snapshots[0], row, []) == []
    assert nearest(snapshots[0], row, drawn(5), count=0) == []


def test_vectors_of_another_catalogue_are_passed_over_or_refused(
    snapshots: tuple[Snapshot, Snapshot],
) -> None:
    old = fraud_of(1, np.zeros(5))
    assert nearest(snapshots[0], np.zeros(6), [old]) == []
    with pytest.raises(SnapshotError, match="20 bytes are no vector of 6 features"):
        similar.unpacked(old, 6)
    with pytest.raises(SnapshotError, match="no vector of 6"):
        similar.unpacked(ConfirmedFraud(key=1, vector=b"abc", amount_usd=1.0), 6)
    with pytest.raises(SnapshotError, match="6 features, the rows are"):
        leaves(snapshots[0], np.zeros((2, 5)))


def test_the_memory_keeps_the_newest_and_forgets_what_proved_good() -> None:
    memory = FraudMemory(kept=3)
    frauds = drawn(6)
    memory.feed(frauds[:3])
    memory.feed([], cleared=[1, 77])
    assert [f.key for f in memory.frauds()] == [0, 2]
    memory.feed([frauds[0], frauds[4], frauds[5]])
    assert [f.key for f in memory.frauds()] == [0, 4, 5]
    assert len(memory) == 3
    with pytest.raises(ValueError, match="at least one"):
        FraudMemory(0)
