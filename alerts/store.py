"""The Store protocol: what the scorer writes and what people and the router read and change.

Two implementations hold one contract test: MemoryStore (memory_store.py) and RedisStore (redis_store.py).
Everything the scorer writes goes through `commit`, which is atomic and idempotent: each decision, alert hit and
dead letter has an ordinal (1, 2, … along the stream), and what lies at or below the stored cursor is skipped.
That is what makes a replay after a kill write nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from alerts.alert import Alert, AlertHit, Status, Verdict
from alerts.custody.audit import AuditEntry, AuditLink
from alerts.jobs import Jobs
from alerts.lifecycle import FourEyes, Step
from alerts.lists.kept import KeepsLists
from alerts.merging import RuleSnooze
from alerts.minutes import Headed
from alerts.routing.keeping import KeepsRouting
from alerts.routing.reconciling import Reconciliation
from alerts.routing.view import View
from alerts.routing.why import Why
from alerts.rule_counts import RuleDay
from models.decision import Counters, DeadLetter
from models.events import Control, Label
from models.learner_report import Change, LearnerReport
from models.similar import ConfirmedFraud

Sort = Literal["priority", "newest"]


class Commit(msgspec.Struct, kw_only=True):
    """One batch of output. first_*_ordinal number the first element; the rest follow without gaps.

    decisions: encoded Decision JSON. minutes: per event-time minute, counters to add to the charts
    (`decided`, `APPROVE`, …, `amount_usd`, `risk_00`…`risk_19` histogram of 5 % bins,
    `corridor:<name>`, `corridor_alerts:<name>`); they are added with the decisions they count. now: the writer's clock,
    from which people's deadlines run; 0: the stream's own time stands for it. taken: position in the input stream after
    the batch: Controls that come later are merged behind it, also after a restart from further back.
    """

    first_decision_ordinal: int
    decisions: list[bytes]
    hits: list[AlertHit]
    first_dead_ordinal: int
    dead: list[DeadLetter]
    counters: Counters
    minutes: dict[int, dict[str, float]]
    stream_time: int
    now: int = 0
    taken: str = ""


class Conflict(msgspec.Struct, frozen=True):
    """Somebody else changed the alert first: its present state."""

    current: Alert


class Store(Jobs, KeepsRouting, KeepsLists, Protocol):
    """See the module's docstring. Times are ms since the epoch; the caller's clock comes in as `now`.

    four_eyes: which verdicts need a second person; set by whoever opens the store.
    """

    four_eyes: FourEyes

    def ping(self) -> float:
        """Round-trip in ms; raises StoreError when the store cannot be reached."""

    def wait_durable(self, timeout_ms: int = 5000) -> None:
        """Return when everything written so far is on disk; raises StoreError when it is not in time."""

    # the scorer
    def commit(self, batch: Commit, heads: Sequence[Headed] | None = None) -> None:
        """heads: what `head_of` would read of each decision, or the decisions themselves, where they are at hand."""

    def cursors(self) -> dict[str, int]:
        """Last written ordinals: `decisions`, `hits`, `dead`."""

    # reading
    def counters(self) -> Counters: ...
    def stream_time(self) -> int: ...
    def decision(self, event_id: str) -> bytes | None: ...
    def recent_decisions(self, limit: int) -> list[bytes]:
        """Newest first."""

    def minutes(self, since: int, until: int) -> dict[int, dict[str, float]]: ...
    def dead_letters(self, limit: int) -> list[DeadLetter]: ...
    def alert(self, alert_id: str) -> Alert | None: ...
    def alerts(self, statuses: tuple[Status, ...], sort: Sort, limit: int) -> list[Alert]: ...
    def alert_counts(self) -> dict[str, int]:
        """By status, and `open:S1` … `open:S4`."""

    def alerts_of(self, entity_kind: str, entity: str, limit: int) -> list[Alert]:
        """Alerts on one entity, newest first, whatever their status."""

    def decisions_of(self, entity_kind: str, entity: str, limit: int) -> list[bytes]:
        """Recent decisions in which `context[entity_kind] == entity` (card, customer, device, merchant, payee)."""

    # evidence
    def remember_frauds(self, frauds: list[tuple[int, bytes, float]], cleared: list[int]) -> None:
        """Keep payments confirmed as fraud (number in the stream, packed vector, US dollars) among the newest.

        cleared: numbers of payments that turned out good, to be forgotten. May be repeated.
        """

    def confirmed_frauds(self) -> list[ConfirmedFraud]:
        """What is remembered, in the order of confirmation."""

    def artefact(self, version: str) -> bytes | None:
        """A model snapshot behind its signature (SIGNATURE_BYTES), as published; None: not kept."""

    # rules
    def settle_rule_hits(self, labels: list[Label]) -> None:
        """Labels that were taken in, in stream order, after the decisions on their payments. May be repeated."""

    def rule_days(self, since: int, until: int) -> dict[int, RuleDay]:
        """Counts of the rules on days that begin in [since, until), oldest first (alerts/rule_counts.py)."""

    # the learner
    def put_learner_report(self, report: LearnerReport) -> None: ...
    def learner_report(self) -> LearnerReport | None:
        """The newest report; None before the first."""

    def note_model_change(self, id_: str, change: Change) -> None:
        """Keep for good that the serving model changed. May be repeated: the first one of an id stays."""

    def model_changes(self) -> list[Change]:
        """All of them, oldest first."""

    # people: steps in an alert's life (alerts/lifecycle.py). RefusedError: not allowed; Conflict: somebody was faster
    def step(self, alert_id: str, version: int | None, step: Step, now: int) -> Alert | Conflict:
        """Take a step on the alert as it was at `version` (None: as it is), audited.

        A verdict of fraud or legitimate also queues a Label event for each payment, once.
        """

    def claim(self, alert_id: str, actor: str, now: int, lease_ms: int, role: str) -> Alert | Conflict: ...
    def resolve(
        self, alert_id: str, version: int, verdict: Verdict, actor: str, now: int, role: str
    ) -> Alert | Conflict:
        """Resolve with a verdict, or propose it where a second person has to confirm."""

    def set_status(
        self, alert_id: str, version: int, status: Status, actor: str, now: int, role: str, reason: str = ""
    ) -> Alert | Conflict: ...
    def undo(self, alert_id: str, version: int, actor: str, now: int, role: str) -> Alert | Conflict:
        """Reopen a resolved alert; if its label was queued, the opposite label follows as a correction."""

    def snooze_rule(self, snooze: RuleSnooze, now: int) -> None:
        """Keep a rule quiet on an entity, in place of a snooze of the same two that may be there."""

    def lift_snooze(self, key: str, actor: str, role: str, reason: str, now: int) -> bool:
        """End the snooze of a rule (RuleSnooze.key) before its time; False: there is none."""

    def rule_snoozes(self) -> list[RuleSnooze]:
        """All of them, the first to end first."""

    def due(self, until: int, limit: int) -> list[Alert]:
        """Alerts whose next deadline (alerts.deadlines.due) is at or before `until`, the most urgent first."""

    # the clerk (alerts/clerk.py)
    def wake(self, alert_id: str, version: int, now: int) -> Alert | Conflict: ...
    def expire_snooze(self, key: str, now: int) -> bool: ...
    def bells(self, now: int, limit: int) -> list[tuple[str, int]]:
        """Alerts (and when) about whose deadline something is to be said by `now`."""

    def ring(self, alert_id: str, bell: int, following: int | None, entry: AuditEntry) -> bool:
        """Record what a bell says and set the next one; False: the alert has moved on."""

    def mark_learned(self, transaction_ids: list[str]) -> None:
        """The learner has taken the labels of these transactions in."""

    # the audit chain
    def append_audit(self, entry: AuditEntry, once: str = "") -> int:
        """Record an entry; returns its number. once: a key under which only the first call records anything."""

    def send_control(self, event: Control, entry: AuditEntry, once: str = "") -> str:
        """Put a Control event into the control lane and record the entry, both or neither; returns its place there."""

    def controls_after(self, place: str) -> list[tuple[str, bytes]]:
        """Places and Control events (encoded) in the control lane behind `place` ("" = from the start)."""

    def seal_audit(self) -> int:
        """Link the entries that are not linked yet; how many they were. May be called by anybody at any time."""

    def audit_chain(self, after: int, limit: int) -> list[AuditLink]:
        """Links with numbers above `after`, in order, once everything recorded so far is linked."""

    def audit_of(self, object_kind: str, object_id: str, limit: int) -> list[AuditEntry]:
        """The newest entries on one thing, oldest first."""

    # routing, beside KeepsRouting
    def why(self, key: str) -> Why | None:
        """Why an alert (or `incident:ID`, …) paged whom, or did not; None: the router knows nothing of it."""

    def routing_view(self, now: int) -> View | None:
        """The routing in force and how its receivers stand; None: no sender ran yet."""

    def reconcile(self, now: int) -> Reconciliation:
        """Alerts stored against pages delivered, with the gaps."""

    # processes
    def beat(self, process: str, status: dict[str, str | int | float], now: int) -> None: ...
    def beats(self) -> dict[str, dict[str, str | int | float]]: ...
