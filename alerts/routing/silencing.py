"""Silences and requests to send again, in the store: what people ask of the router, audited in the same step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from alerts import rights
from alerts.audit_trail import arguments_of
from alerts.custody.audit import AuditEntry
from alerts.redis_scripts import RedisScripts
from alerts.routing.keeping import Resend
from alerts.routing.silence import Silence
from models.errors import RefusedError

KEEP_ENDED_MS = 7 * 24 * 3600 * 1000
"""How long a silence that ended is still listed."""
_TRIES = 10


class _Asking:
    """What both stores share: read the entry that is there, and swap it for another one, audited."""

    _entry: Callable[[str, str], bytes | None]
    _swap_entry: Callable[[str, str, bytes | None, bytes | None, AuditEntry], bool]
    _entries: Callable[[str], Sequence[bytes]]

    def silences(self) -> list[Silence]:
        """Those that hold, are planned, or ended lately; the first to end first."""
        found = [msgspec.json.decode(kept, type=Silence) for kept in self._entries("silences")]
        return sorted(found, key=lambda s: (s.ends_at, s.id))

    def add_silence(self, silence: Silence, role: str) -> None:
        """Put a silence in force; the same one again changes nothing. Raises RefusedError for rights."""
        rights.require(role, "silence.add")
        entry = AuditEntry(
            silence.actor, role, "added", "silence", silence.id, silence.created_at, silence.reason[:1000],
            after=msgspec.to_builtins(silence),
        )  # fmt: skip
        self._swap_entry("silences", silence.id, None, msgspec.json.encode(silence), entry)

    def expire_silence(self, id_: str, actor: str, role: str, reason: str, now: int) -> bool:
        """End a silence now; False: there is none, or it has ended. Raises RefusedError for rights."""
        rights.require(role, "silence.expire")
        for _ in range(_TRIES):
            kept = self._entry("silences", id_)
            silence = None if kept is None else msgspec.json.decode(kept, type=Silence)
            if silence is None or silence.ends_at <= now:
                return False
            after = msgspec.structs.replace(
                silence, ends_at=now, starts_at=min(silence.starts_at, now), ended_by=actor
            )
            facts = ({"ends_at": silence.ends_at}, {"ends_at": now})
            entry = AuditEntry(actor, role, "expired", "silence", id_, now, reason, *facts)
            if self._swap_entry("silences", id_, kept, msgspec.json.encode(after), entry):
                return True
        raise RefusedError(
            f"silence {id_} keeps changing: try again in a moment", zh=f"静默 {id_} 正在变更，请稍后重试"
        )

    def ask_resend(self, message_id: str, actor: str, role: str, reason: str, now: int) -> None:
        """Have the sender send a message again under its id. Raises RefusedError for rights or without a reason."""
        rights.require(role, "delivery.resend")
        if not reason.strip():
            raise RefusedError(
                "resend: give the reason; it is kept in the audit trail",
                zh="重发：请填写理由，理由将写入审计记录",
            )
        asked = msgspec.json.encode(Resend(message_id=message_id, actor=actor, reason=reason, at=now))
        entry = AuditEntry(actor, role, "resent", "message", message_id, now, reason)
        self._swap_entry("resends", message_id, self._entry("resends", message_id), asked, entry)

    def resends(self) -> list[Resend]:
        """What was asked for and not taken up yet, oldest first."""
        found = [msgspec.json.decode(kept, type=Resend) for kept in self._entries("resends")]
        return sorted(found, key=lambda r: (r.at, r.message_id))


class MemoryAsking(_Asking):
    """See alerts.routing.keeping."""

    _lock: threading.RLock
    _recorded: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, dict[str, bytes]] = {"silences": {}, "resends": {}}

    def _entry(self, hash_: str, key: str) -> bytes | None:
        return self._asked[hash_].get(key)

    def _entries(self, hash_: str) -> Sequence[bytes]:
        with self._lock:
            return list(self._asked[hash_].values())

    def _swap_entry(
        self, hash_: str, key: str, before: bytes | None, after: bytes | None, entry: AuditEntry
    ) -> bool:
        with self._lock:
            if self._asked[hash_].get(key) != before:
                return False
            if after is None:
                del self._asked[hash_][key]
            else:
                self._asked[hash_][key] = after
            self._recorded(entry, None)
            return True

    def drop_asked(self, silences: Sequence[str], resends: Sequence[str]) -> None:
        with self._lock:
            for hash_, keys in (("silences", silences), ("resends", resends)):
                for key in keys:
                    self._asked[hash_].pop(key, None)


class RedisAsking(_Asking, RedisScripts):
    """The same in the store. Keys: `silences`, `resends` (hashes: id → JSON)."""

    def _entry(self, hash_: str, key: str) -> bytes | None:
        kept: bytes | None = self._one("HGET", self._key(hash_), key)
        return kept

    def _entries(self, hash_: str) -> Sequence[bytes]:
        return list(self._one("HGETALL", self._key(hash_)).values())

    def _swap_entry(
        self, hash_: str, key: str, before: bytes | None, after: bytes | None, entry: AuditEntry
    ) -> bool:
        answer: bytes = self._run("swap", [hash_, key, before or b"", after or b"", *arguments_of(entry)])
        return answer == b"ok"

    def drop_asked(self, silences: Sequence[str], resends: Sequence[str]) -> None:
        pairs = ((self._key("silences"), silences), (self._key("resends"), resends))
        self._many([("HDEL", key, *ids) for key, ids in pairs if ids])
