"""Confirmed frauds like a payment: looked for with the model the payment was decided with."""

from __future__ import annotations

import numpy as np

from alerts.custody.signing import SIGNATURE_BYTES
from alerts.store import Store
from models.decision import Decision
from models.errors import SnapshotError
from models.features import for_models
from models.serving import Snapshot
from models.similar import SimilarFraud, nearest


def lookalikes(store: Store, decision: Decision) -> list[SimilarFraud] | None:
    """Nearest first; None: its features or its model are not kept."""
    features = decision.features
    snapshot = None if features is None else _snapshot(store, decision.versions.model)
    if features is None or snapshot is None or features.keys() != set(snapshot.features):
        return None
    row = np.array(
        [[np.nan if features[name] is None else features[name] for name in snapshot.features]],
        dtype=np.float64,
    )
    return nearest(snapshot, for_models(row)[0], store.confirmed_frauds(), own=decision.id)


def _snapshot(store: Store, version: str) -> Snapshot | None:
    """The model a decision was made with; None when it is not kept, or is not what its name says."""
    data = store.artefact(version)
    if data is None:
        return None
    try:
        found = Snapshot.from_bytes(data[SIGNATURE_BYTES:])
    except SnapshotError:
        return None
    return found if found.version == version else None
