"""Why did (or did not) this page anybody: the router's own record of one subject, with what became of its messages."""

from __future__ import annotations

from typing import Literal

import msgspec

from alerts.receivers.lines import Owed
from alerts.routing.change import Change
from alerts.routing.intent import Says
from alerts.routing.keeping import KeepsRouting
from alerts.routing.reasons import NobodyToTell, Reason, RouteTellsNobody
from alerts.routing.state import Group, Moment, tracked_from

# A decoder that is made once: making one for each record takes longer than the record.
_OWED, _GROUP = msgspec.msgpack.Decoder(Owed), msgspec.msgpack.Decoder(Group)
Fate = Literal["delivered", "in_flight", "dead", "forgotten"]
"""forgotten: done, and no longer among the messages that are kept."""


class Heard(msgspec.Struct, frozen=True):
    """What a receiver was told last: why, when (ms), with which message, and what became of that."""

    receiver: str
    reason: Reason
    at: int
    says: Says
    message: str
    fate: Fate
    attempts: int


class Unheard(msgspec.Struct, frozen=True):
    """Why a receiver is not told at present, since when. receiver "": nobody in particular."""

    receiver: str
    reason: Reason
    since: int


class Routed(msgspec.Struct, frozen=True):
    """A route that takes it, with the labels it is grouped by and when the group is looked at next (None: not before
    something changes)."""

    route: str
    group: dict[str, str]
    due: int | None


class Why(msgspec.Struct, frozen=True):
    """The whole answer. change: the subject as the router knows it. history: oldest first."""

    change: Change
    routes: list[Routed]
    heard: list[Heard]
    unheard: list[Unheard]
    history: list[Moment]

    @property
    def told_nobody(self) -> bool:
        """Whether it was told to nobody, since no route has anybody to tell."""
        return not self.heard and any(
            isinstance(one.reason, RouteTellsNobody | NobodyToTell) for one in self.unheard
        )


class Fates:
    """What became of messages, looked up in as few calls as may be."""

    def __init__(self, store: KeepsRouting, messages: list[str]) -> None:
        parts = store.routing_parts([f"o:{message}" for message in messages])
        self.owed = {name[2:]: _OWED.decode(part) for name, part in parts.items()}
        self.done = store.done_by_id(messages)

    def of(self, message: str) -> tuple[Fate, int]:
        """Fate and attempts."""
        if message in self.owed:
            return "in_flight", self.owed[message].failed
        done = self.done.get(message)
        return ("forgotten", 0) if done is None else (done.outcome, done.attempts)


def why(store: KeepsRouting, key: str) -> Why | None:
    """The answer for an alert's id, or `incident:ID`, `notice:ID`, `self:ID`. None: the router knows nothing of it.

    Raises StoreError.
    """
    part = store.routing_parts([f"t:{key}"]).get(f"t:{key}")
    if part is None:
        return None
    subject = tracked_from(part)
    groups = store.routing_parts([f"g:{group}" for group in subject.groups])
    fates = Fates(store, [sent.message for sent in subject.sent.values()])
    return Why(
        change=subject.change,
        routes=[_routed(_GROUP.decode(body)) for body in groups.values()],
        heard=[
            Heard(receiver, sent.reason, sent.at, sent.says, sent.message, *fates.of(sent.message))
            for receiver, sent in sorted(subject.sent.items())
        ],
        unheard=[Unheard(receiver, held.reason, held.at) for receiver, held in sorted(subject.quiet.items())],
        history=subject.history,
    )


def _routed(group: Group) -> Routed:
    dues = [due for due in (group.flush_due, group.timer_due) if due is not None]
    return Routed(group.route, group.labels, min(dues, default=None))
