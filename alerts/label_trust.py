"""An operator's trust in a source of labels: the Control event that ends a surge (models/poisoning.py), its checks."""

from __future__ import annotations

import hashlib

from alerts.champion_choice import told_by
from alerts.custody.audit import AuditEntry
from alerts.rights import require
from alerts.store import Store
from models.errors import SettingsError
from models.events import Control

MOST_NAME = 128
"""Characters of an event's version."""


def trust_labels(store: Store, name: str, actor: str, role: str, reason: str, now: int) -> str:
    """Put the trust into the control lane and the audit chain, on disk when this returns; its place in the lane.

    name: as the report tells it, `actor:alice`. now: the wall clock, ms. Raises RefusedError for a role that may not,
    SettingsError for a source that learning does not hold back, StoreError when it could not be written.
    """
    require(role, "model.trust")
    actor, reason = told_by(actor, reason)
    report = store.learner_report()
    surges = [] if report is None else report.surges
    states = {f"{surge.kind}:{surge.name}": surge.state for surge in surges}
    if name not in states:
        raise SettingsError(
            f"learning from {name!r} is normal: what is held back now is {', '.join(sorted(states)) or 'nothing'}",
            zh=f"{name!r} 的学习正常：当前受限的有 {', '.join(sorted(states)) or '无'}",
        )
    if len(name) > MOST_NAME:
        raise SettingsError(
            f"{name!r} is too long to be named in an event: at most {MOST_NAME} characters",
            zh=f"{name!r} 过长，最多 {MOST_NAME} 个字符",
        )
    at = store.stream_time() or now
    # The name alone may fill an id.
    event = Control(
        id=f"trust-{hashlib.sha256(name.encode()).hexdigest()[:16]}-{now}", event_time=at, received_at=at,
        kind="trust", version=name, actor=actor, reason=reason,
    )  # fmt: skip
    entry = AuditEntry(actor, role, "trusted", "labels", name, now, reason, before={"learning": states[name]})
    place = store.send_control(event, entry)
    store.wait_durable()
    return place
