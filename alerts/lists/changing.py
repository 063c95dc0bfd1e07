"""People change the lists: rights, checks, the Control events, the audit entries. The command line and the console alike.

Entries travel in Control events of limited size, so a large change is several; each is whole by itself, and a change
that is broken off half-way can simply be made again: what is there already is put there once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.lists.kept import KeepsLists, Kept
from models.clear_data import find_clear
from models.errors import StoreError
from models.events import Control, Heartbeat
from models.lists import Key, Listed, Named

CHUNK_BYTES = 20 * 1024
"""Of entries in one Control event: it and its audit entry must each stay within their limits."""
KIND = "list"


class ListStore(KeepsLists, Protocol):
    """What is needed of a store."""

    def stream_time(self) -> int: ...
    def wait_durable(self, timeout_ms: int = 5000) -> None: ...


def add_entries(
    store: ListStore, entries: Sequence[Listed], *, actor: str, role: str, now: int, reason: str = "",
    action: str = "added", hashes: Mapping[Key, dict[str, str]] | None = None,
) -> int:  # fmt: skip
    """Put entries on the lists, on disk when this returns; how many there were.

    now: the wall clock, ms. Raises RefusedError for the role, and when an entry by law would be weakened by somebody who
    may not; StoreError for text that is personal data in the clear.
    """
    before = {one.entry.key: one.entry for one in store.kept_lists()}
    for entry in entries:
        old = before.get(entry.key)
        by_law = entry.basis == "law" or (old is not None and old.basis == "law")
        rights.require(role, f"lists.{'law' if by_law else 'allow' if entry.list == 'allow' else 'add'}")
        _without_clear_data(entry)
    return put_entries(
        store, entries, actor=actor, role=role, now=now, reason=reason, action=action, hashes=hashes
    )


def put_entries(
    store: ListStore, entries: Sequence[Listed], *, actor: str, role: str, now: int, reason: str = "",
    action: str = "added", hashes: Mapping[Key, dict[str, str]] | None = None,
) -> int:  # fmt: skip
    """The same for whom nobody has to ask: an import that was allowed, a value that was recognised."""
    if not entries:
        return 0
    before = {one.entry.key: one.entry for one in store.kept_lists()}
    named = hashes or {}
    unique = list({entry.key: entry for entry in entries}.values())
    at = store.stream_time() or now
    over = [key for key, entry in before.items() if entry.over(at)]
    for part in _parts(unique):
        put = [Kept(entry=one, added_by=actor, added_at=now, hashes=named.get(one.key, {})) for one in part]
        facts = [msgspec.to_builtins(one) for one in part]
        event = _control({"add": facts}, actor, reason or part[0].reason, at, now)
        record = AuditEntry(
            actor, role, action, KIND, _name(part[0].key, len(part), event), now, reason or part[0].reason,
            before=_facts([before[one.key] for one in part if one.key in before]), after={"entries": facts},
        )  # fmt: skip
        store.change_lists(event, record, put, over)
        over = []
    store.wait_durable()
    return len(unique)


def remove_entries(
    store: ListStore, keys: Sequence[Key], *, actor: str, role: str, now: int, reason: str,
    right: str = "lists.remove",
) -> int:  # fmt: skip
    """Take entries off the lists, on disk when this returns. RefusedError for the role, StoreError for what is not there.

    right: what it takes for an entry that does not rest on the law.
    """
    if not reason.strip():
        raise StoreError(
            "say why the entry goes: it stands in the audit chain", zh="请说明移除理由：将写入审计记录"
        )
    before = {one.entry.key: one.entry for one in store.kept_lists()}
    for key in keys:
        entry = before.get(key)
        if entry is None:
            raise StoreError(
                f"{' '.join(key)} is on no list: `tidegate lists show` has what is",
                zh=f"{' '.join(key)} 不在任何名单上",
            )
        rights.require(role, "lists.law" if entry.basis == "law" else right)
    at = store.stream_time() or now
    for part in _parts([before[key] for key in dict.fromkeys(keys)]):
        named = [msgspec.to_builtins(Named(one.list, one.entity, one.token)) for one in part]
        event = _control({"remove": named}, actor, reason, at, now)
        name = _name(part[0].key, len(part), event)
        record = AuditEntry(actor, role, "removed", KIND, name, now, reason.strip(), before=_facts(part))
        store.change_lists(event, record, [], [one.key for one in part])
    store.wait_durable()
    return len(keys)


def in_force(store: ListStore, now: int) -> list[Kept]:
    """The entries whose time is not over, by the stream's clock (the wall's where there is no stream yet)."""
    at = store.stream_time() or now
    return [one for one in store.kept_lists() if not one.entry.over(at)]


def _control(payload: dict[str, object], actor: str, reason: str, at: int, now: int) -> Control:
    body = msgspec.json.encode(payload)
    version = hashlib.sha256(b"%d\x1f%b" % (now, body)).hexdigest()[:16]
    return Control(
        id=f"lists-{version}", event_time=at, received_at=at, kind="lists", version=version, actor=actor,
        reason=reason.strip()[:256], payload=msgspec.Raw(body),
    )  # fmt: skip


def _parts(entries: Sequence[Listed]) -> Iterator[list[Listed]]:
    part: list[Listed] = []
    size = 0
    for entry in entries:
        more = len(msgspec.json.encode(entry))
        if part and size + more > CHUNK_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += more
    if part:
        yield part


def _name(first: Key, count: int, event: Control) -> str:
    return ":".join(first) if count == 1 else f"{count} entries, {event.version}"


def _facts(entries: Sequence[Listed]) -> dict[str, object] | None:
    """What stood there before, without the texts where they are many: the chain has them where they were added."""
    if not entries:
        return None
    if len(entries) == 1:
        return {"entries": [msgspec.to_builtins(entries[0])]}
    return {"keys": [":".join(entry.key) for entry in entries]}


def _without_clear_data(entry: Listed) -> None:
    for name in ("token", "source", "reason"):
        text = getattr(entry, name)
        found = find_clear(Heartbeat(id="list", event_time=0, received_at=0, component=text))
        if found is not None:
            what = found.partition(" - at ")[0]
            raise StoreError(
                f"{name} of the entry is {what}: give clear values with --value, so that only their token is kept",
                zh=f"条目的 {name} 含明文个人数据：请只填写标识（token）",
            )
