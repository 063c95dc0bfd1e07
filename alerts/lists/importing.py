"""Taking in a file of shared indicators: known values change at once, the others are awaited, revoked ones go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.lists.awaited import entry_of, listed_as, name_of
from alerts.lists.changing import KIND, put_entries, remove_entries
from alerts.lists.exchange import Exchange, ExchangeSettings, Indicator, read
from alerts.lists.kept import Kept
from alerts.store import Store
from models.lists import Key, Listed

FILES_LOOKED_AT = 20
HOUR_MS = 3_600_000


class Imported(NamedTuple):
    """known: entries that were put on our lists at once; awaited: until their value is seen; revoked: taken off.

    skipped: allow entries, and what is over already.
    """

    known: int
    awaited: int
    revoked: int
    skipped: int


def ages(store: Store, exchanges: Sequence[ExchangeSettings]) -> dict[str, int]:
    """How old the newest file of each exchange is, for a beat; see `lists_of` in alerts/response/signals.py.

    An exchange of which nothing was ever taken in is not told of: it is one that was just joined.
    """
    told: dict[str, int] = {}
    for one in exchanges:
        files = [
            int(entry.after["made_at"])
            for entry in store.audit_of(KIND, f"exchange {one.name}", FILES_LOOKED_AT)
            if entry.action == "imported" and entry.after is not None and "made_at" in entry.after
        ]
        if files and one.max_age_h:
            told[f"list_{one.name}_as_of"] = max(files)
            told[f"list_{one.name}_max_age_ms"] = int(one.max_age_h * HOUR_MS)
    return told


def import_shared(
    store: Store, exchange: Exchange, data: bytes, name: str, *, actor: str, role: str, now: int, block_from: int
) -> Imported:  # fmt: skip
    """Take a file of the exchange in; audited. Raises RefusedError for the role, StoreError for the file.

    name: what the file is called in errors. May be repeated: the same file again changes nothing.
    """
    rights.require(role, "lists.import")
    shared = read(exchange, data, name)
    mine: dict[str, list[Kept]] = {}
    for kept in store.kept_lists():
        if kept.entry.basis == "shared" and exchange.name in kept.hashes:
            mine.setdefault(kept.hashes[exchange.name], []).append(kept)
    entries: list[Listed] = []
    hashes: dict[Key, dict[str, str]] = {}
    wait: dict[str, bytes] = {}
    drop: list[str] = []
    gone: list[Key] = []
    skipped = 0
    at = store.stream_time() or now
    for one in shared.indicators:
        known = [k for k in mine.get(f"{one.form}:{one.hash}", []) if k.entry.entity == one.entity]
        listed = listed_as(one, block_from)
        if one.until == 0:
            drop.append(name_of(exchange.name, one))
            gone += [k.entry.key for k in known]
        elif listed is None or one.until < at:
            skipped += 1
        elif known:
            _renew(exchange.name, one, known, entries, hashes, gone, block_from)
        else:
            wait[name_of(exchange.name, one)] = msgspec.json.encode(one)
    gone = [key for key in dict.fromkeys(gone) if key not in hashes]
    told = Imported(len(entries), len(wait), len(gone), skipped)
    digest = hashlib.sha256(data).hexdigest()
    store.append_audit(
        AuditEntry(
            actor, role, "imported", KIND, f"exchange {exchange.name}", now, f"file of {shared.made_at}",
            after={**told._asdict(), "sha256": digest, "made_at": shared.made_at},
        )
    )  # fmt: skip
    put_entries(
        store, entries, actor=actor, role=role, now=now, action="imported", hashes=hashes,
        reason=f"shared through {exchange.name}",
    )  # fmt: skip
    if gone:
        remove_entries(
            store,
            gone,
            actor=actor,
            role=role,
            now=now,
            reason=f"revoked in {exchange.name}",
            right="lists.import",
        )
    store.await_indicators(wait, drop)
    store.wait_durable()
    return told


def _renew(
    exchange: str, one: Indicator, known: list[Kept], entries: list[Listed], hashes: dict[Key, dict[str, str]],
    gone: list[Key], block_from: int,
) -> None:  # fmt: skip
    """The entries that the same value has already, as the indicator says now."""
    listed = listed_as(one, block_from)
    assert listed is not None
    for kept in known:
        entry = entry_of(exchange, one, kept.entry.token, listed)
        if kept.entry.key != entry.key:
            gone.append(kept.entry.key)
        if kept.entry != entry:
            entries.append(entry)
            hashes[entry.key] = kept.hashes
