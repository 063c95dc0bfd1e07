"""What a subject in a group is due for, receiver by receiver: the rules, without timers or sending. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from alerts.routing.intent import Says
from alerts.routing.plan import Plan, Route
from alerts.routing.reasons import (
    AcknowledgedNotice,
    AlreadyTold,
    Escalated,
    Fallback,
    FirstNotification,
    NewAlerts,
    NobodyToTell,
    Quiet,
    RepeatElapsed,
    Resolved,
    RouteTellsNobody,
    Sending,
    WaitingForGroup,
    Worsened,
    code,
)
from alerts.routing.state import Group, Held, Member, Moment, Sent, Told, Tracked

FALLBACK = "(fallback)"
"""The target that stands for the plan's fallback receiver."""


class Item(NamedTuple):
    """One subject that is due to one receiver. in_need: it goes to the fallback, since nobody else is reached."""

    subject: Tracked
    receiver: str
    reason: Sending
    says: Says
    in_need: bool = False

    @property
    def shown(self) -> Sending:
        """The reason as it is kept; `reason` is the one that made it due."""
        return Fallback("nobody_to_tell") if self.in_need else self.reason

    @property
    def what(self) -> str:
        """What is said of the subject: no two messages to a receiver say the same of it."""
        sent = self.subject.sent.get(self.receiver)
        paging = isinstance(self.reason, FirstNotification | NewAlerts | Worsened)
        if paging and self.subject.life == 0:
            return self.subject.change.severity
        return f"{code(self.reason)}~{sent.count if sent else 0}"


def hush(subject: Tracked, receivers: Sequence[str], reason: Quiet, now: int) -> None:
    """Keep why these receivers hear nothing of the subject; "" stands for nobody in particular."""
    for receiver in receivers or ("",):
        held = subject.quiet.get(receiver)
        if held is None or held.reason != reason:
            subject.quiet[receiver] = Held(reason, now)
            if not isinstance(reason, WaitingForGroup):
                subject.note(Moment(now, receiver, reason))


def opens(plan: Plan, route: Route, group: Group, subject: Tracked, now: int) -> Iterator[Item]:
    """What an open subject that nothing mutes is due for. Takes the steps of the chain that are due."""
    member = subject.groups[group.key]
    if member.life != subject.life:
        # It is news again: the chain starts anew.
        member.life, member.since, member.level = subject.life, None, 0
    if member.since is None:
        # Another route may have told the same people: the chain counts from then.
        known = [
            told.at
            for target in route.notify
            if (told := subject.told.get(target)) and told.life == subject.life
        ]
        member.since = min(known, default=None)
    notify = route.notify
    for _, targets in route.steps[: member.level]:
        notify += targets
    escalated = {target: level for level, target in _escalated(route, member, now)}
    if not plan.reached((*notify, *escalated), now):
        if route.silent:
            hush(subject, (), RouteTellsNobody(route.path), now)
            return
        if not plan.fallback:
            hush(subject, (), NobodyToTell(), now)
            return
        notify, escalated = (FALLBACK,), {}
    due: dict[str, Sending] = {}
    for target in dict.fromkeys((*escalated, *notify)):
        level = escalated.get(target)
        reason = Escalated(route.chain, level) if level else _due(subject, target, route, now)
        behind = (plan.fallback,) if target == FALLBACK else plan.reached((target,), now)
        if reason is None or not behind:
            continue
        told = subject.told.get(target)
        repeats = reason.number if isinstance(reason, RepeatElapsed) else (told.repeats if told else 0)
        subject.told[target] = Told(subject.change.severity, now, repeats, subject.life)
        if member.since is None:
            member.since = now
        for receiver in behind:
            due.setdefault(receiver, reason)
    for receiver, reason in due.items():
        if not _news(subject, receiver, reason):
            hush(subject, (receiver,), AlreadyTold(), now)
            continue
        if isinstance(reason, FirstNotification) and receiver in group.threads:
            reason = NewAlerts()
        yield Item(subject, receiver, reason, "open", notify == (FALLBACK,))


def _escalated(route: Route, member: Member, now: int) -> Iterator[tuple[int, str]]:
    while (
        member.since is not None
        and member.level < len(route.steps)
        and now >= member.since + route.steps[member.level][0]
    ):
        member.level += 1
        for target in route.steps[member.level - 1][1]:
            yield member.level, target


def _due(subject: Tracked, target: str, route: Route, now: int) -> Sending | None:
    told, severity = subject.told.get(target), subject.change.severity
    if told is None:
        return FirstNotification()
    if severity < told.severity:
        return Worsened(told.severity, severity)
    if told.life != subject.life:
        return FirstNotification()
    # What would repeat a little later goes along now, so that a group says itself again as one.
    early = min(route.interval, route.repeat // 10)
    if route.repeat and subject.change.kind != "notice" and now + early >= told.at + route.repeat:
        return RepeatElapsed(told.repeats + 1)
    return None


def _news(subject: Tracked, receiver: str, reason: Sending) -> bool:
    """Whether the receiver has not heard of the subject for this reason, by whatever route."""
    sent = subject.sent.get(receiver)
    if sent is None or sent.life != subject.life:
        return True
    if isinstance(reason, RepeatElapsed):
        return reason.number > sent.repeats
    if isinstance(reason, Escalated):
        return reason.level > sent.level
    return subject.change.severity < sent.severity


def told_of_end(plan: Plan, subject: Tracked) -> Iterator[Item]:
    """Who asked to hear that the subject is resolved. Receivers with threads hear of the end of the thread."""
    for receiver, sent in subject.sent.items():
        spec = plan.receivers.get(receiver)
        if spec and spec.hears_resolved and not spec.threaded and sent.says != "resolved":
            yield Item(subject, receiver, Resolved(), "resolved")


def told_of_acknowledgement(plan: Plan, subject: Tracked) -> Iterator[Item]:
    """Who asked to hear that somebody took the subject."""
    for receiver, sent in subject.sent.items():
        spec = plan.receivers.get(receiver)
        if spec and spec.hears_acknowledged and not spec.threaded and sent.says == "open":
            yield Item(subject, receiver, AcknowledgedNotice(), "acknowledged")


def next_timer(route: Route, subject: Tracked, group_key: str) -> int | None:
    """When an open subject has to be looked at again: its next repeat or escalation; 0: nobody was reached."""
    member = subject.groups[group_key]
    if member.since is None:
        return 0 if route.notify else None
    moments = []
    if route.repeat:
        targets = {*route.notify, FALLBACK, *(t for _, step in route.steps[: member.level] for t in step)}
        moments += [told.at + route.repeat for target, told in subject.told.items() if target in targets]
    if member.level < len(route.steps):
        moments.append(member.since + route.steps[member.level][0])
    return min(moments, default=None)


def note_sent(item: Item, message: str, reason: Sending, now: int) -> None:
    """Keep that the receiver is told now."""
    subject, before = item.subject, item.subject.sent.get(item.receiver)
    same = before is not None and before.life == subject.life
    severity = subject.change.severity
    subject.sent[item.receiver] = Sent(
        severity=min(severity, before.severity) if before and same else severity,
        says=item.says,
        at=now,
        reason=reason,
        message=message,
        count=before.count + 1 if before else 1,
        repeats=item.reason.number
        if isinstance(item.reason, RepeatElapsed)
        else (before.repeats if before and same else 0),
        level=item.reason.level
        if isinstance(item.reason, Escalated)
        else (before.level if before and same else 0),
        life=subject.life,
    )
    subject.quiet.pop(item.receiver, None)
    subject.note(Moment(now, item.receiver, reason, message))


def note_held_back(item: Item, summary: str, reason: Sending) -> None:
    """What was just kept as told goes into a summary instead."""
    sent, moment = item.subject.sent[item.receiver], item.subject.history[-1]
    if (moment.receiver, moment.message) == (item.receiver, sent.message):
        moment.message, moment.reason = summary, reason
    sent.message, sent.reason = summary, reason
