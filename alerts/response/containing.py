"""Containment with a store: dry run, proposal, approval, undo, expiry. Each step is one atomic change with what it owes.

When a measure comes into force its Control event lies in the lane as soon as `approve` returns; the flow looks at that
lane before every batch, so it takes effect in front of any backlog.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from alerts import rights
from alerts.response import measure as life
from alerts.response.announcing import audit_of_measure, change_of_measure, owed_by
from alerts.response.blast_radius import HOUR_MS, BlastRadius, blast_radius
from alerts.response.clock import Clock
from alerts.response.documents import KeepsResponse, Write
from alerts.response.effects import Effects, Owed
from alerts.response.incident import SYSTEM, Entry, Incident, noted
from alerts.response.measure import Measure, State, Verb, containment_rules
from alerts.response.phases import NEXT
from alerts.response.traces import KeepsTraces
from alerts.store import Store
from models.errors import IncidentError, StoreError
from models.events import Control


class ResponseStore(Store, KeepsResponse, KeepsTraces, Protocol):
    """Everything the response needs of a store; MemoryStore and RedisStore are such."""


class Containing:
    """See the module's docstring."""

    def __init__(self, store: ResponseStore) -> None:
        self.store = store
        self.rules = containment_rules()

    def measures(self, live: bool = True) -> list[Measure]:
        """All that wait or are in force (or all there ever were), oldest first."""
        found = [msgspec.msgpack.decode(body, type=Measure) for body in self.store.documents("measure", live)]
        return sorted(found, key=lambda one: (one.proposed_at, one.id))

    def measure(self, id_: str) -> Measure:
        """One measure. IncidentError when there is none of this id."""
        body = self.store.document("measure", id_)
        if body is None:
            raise IncidentError(
                f"there is no containment {id_}: `tidegate contain list --all` shows them",
                zh=f"没有遏制措施 {id_}",
            )
        return msgspec.msgpack.decode(body, type=Measure)

    def dry_run(
        self, verb: Verb, scope: dict[str, str], above_usd: float | None = None, hours: float | None = None
    ) -> BlastRadius:
        """What it would have stopped among the newest decisions. A rollback cannot be told before it serves."""
        effect = life.effect_of(verb, scope, above_usd)
        since = self.store.stream_time() - int((hours or self.rules.dry_run_hours) * HOUR_MS)
        return blast_radius(self.store.recent_decisions(self.rules.dry_run_decisions), effect, since)

    def propose(
        self, verb: Verb, scope: dict[str, str], reason: str, actor: str, role: str, clock: Clock, *,
        minutes: int | None = None, above_usd: float | None = None, model: str = "", incident: str | None = None,
    ) -> tuple[Measure, Effects]:  # fmt: skip
        """Propose a measure with its dry run; one that needs no second person is in force at once."""
        rights.require(role, "containment.propose")
        if incident is not None:
            self._linked(incident)
        if model and self.store.artefact(model) is None:
            raise IncidentError(
                f"the snapshot {model!r} is not kept: `tidegate models list` shows what served",
                zh=f"模型快照 {model!r} 未保存",
            )
        radius = None if verb == "rollback" else self.dry_run(verb, scope, above_usd)
        new = life.proposed(
            verb, scope, self.rules.default_min if minutes is None else minutes, reason, actor, clock.now,
            above_usd=above_usd, model=model, radius=radius, incident=incident, rules=self.rules,
        )  # fmt: skip
        if new.dual or not rights.may(role, "containment.approve"):
            return new, self._keep(None, new, "proposed", actor, role, clock, reason)
        effects = self._keep(None, new, "proposed", actor, role, clock, reason)
        after = self.approve(new.id, actor, role, clock)
        return self.measure(new.id), Effects([*effects.owed, *after.owed])

    def approve(self, id_: str, actor: str, role: str, clock: Clock, reason: str = "") -> Effects:
        """Put it in force; by another person than the proposer where two are needed."""
        rights.require(role, "containment.approve")
        before = self.measure(id_)
        after = life.approved(before, actor, clock, self.rules)
        on = life.control_on(after, clock)
        return self._keep(before, after, "approved", actor, role, clock, reason, [on])

    def end(self, id_: str, actor: str, role: str, reason: str, clock: Clock) -> Effects:
        """Reject a proposal, or undo what is in force."""
        rights.require(role, "containment.undo")
        if not reason.strip():
            raise IncidentError("say why: it stands in the audit trail", zh="请说明理由：将写入审计记录")
        before = self.measure(id_)
        state: State = "rejected" if before.state == "proposed" else "undone"
        return self._end(before, state, actor, role, reason.strip(), clock)

    def witness(self, clock: Clock) -> Effects:
        """Note of the measures in force when the flow took them, as it tells."""
        effects = Effects()
        waiting = [one for one in self.measures() if one.state == "in_force" and one.effective_at is None]
        taken = self.store.effects([one.control_id for one in waiting])
        for one in waiting:
            at = taken.get(one.control_id)
            if at is not None:
                after = life.effective(one, at)
                waited = f"the flow took it {(at - (one.approved_at or at)) / 1000:.3f} s after its approval"
                effects.owed += self._keep(one, after, "effective", SYSTEM, SYSTEM, clock, waited).owed
        return effects

    def lapse(self, clock: Clock) -> Effects:
        """End what has had its time."""
        effects, waits = Effects(), self.rules.proposal_lapses_after_min * life.MINUTE_MS
        for one in self.measures():
            if one.state == "in_force" and (
                clock.now >= (one.until or 0) or clock.stream > (one.stream_until or 0)
            ):
                effects.owed += self._end(one, "expired", SYSTEM, SYSTEM, "its time is over", clock).owed
            elif one.state == "proposed" and clock.now - one.proposed_at >= waits:
                effects.owed += self._end(one, "lapsed", SYSTEM, SYSTEM, "nobody approved it", clock).owed
        return effects

    def settle(self) -> None:
        """Do what is owed, each effect once; what another process left behind too."""
        for effect in self.store.owed():
            if effect.control is not None and effect.audit is not None:
                self.store.send_control(effect.control, effect.audit, effect.id)
            elif effect.audit is not None:
                self.store.append_audit(effect.audit, effect.id)
            if effect.change is not None:
                self.store.announce(effect.change)
            self.store.settled(effect.id)

    def _end(
        self, before: Measure, state: State, actor: str, role: str, reason: str, clock: Clock
    ) -> Effects:
        after = life.ended(before, state, actor, reason, clock.now)
        controls: list[Control] = []
        if before.state == "in_force":
            report = self.store.learner_report() if before.verb == "rollback" else None
            controls = life.controls_off(after, clock, None if report is None else report.version)
        return self._keep(before, after, state, actor, role, clock, reason, controls)

    def _keep(
        self, before: Measure | None, after: Measure, action: str, actor: str, role: str, clock: Clock, reason: str,
        controls: list[Control] | None = None,
    ) -> Effects:  # fmt: skip
        """Write the measure and its line in the incident. StoreError when somebody was faster."""
        audit = audit_of_measure(after, action, actor, role, clock.now, reason)
        name = f"{after.id}:{after.version}"
        owed = [Owed(id=f"{name}:{n}", audit=audit, control=one) for n, one in enumerate(controls or [])]
        owed = owed or [Owed(id=f"{name}:audit", audit=audit)]
        writes = [
            Write(
                "measure", after.id, 0 if before is None else before.version, after.version,
                msgspec.msgpack.encode(after), after.live,
            )
        ]  # fmt: skip
        severity = "S2"
        if after.incident is not None:
            incident = self._linked(after.incident)
            line = self._line(incident, after, action, actor, clock, reason)
            body = msgspec.msgpack.encode(line)
            writes.append(Write("incident", line.id, incident.version, line.version, body))
            owed += owed_by(line, 1, role)
            severity = line.severity
        owed.append(Owed(id=f"{name}:change", change=change_of_measure(after, clock.now, severity)))  # type: ignore[arg-type]
        if not self.store.respond(writes, (), owed):
            raise StoreError(f"{after.id} was changed by somebody else a moment ago: look again")
        self.settle()
        return Effects(owed)

    def _line(
        self, incident: Incident, measure: Measure, action: str, actor: str, clock: Clock, reason: str
    ) -> Incident:
        entry = Entry(
            at=clock.now, actor=actor, kind="measure", text=f"{action}: {measure.text}",
            facts={"measure": measure.id, "state": measure.state, "reason": reason[:500]},
        )  # fmt: skip
        changes: dict[str, object] = {}
        if action == "effective" and incident.contained_at is None:
            changes["contained_at"] = measure.effective_at
        if measure.state == "in_force":
            if incident.phase == "triage":
                changes |= {"phase": "contain", "declared_at": clock.now}
            elif "contain" in NEXT[incident.phase]:
                changes["phase"] = "contain"
        return noted(incident, entry, **changes)

    def _linked(self, id_: str) -> Incident:
        body = self.store.document("incident", id_)
        if body is None:
            raise IncidentError(
                f"there is no incident {id_}: `tidegate incident list` shows them", zh=f"没有事件 {id_}"
            )
        return msgspec.msgpack.decode(body, type=Incident)
