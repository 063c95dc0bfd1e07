"""What people do with alerts, the same over every store: read, take the pure step, write if nothing changed meanwhile.

A store brings `alert`, `stream_time` and `_swap`, the compare-and-set that writes alert, labels and audit entry in one
step or nothing at all.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from alerts.alert import Alert, Status, Verdict
from alerts.custody.audit import SYSTEM, AuditEntry
from alerts.labelling import flag_of_change, labels_of
from alerts.lifecycle import FourEyes, Step, Verb, entry_of, stepped
from alerts.store import Conflict
from models.errors import RefusedError, StoreError

TRIES = 100
_VERB_OF: dict[Status, Verb] = {
    "open": "reopen", "acknowledged": "acknowledge", "snoozed": "snooze", "escalated": "escalate",
}  # fmt: skip


class Swap(msgspec.Struct, frozen=True):
    """A change to be written if the alert still has the version of `before`. entry None: a lease that is renewed.

    labels: encoded Label events by transaction id.
    """

    before: Alert
    after: Alert
    entry: AuditEntry | None
    labels: list[tuple[str, bytes]]


class _Keeps(Protocol):
    four_eyes: FourEyes

    def alert(self, alert_id: str) -> Alert | None: ...
    def stream_time(self) -> int: ...
    def _swap(self, swap: Swap) -> bool: ...
    def step(self, alert_id: str, version: int | None, step: Step, now: int) -> Alert | Conflict: ...


class CaseWork:
    """See alerts.store.Store for the meaning of each call."""

    four_eyes: FourEyes = FourEyes()

    def step(self: _Keeps, alert_id: str, version: int | None, step: Step, now: int) -> Alert | Conflict:
        for _ in range(TRIES):
            alert = self.alert(alert_id)
            if alert is None:
                raise StoreError(f"there is no alert {alert_id}: load the queue again")
            if version is not None and alert.version != version:
                return alert if _repeated(alert, version, step) else Conflict(alert)
            if step.verb == "claim" and (alert.status == "resolved" or _held(alert, step.actor, now)):
                return Conflict(alert)
            swap = _swap_of(alert, step, now, self)
            if self._swap(swap):
                return swap.after
        raise StoreError(f"alert {alert_id} keeps changing: try again in a moment")

    def claim(
        self: _Keeps, alert_id: str, actor: str, now: int, lease_ms: int, role: str
    ) -> Alert | Conflict:
        return self.step(
            alert_id, None, Step(verb="claim", actor=actor, role=role, until=now + lease_ms), now
        )

    def resolve(
        self: _Keeps,
        alert_id: str,
        version: int,
        verdict: Verdict,
        actor: str,
        now: int,
        role: str,
    ) -> Alert | Conflict:
        return self.step(
            alert_id, version, Step(verb="resolve", actor=actor, role=role, verdict=verdict), now
        )

    def set_status(
        self: _Keeps, alert_id: str, version: int, status: Status, actor: str, now: int, role: str, reason: str = ""
    ) -> Alert | Conflict:  # fmt: skip
        verb = _VERB_OF.get(status)
        if verb is None:
            raise RefusedError(
                "an alert is resolved with a verdict: call resolve, not set_status", zh="结案须给出结论"
            )
        return self.step(alert_id, version, Step(verb=verb, actor=actor, role=role, reason=reason), now)

    def undo(self: _Keeps, alert_id: str, version: int, actor: str, now: int, role: str) -> Alert | Conflict:
        return self.step(alert_id, version, Step(verb="undo", actor=actor, role=role), now)

    def wake(self: _Keeps, alert_id: str, version: int, now: int) -> Alert | Conflict:
        """End a snooze whose time has come."""
        return self.step(alert_id, version, Step(verb="wake", actor=SYSTEM, role=SYSTEM), now)


def _swap_of(alert: Alert, step: Step, now: int, store: _Keeps) -> Swap:
    renewed = step.verb == "claim" and alert.claimed_by == step.actor and (alert.claimed_until or 0) > now
    after = stepped(alert, step, now, store.four_eyes)
    if renewed:
        # Nothing changed hands: no new version, nothing to audit.
        return Swap(alert, msgspec.structs.replace(after, version=alert.version), None, [])
    fraud = flag_of_change(alert, after)
    labels: list[tuple[str, bytes]] = []
    if fraud is not None:
        actor = after.resolved_by or step.actor
        lines = labels_of(alert, fraud, actor, store.stream_time() or now)
        labels = list(zip(alert.event_ids, lines, strict=True))
    return Swap(alert, after, entry_of(alert, after, step, now), labels)


def _held(alert: Alert, actor: str, now: int) -> bool:
    return alert.claimed_by not in (None, actor) and (alert.claimed_until or 0) > now


def _repeated(alert: Alert, version: int, step: Step) -> bool:
    """True when this verdict was written before and its answer lost on the way."""
    if step.verb != "resolve" or alert.version != version + 1:
        return False
    given = (alert.verdict, alert.resolved_by), (alert.proposed_verdict, alert.proposed_by)
    return (step.verdict, step.actor) in given
