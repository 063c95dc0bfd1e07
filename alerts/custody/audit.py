"""The audit chain: who did what to which thing, when and why, in an order that nobody can change unseen.

Every entry is linked to the one before it by SHA-256: a link's hash covers the entry, its number and the hash of the
link before. Whoever holds the hash of one link from outside holds all links before it.

A link is hashed and exported as canonical JSON: keys sorted, no spaces, UTF-8 unescaped but for what JSON demands,
numbers as the shortest text that reads back as the same number (the scheme of RFC 8785 for what entries hold). One
link is one line:

    {"action":…,"actor":…,"after":…,"at":…,"before":…,"hash":…,"object_id":…,"object_kind":…,"previous":…,
     "reason":…,"role":…,"seq":…,"v":1}

where `hash` is the SHA-256 (hex) of the same line without `hash`, and `previous` of the first line is GENESIS.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from models.errors import CustodyError

GENESIS = hashlib.sha256(b"tidegate audit chain, version 1").hexdigest()
"""What the first link names as the hash before it."""
SYSTEM = "tidegate"
"""Actor and role of what no person did."""
MAX_BYTES = 32 * 1024
_LIMITS = {"actor": 128, "role": 64, "action": 64, "object_kind": 64, "object_id": 256, "reason": 1000}

Facts = dict[str, Any]
"""What an entry says of the thing before or after: JSON values by name. Tokens only, never clear personal data."""


class AuditEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action. at: ms since the epoch, by the clock of who recorded it.

    action: a verb in the past, as the object's life knows it (`resolved`, `declared`). before, after: the facts the
    action changed, None where there is nothing to tell. Raises CustodyError when it cannot be kept as it is.
    """

    actor: str
    role: str
    action: str
    object_kind: str
    object_id: str
    at: int
    reason: str = ""
    before: Facts | None = None
    after: Facts | None = None

    def __post_init__(self) -> None:
        for name, longest in _LIMITS.items():
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > longest or (not text and name != "reason"):
                raise CustodyError(
                    f"audit entry: {name} is a text of 1 to {longest} characters, not {text!r:.60}"
                )
        if isinstance(self.at, bool) or not isinstance(self.at, int):
            raise CustodyError(f"audit entry: at is a whole number of ms, not {self.at!r:.60}")
        size = len(canonical(msgspec.structs.asdict(self)))
        if size > MAX_BYTES:
            raise CustodyError(
                f"audit entry: {size} bytes, at most {MAX_BYTES} are kept; name the facts, not the data"
            )


class AuditLink(msgspec.Struct, frozen=True):
    """An entry at its place. seq: 1, 2, … without gaps; previous, hash: SHA-256, hex."""

    seq: int
    entry: AuditEntry
    previous: str
    hash: str


def canonical(value: object) -> bytes:
    """The one way to write a JSON value; raises CustodyError for what JSON cannot say."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CustodyError(f"not to be written as JSON: {error}") from None


def digest_of(seq: int, entry: AuditEntry, previous: str) -> str:
    """The hash of a link."""
    return hashlib.sha256(canonical(_body(seq, entry, previous))).hexdigest()


def linked(seq: int, entry: AuditEntry, previous: str) -> AuditLink:
    """`entry` as the link after the one whose hash is `previous`."""
    return AuditLink(seq, entry, previous, digest_of(seq, entry, previous))


def line_of(link: AuditLink) -> bytes:
    """The link as it is exported (without a newline)."""
    return canonical({**_body(link.seq, link.entry, link.previous), "hash": link.hash})


def _body(seq: int, entry: AuditEntry, previous: str) -> dict[str, Any]:
    return {"v": 1, "seq": seq, "previous": previous, **msgspec.structs.asdict(entry)}
