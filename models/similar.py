"""Similar confirmed frauds: the ones that fall into the same leaves of the trees in force as the case at hand.

Two payments are near when the trees decide them for the same reasons: their nearness is the share of trees in which
both end in the same leaf (the proximity of Breiman, "Random Forests", Machine Learning 45, 2001; for explanations see
Tan et al., "Tree Space Prototypes", FODS 2020). It needs no scale for 131 features of different kinds, and a new
model brings its own nearness: leaves are looked up anew for each snapshot, nothing of it is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from models.columns import Float
from models.errors import SnapshotError
from models.kernels import kernel
from models.serving import Snapshot
from models.snapshot import decode

Float32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
KEPT = 2000
"""Frauds remembered: 131 features of 4 bytes each, about 1 MB."""


class ConfirmedFraud(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A payment whose label said fraud, as it was when it was decided.

    key: its number in the stream. vector: float32 little-endian, in the order of the feature catalogue. id: of the
    transaction, a pseudonym; empty, with time 0, where its decision is no longer kept. amount in US dollars.
    """

    key: int
    vector: bytes
    amount_usd: float
    id: str = ""
    time: int = 0
    corridor: str = ""


class SimilarFraud(msgspec.Struct, frozen=True, gc=False):
    """A remembered fraud and how far it is: the share of trees that tell the two apart, 0 (none) to 1 (all)."""

    fraud: ConfirmedFraud
    distance: float
    trees: int


def packed(vector: Float) -> bytes:
    """The vector as ConfirmedFraud holds it."""
    return np.asarray(vector, dtype="<f4").tobytes()


def unpacked(fraud: ConfirmedFraud, features: int) -> Float:
    """The vector [features] of a fraud; raises SnapshotError when it was made with another catalogue."""
    found = np.frombuffer(fraud.vector, dtype="<f4") if len(fraud.vector) % 4 == 0 else np.empty(0)
    if found.shape[0] != features:
        raise SnapshotError(
            f"fraud {fraud.id or fraud.key}: {len(fraud.vector)} bytes are no vector of {features} features; "
            "it was kept by another version of the catalogue"
        )
    return found.astype(np.float64)


class FraudMemory:
    """The newest confirmed frauds, at most `kept`. Labels that are corrected take their payment out again."""

    def __init__(self, kept: int = KEPT) -> None:
        if kept < 1:
            raise ValueError(f"kept is {kept}: remember at least one fraud")
        self._kept = kept
        self._frauds: OrderedDict[int, ConfirmedFraud] = OrderedDict()

    def __len__(self) -> int:
        return len(self._frauds)

    def frauds(self) -> list[ConfirmedFraud]:
        """All that is remembered, oldest first."""
        return list(self._frauds.values())

    def feed(self, frauds: Iterable[ConfirmedFraud], cleared: Iterable[int] = ()) -> None:
        """Remember frauds in the order their labels came; forget the keys in `cleared`, which proved good.

        A key given again takes its newest place. A key must not be in both: an example says one thing at a time.
        """
        for key in cleared:
            self._frauds.pop(key, None)
        for fraud in frauds:
            self._frauds.pop(fraud.key, None)
            self._frauds[fraud.key] = fraud
        while len(self._frauds) > self._kept:
            self._frauds.popitem(last=False)


@kernel
def _leaves(
    rows: Float,
    roots: Ints,
    feature: Ints,
    threshold: Float,
    left: Ints,
    right: Ints,
    missing_left: Ints,
    out: Ints,
) -> None:
    for i in range(rows.shape[0]):
        for t in range(roots.shape[0]):
            node = roots[t]
            while feature[node] >= 0:
                x = rows[i, feature[node]]
                go_left = x <= threshold[node] if np.isfinite(x) else missing_left[node] == 1
                node = left[node] if go_left else right[node]
            out[i, t] = node


def leaves(snapshot: Snapshot, rows: Float) -> Ints:
    """Leaf of each row [n, F] in every tree of the snapshot that has a split, [n, T]: boosted trees, then the forest.

    A tree of one leaf tells nothing apart and is left out. Raises SnapshotError when the rows do not fit.
    """
    if rows.ndim != 2 or rows.shape[1] != len(snapshot.features):
        raise SnapshotError(
            f"model snapshot {snapshot.version} has {len(snapshot.features)} features, the rows are {rows.shape}: "
            "use a snapshot learnt with this feature catalogue"
        )
    # Vectors wait for their label as 32-bit floats: the case is cut as they were, or it would part from its own copy.
    rows = np.ascontiguousarray(rows.astype(np.float32).astype(np.float64))
    body = decode(snapshot.data)
    parts = []
    for trees in (body.boosted, body.forest):
        splitting = trees.roots[trees.feature[trees.roots] >= 0] if len(trees.roots) else trees.roots
        out = np.empty((rows.shape[0], len(splitting)), dtype=np.int32)
        _leaves(
            rows, splitting, trees.feature, trees.threshold, trees.left, trees.right, trees.missing_left, out
        )
        parts.append(out)
    return np.concatenate(parts, axis=1)


def nearest(
    snapshot: Snapshot, row: Float, frauds: list[ConfirmedFraud], count: int = 5, own: str = ""
) -> list[SimilarFraud]:
    """The `count` frauds nearest to a vector row [F], nearest first, the newer of two equally near ones first.

    own: id of the case itself, which is no evidence for itself. A snapshot without a tree that splits gives none: it
    cannot tell near from far. Frauds that share no leaf with the case are left out; so are those that another
    version of the catalogue kept.
    """
    features = len(snapshot.features)
    others = [f for f in frauds if len(f.vector) == 4 * features and not (own and f.id == own)]
    if not others or count < 1:
        return []
    rows = np.stack([row, *(unpacked(fraud, features) for fraud in others)])
    at = leaves(snapshot, rows)
    if at.shape[1] == 0:
        return []
    distances = np.mean(at[1:] != at[0], axis=1)
    order = np.lexsort((-np.arange(len(others)), distances))[:count]
    return [
        SimilarFraud(others[i], float(distances[i]), at.shape[1])
        for i in order.tolist()
        if distances[i] < 1.0
    ]
