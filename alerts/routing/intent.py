"""A notification the router decided on: who hears of what, and why. The senders' work, and what the log keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from alerts.routing.change import Change
from alerts.routing.reasons import Sending

TOP = 10
"""Subjects a notification names; the others are counted."""
Says = Literal["open", "acknowledged", "resolved"]


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one receiver.

    id: stable over all attempts, derived from what it says. page: the same for all receivers of one decision.
    says: whether it pages, or tells of an acknowledgement or an end. thread: what an on-call service keys its
    incident on. group: the labels of the group. subjects: the worst TOP, as they were. counts: all, by
    severity; total: their sum. kinds: storm summaries only, notifications it stands for, by reason.
    """

    id: str
    receiver: str
    page: str
    at: int
    reason: Sending
    says: Says = "open"
    thread: str = ""
    group: dict[str, str] = {}
    subjects: list[Change] = []
    counts: dict[str, int] = {}
    total: int = 0
    kinds: dict[str, int] = {}

    @property
    def worst(self) -> str:
        """The worst severity in it; S4 for nothing."""
        return min(self.counts, default="S4")


class Done(msgspec.Struct):
    """A message that is no longer in flight, as the archive keeps it."""

    intent: Intent
    outcome: Literal["delivered", "dead"]
    at: int
    attempts: int


def message_id(known_as: str, parts: Iterable[tuple[str, str]]) -> str:
    """The identity of a message: its receiver, and of each subject key and what is said of it.

    A subject alone, paged for its severity, gives the id it would have without any routing.
    """
    inner = "\x1e".join(f"{key}\x1f{what}" for key, what in sorted(parts))
    return "msg_" + hashlib.sha256(f"{inner}\x1f{known_as}".encode()).hexdigest()[:32]
