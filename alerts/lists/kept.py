"""The lists as people see them: every entry with who put it there, written in one step with the Control event.

What decides payments is the engine's own copy, made of the Control events alone (models/lists.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from alerts.custody.audit import AuditEntry
from models.events import Control
from models.lists import Key, Listed


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry, who added it and when (ms). hashes: what it is called in exchanges, by exchange (exchange.py)."""

    entry: Listed
    added_by: str
    added_at: int
    hashes: dict[str, str] = {}


class KeepsLists(Protocol):
    """What a store gives for lists, besides what alerts.store.Store has."""

    def change_lists(
        self, event: Control, entry: AuditEntry, put: Sequence[Kept], drop: Sequence[Key]
    ) -> str:
        """Send the Control, record the entry, keep `put`, forget `drop`: all or nothing; its place in the lane."""

    def kept_lists(self) -> list[Kept]:
        """Every entry that was added and not removed, by key; also those whose time is over."""

    def await_indicators(self, put: Mapping[str, bytes], drop: Sequence[str]) -> None:
        """Keep and forget indicators whose values nobody has shown us yet (awaited.py), by name."""

    def awaited_indicators(self) -> dict[str, bytes]:
        """All that are kept, by name."""

    def awaited_version(self) -> int:
        """Rises with every change of them, so that who has read them need not read them again."""
