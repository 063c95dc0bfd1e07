"""What a store keeps for the router and its receivers. One contract test holds MemoryStore and RedisStore to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from alerts.alert import Alert
from alerts.routing.change import Change
from alerts.routing.intent import Done
from alerts.routing.silence import Silence


class Delivery(msgspec.Struct, kw_only=True):
    """One attempt to deliver a message. url: the receiver's address as logs may show it.

    alert_id: the worst subject it tells of; more: how many others. reason: its code.
    """

    webhook_id: str
    alert_id: str
    url: str
    attempt: int
    at: int
    outcome: Literal["delivered", "retry", "dead"]
    status: int | None = None
    detail: str = ""
    receiver: str = ""
    reason: str = ""
    more: int = 0


class Resend(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants a message sent again, under the same id."""

    message_id: str
    actor: str
    reason: str
    at: int


class Act(NamedTuple):
    """An entry of the audit trail as the router needs it: what happened to which thing."""

    number: int
    kind: str
    id: str
    action: str
    at: int


class Saved(msgspec.Struct, frozen=True):
    """What a step changed: parts to write and to delete, messages that are done, attempts that were made."""

    put: dict[str, bytes] = {}
    drop: list[str] = []
    done: dict[str, Done] = {}
    deliveries: list[Delivery] = []

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.put or self.drop or self.done or self.deliveries)


class KeepsRouting(Protocol):
    """Part of alerts.store.Store. Times are ms since the epoch."""

    # what the router is told
    def announcements(self, after: str, limit: int) -> list[tuple[str, Change]]:
        """What was announced after a position ("" = from the start), with positions: incidents, notices, ourselves."""

    def incident_of(self, alert_ids: Sequence[str]) -> dict[str, str]:
        """The incidents that alerts belong to."""

    def acts(self, after: int, limit: int) -> list[Act]:
        """Entries of the audit trail with numbers above `after`, in order."""

    def last_act(self) -> int:
        """The number of the newest entry of the audit trail; 0: it is empty."""

    def live_alerts(self) -> list[str]:
        """Ids of all alerts that are not resolved."""

    def alerts_by_id(self, ids: Sequence[str]) -> dict[str, Alert]: ...

    # what people ask of it
    def silences(self) -> list[Silence]:
        """Those that hold, are planned, or ended lately; the first to end first."""

    def add_silence(self, silence: Silence, role: str) -> None:
        """Put a silence in force, audited; the same one again changes nothing. Raises RefusedError for rights."""

    def expire_silence(self, id_: str, actor: str, role: str, reason: str, now: int) -> bool:
        """End a silence now, audited; False: there is none, or it has ended. Raises RefusedError for rights."""

    def ask_resend(self, message_id: str, actor: str, role: str, reason: str, now: int) -> None:
        """Have a message sent again under its id, audited. Raises RefusedError for rights or without a reason."""

    def resends(self) -> list[Resend]:
        """What was asked for and not taken up yet, oldest first."""

    def drop_asked(self, silences: list[str], resends: list[str]) -> None:
        """Forget silences that ended long ago and requests that were taken up."""

    # its state
    def routing_state(self) -> tuple[int, dict[str, bytes]]:
        """Version and parts."""

    def routing_parts(self, names: Sequence[str]) -> dict[str, bytes]:
        """Some of the parts, those that are there."""

    def save_routing(self, version: int, saved: Saved) -> int:
        """Write a step, all or nothing; the version after. StoreError if the present one is not `version`."""

    # what went out
    def done_messages(self, limit: int) -> list[Done]:
        """Messages that were delivered or given up, newest first."""

    def dead_messages(self, limit: int) -> list[Done]:
        """Of these, those that were given up and not taken since, newest first."""

    def done_by_id(self, ids: Sequence[str]) -> dict[str, Done]: ...
    def deliveries(self, limit: int) -> list[Delivery]:
        """Attempts, newest first."""
