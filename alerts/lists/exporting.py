"""Giving out our own entries as shared indicators; audited."""

from __future__ import annotations

import hashlib

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.lists.changing import KIND
from alerts.lists.exchange import Exchange, shareable, written
from alerts.store import Store


def export_shared(
    store: Store, exchange: Exchange, *, actor: str, role: str, now: int
) -> tuple[bytes, int, int]:
    """The file, how many indicators are in it, and how many entries have no hash of the exchange.

    An entry has one when its clear value was given while the exchange was in the settings, or when its token is an id
    that is the same for everybody. Raises RefusedError for the role.
    """
    rights.require(role, "lists.export")
    found, without = shareable(store.kept_lists(), exchange.name, store.stream_time() or now)
    data = written(exchange, found, now)
    facts = {"indicators": len(found), "without_hash": without, "sha256": hashlib.sha256(data).hexdigest()}
    store.append_audit(
        AuditEntry(actor, role, "exported", KIND, f"exchange {exchange.name}", now, after=facts)
    )
    store.wait_durable()
    return data, len(found), without
