"""The life of an alert in people's hands: which step leads from which status to which, as pure functions.

TRANSITIONS is the whole table; a step that is not in it is refused with the reason. The statuses:

    open          waits for somebody             escalated   waits for somebody senior
    acknowledged  somebody works on it           snoozed     waits for its time
    proposed      a verdict waits for a second person        resolved    has a verdict

What the stream does to an alert (open, merge, worsen) is in alerts/merging.py.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from alerts import rights
from alerts.alert import Alert, Severity, Status, Verdict
from alerts.custody.audit import SYSTEM, AuditEntry
from alerts.deadlines import longest_snooze
from alerts.merging import waiting
from models.errors import RefusedError

Verb = Literal[
    "claim", "acknowledge", "assign", "snooze", "wake", "escalate", "reopen", "resolve", "confirm", "refuse",
    "withdraw", "undo",
]  # fmt: skip
_WORKED: tuple[Status, ...] = ("open", "acknowledged", "snoozed", "escalated")
_LIVE: tuple[Status, ...] = (*_WORKED, "proposed")
TRANSITIONS: dict[Verb, dict[Status, Status]] = {
    "claim": {status: status for status in _LIVE},
    "assign": {status: status for status in _LIVE},
    "acknowledge": {"open": "acknowledged", "escalated": "acknowledged"},
    "snooze": {"open": "snoozed", "acknowledged": "snoozed", "escalated": "snoozed"},
    "wake": {"snoozed": "open"},
    "escalate": {"open": "escalated", "acknowledged": "escalated", "snoozed": "escalated"},
    "reopen": {"acknowledged": "open", "snoozed": "open", "escalated": "open"},
    "resolve": dict.fromkeys(_WORKED, "resolved"),
    "confirm": {"proposed": "resolved"},
    "refuse": {"proposed": "open"},
    "withdraw": {"proposed": "open"},
    "undo": {"resolved": "open"},
}
"""By verb, the status after it for each status it is legal in. Under four eyes `resolve` leads to `proposed`."""
PAST: dict[Verb, str] = {
    "claim": "claimed", "acknowledge": "acknowledged", "assign": "assigned", "snooze": "snoozed", "wake": "woken",
    "escalate": "escalated", "reopen": "reopened", "resolve": "resolved", "confirm": "confirmed",
    "refuse": "refused", "withdraw": "withdrawn", "undo": "undone",
}  # fmt: skip
"""What the audit trail calls each step; a verdict under four eyes is `proposed`."""
DEFAULT_SNOOZE_MS = 4 * 3600 * 1000


class FourEyes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a verdict needs a second, different person: by severity, or from an amount on (USD; None: never)."""

    severities: tuple[Severity, ...] = ()
    from_usd: float | None = None

    def wanted(self, alert: Alert) -> bool:
        """True when a verdict on this alert is only proposed until another person confirms it."""
        by_amount = self.from_usd is not None and alert.amount_usd >= self.from_usd
        return by_amount or alert.severity in self.severities


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. verdict: of `resolve`. to: who is assigned (None: nobody). until: of a claim or snooze."""

    verb: Verb
    actor: str
    role: str
    reason: str = ""
    verdict: Verdict | None = None
    to: str | None = None
    until: int | None = None


def stepped(alert: Alert, step: Step, now: int, four_eyes: FourEyes) -> Alert:
    """`alert` after the step, one version on; RefusedError when it is illegal, or not this person's to take."""
    if step.verb not in get_args(Verb):
        raise RefusedError(
            f"there is no step {step.verb!r}: choose one of {', '.join(get_args(Verb))}",
            zh=f"没有此操作 {step.verb!r}，可选：{', '.join(get_args(Verb))}",
        )
    _check_rights(alert, step)
    to = TRANSITIONS[step.verb].get(alert.status)
    if to is None:
        legal = ", ".join(TRANSITIONS[step.verb])
        raise RefusedError(
            f"cannot {step.verb} alert {alert.id}: it is {alert.status}, this needs {legal}",
            zh=f"警报 {alert.id} 当前为 {alert.status}，不能 {step.verb}（需要 {legal}）",
        )
    if step.verb == "resolve" and four_eyes.wanted(alert):
        to = "proposed"
    return msgspec.structs.replace(_taken(alert, step, now, to), status=to, version=alert.version + 1)


def entry_of(before: Alert, after: Alert, step: Step, now: int) -> AuditEntry:
    """What the audit trail keeps of a step: the facts it changed."""
    action = "proposed" if step.verb == "resolve" and after.status == "proposed" else PAST[step.verb]
    return AuditEntry(
        step.actor, step.role, action, "alert", before.id, now, step.reason, *facts_of_change(before, after)
    )


def facts_of_change(before: Alert, after: Alert) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, before and after; decisions and lists of events are told by their ids elsewhere."""
    names = [
        name
        for name in Alert.__struct_fields__
        if name not in ("decision", "event_ids") and getattr(before, name) != getattr(after, name)
    ]
    return {n: getattr(before, n) for n in names}, {n: getattr(after, n) for n in names}


def _check_rights(alert: Alert, step: Step) -> None:
    action = f"alert.{step.verb}"
    if step.verb == "wake":
        if (step.actor, step.role) != (SYSTEM, SYSTEM):
            raise RefusedError(
                "a snooze ends by itself; reopen the alert to end it now",
                zh="搁置会自动结束；如需现在结束，请重新打开警报",
            )
        return
    if step.verb == "assign" and step.to == step.actor:
        action = "alert.assign_self"
    if step.verb == "undo" and (step.actor != alert.resolved_by or alert.confirmed_by is not None):
        action = "alert.undo_others"
    rights.require(step.role, action)


def _taken(alert: Alert, step: Step, now: int, to: Status) -> Alert:
    """What the step does beside the status; refuses what the alert's particulars forbid."""
    replace = msgspec.structs.replace
    match step.verb:
        case "claim":
            if step.until is None or step.until <= now:
                raise RefusedError("a claim needs an end in the future", zh="认领须有将来的到期时间")
            return replace(alert, claimed_by=step.actor, claimed_until=step.until)
        case "assign":
            if step.to is not None and not 0 < len(step.to) <= 128:
                raise RefusedError(
                    "an alert is assigned to a name of 1 to 128 characters, or to nobody",
                    zh="分派须填写 1 至 128 个字符的人名，或留空",
                )
            by = None if step.to is None else step.actor
            return replace(alert, assigned_to=step.to, assigned_by=by)
        case "acknowledge":
            return replace(alert, acknowledged_by=step.actor, acknowledged_at=now)
        case "snooze":
            until = _end_of_snooze(alert, step, now)
            quiet = waiting(alert, alert.waiting_since)
            return replace(quiet, snoozed_until=until, snoozed_by=step.actor, snooze_reason=step.reason)
        case "resolve":
            if step.verdict not in get_args(Verdict):
                raise RefusedError(
                    f"a verdict is one of {', '.join(get_args(Verdict))}, not {step.verdict!r}",
                    zh=f"结论须为 {', '.join(get_args(Verdict))} 之一，而不是 {step.verdict!r}",
                )
            if to == "resolved":
                return _closed(alert, step.verdict, step.actor, None, now)
            free = replace(waiting(alert, alert.waiting_since), claimed_by=None, claimed_until=None)
            return replace(free, proposed_verdict=step.verdict, proposed_by=step.actor, proposed_at=now)
        case "confirm":
            if step.actor == alert.proposed_by:
                raise RefusedError(
                    "you proposed this verdict yourself: a second person has to confirm it",
                    zh="此结论由您提出：须由另一人复核",
                )
            return _closed(alert, alert.proposed_verdict, alert.proposed_by, step.actor, now)
        case "undo":
            again = replace(waiting(alert, now), severity_since=now, verdict=None, learned=False)
            return replace(again, resolved_at=None, resolved_by=None, confirmed_by=None)
        case "refuse":
            if step.actor == alert.proposed_by:
                raise RefusedError(
                    "you proposed this verdict yourself: withdraw it, or let another person look",
                    zh="此结论由您提出：请撤回，或由另一人查看",
                )
            if not step.reason:
                raise RefusedError("refusing a proposed verdict needs a reason", zh="驳回结论须填写理由")
        case "withdraw":
            if step.actor != alert.proposed_by:
                raise RefusedError(
                    f"{alert.proposed_by} proposed this verdict: only they withdraw it",
                    zh=f"此结论由 {alert.proposed_by} 提出：只有本人可以撤回",
                )
        case "wake" | "escalate" | "reopen":
            pass
    # It waits for somebody from now on. The time to resolve stood still during a snooze.
    since = now if alert.status == "snoozed" else alert.severity_since
    return replace(waiting(alert, now), severity_since=since)


def _end_of_snooze(alert: Alert, step: Step, now: int) -> int:
    longest = longest_snooze(alert.severity)
    until = now + min(DEFAULT_SNOOZE_MS, longest) if step.until is None else step.until
    if not now < until <= now + longest:
        minutes = longest // 60_000
        raise RefusedError(
            f"a snooze of {alert.severity} ends in the future and within {minutes} minutes",
            zh=f"{alert.severity} 的搁置须在将来结束，且不超过 {minutes} 分钟",
        )
    return until


def _closed(
    alert: Alert, verdict: Verdict | None, by: str | None, confirmed_by: str | None, now: int
) -> Alert:
    return msgspec.structs.replace(
        waiting(alert, alert.waiting_since), verdict=verdict, learned=False, resolved_at=now, resolved_by=by,
        confirmed_by=confirmed_by, claimed_by=None, claimed_until=None,
    )  # fmt: skip
