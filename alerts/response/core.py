"""The response as one function of time: signals and acts in, incidents, measures and effects out.

It needs a Store and nothing else: live it is stepped about once a second by `tidegate worker incidents`, in a drill on
a virtual clock. Everything it keeps is in the store, compared and set, so that any number of processes (the worker, the
console, the command line) may act at once and a killed one leaves nothing half done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.notices.of_incident import NoticeClocks
from alerts.response import watch
from alerts.response.acts import AnyAct, Attach, Know, Move, Regrade
from alerts.response.announcing import notice_of, owed_by
from alerts.response.applying import applied
from alerts.response.archiving import archive_of
from alerts.response.clock import Clock
from alerts.response.containing import Containing, ResponseStore
from alerts.response.detection import Detection
from alerts.response.detector import Detector
from alerts.response.documents import Write
from alerts.response.effects import Effects, Owed
from alerts.response.failures import WatchState
from alerts.response.incident import Impacts, Incident, Loss, Scope, Urgency
from alerts.response.opening import PlanOf, belongs, declared, graded, grows, joined, known, opened
from alerts.response.reviewing import prefilled
from alerts.response.severity import SeverityTable, severity_table
from alerts.response.signals import Signals
from alerts.routing.change import change_of
from models.errors import IncidentError, StoreError

TRIES = 8
SAVE_EVERY_MS = 10_000
MOST_USD = 1e15
"""More is a mistake; and neither it nor what is no number may get into a document that everybody reads."""
_WATCH = "detectors"


class ResponseCore(Containing):
    """See the module's docstring. plan_of: the emergency plan in force for a kind at a time; speed: see Clock.

    notices: the notification clocks; None: nobody is owed any.
    """

    def __init__(
        self, store: ResponseStore, detector: Detector | None = None, table: SeverityTable | None = None,
        plan_of: PlanOf = lambda _kind, _now: None, speed: float = 1.0, notices: NoticeClocks | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store)
        self.table = severity_table() if table is None else table
        self.plan_of, self.speed, self.notices = plan_of, speed, notices
        self._version, self._saved = 0, 0
        self._detector = detector

    # time

    @property
    def detector(self) -> Detector:
        """With what it remembers of the time before; who only acts needs none."""
        if self._detector is None:
            self._detector = Detector(state=self._remembered())
        return self._detector

    def step(self, now: int, signals: Signals, acts: Sequence[AnyAct] = (), watched: bool = True) -> Effects:
        """Look at the signals, do what people ask for, let time do its part; what came of it, settled already.

        now: the people's clock, ms. watched: False while history is read in, which nobody is to be woken for. An act
        that is refused raises IncidentError or RefusedError; the rest is done.
        """
        clock, effects = Clock(now, signals.at or now, self.speed), Effects()
        found = self.detector.step(now, signals) if watched else []
        if not signals.reachable:
            return effects
        self.settle()
        for detection in found:
            effects.owed += self._take(detection, clock).owed
        refused: Exception | None = None
        for act in acts:
            try:
                effects.owed += self.perform(act, clock).owed
            except (IncidentError, StoreError) as error:
                refused = refused or error
        effects.owed += self.witness(clock).owed
        effects.owed += self.lapse(clock).owed
        for incident in self.incidents():
            effects.owed += self._time(incident, clock).owed
        if watched:
            self._remember(now)
        if refused is not None:
            raise refused
        return effects

    def incidents(self, live: bool = True) -> list[Incident]:
        """All that are at work or ended lately (or all there ever were), oldest first."""
        found = [
            msgspec.msgpack.decode(body, type=Incident) for body in self.store.documents("incident", live)
        ]
        return sorted(found, key=lambda one: (one.detected_at, one.id))

    def incident(self, id_: str) -> Incident:
        """One incident. IncidentError when there is none of this id."""
        body = self.store.document("incident", id_)
        if body is None:
            raise IncidentError(
                f"there is no incident {id_}: `tidegate incident list` shows them", zh=f"没有事件 {id_}"
            )
        return msgspec.msgpack.decode(body, type=Incident)

    # people

    def declare(
        self, kind: str, scope: Scope, actor: str, role: str, reason: str, clock: Clock, *,
        impacts: Impacts | None = None, urgency: Urgency | None = None, alerts: Sequence[str] = (),
        exposed_usd: float = 0.0, rate: float = 1.0,
    ) -> tuple[Incident, Effects]:  # fmt: skip
        """Declare by hand. exposed_usd × rate is the estimate of the loss."""
        rights.require(role, "incident.declare")
        if not 0 <= exposed_usd < MOST_USD or not 0 <= rate <= 1:
            raise IncidentError(
                "give an exposed amount of 0 or more and a rate between 0 and 1",
                zh="敞口金额须不小于 0，比率须在 0 与 1 之间",
            )
        loss = Loss(exposed_usd=exposed_usd, rate=rate)
        if exposed_usd:
            impacts = msgspec.structs.replace(impacts or Impacts(), loss_usd=loss.usd)
        incident, lines = declared(
            kind, scope, actor, reason, clock, self.table, self.plan_of(kind, clock.now), impacts=impacts,
            urgency=urgency, alerts=alerts, loss=loss,
        )  # fmt: skip
        return incident, self._write(None, incident, lines, role=role, alerts=alerts)

    def perform(self, act: AnyAct, clock: Clock) -> Effects:
        """Do one act, whoever else acts at the same time."""
        right = act.right
        if isinstance(act, Move) and act.to == "closed":
            right = "incident.close"
        rights.require(act.role, right)
        alerts = [act.alert] if isinstance(act, Attach) else []
        self._check_free(alerts, act.incident)
        return self.change(act.incident, lambda one: self._after(one, act, clock), act.role, alerts)

    def change(
        self, id_: str, act: Callable[[Incident], tuple[Incident, int]], role: str = "", alerts: Sequence[str] = ()
    ) -> Effects:  # fmt: skip
        """Compare and set until nobody was faster.

        act: the incident afterwards, and the lines it adds. alerts: those that belong to it from now on.
        """
        for _ in range(TRIES):
            before = self.incident(id_)
            after, lines = act(before)
            closes = after.phase == "closed" != before.phase
            archive = archive_of(after, after.timeline[-1].actor, role) if closes else []
            effects = self._write(before, after, lines, role=role, alerts=alerts, more=archive)
            if effects.owed:
                return effects
        raise StoreError(f"{id_} keeps changing under our hands: try again")

    def export_noted(self, id_: str, actor: str, role: str, now: int) -> None:
        """Record that somebody takes the evidence of an incident out. RefusedError unless the role may."""
        rights.require(role, "incident.evidence")
        one = self.incident(id_)
        self.store.append_audit(
            AuditEntry(
                actor, role, "exported", "incident", id_, now, "evidence", after={"version": one.version}
            )
        )

    def _after(self, incident: Incident, act: AnyAct, clock: Clock) -> tuple[Incident, int]:
        """The incident after an act and what it brings with it."""
        after = applied(incident, act, clock.now)
        if isinstance(act, Know):
            return known(after, clock, self.table)
        if isinstance(act, Regrade):
            return graded(incident, after, clock, self.table), 1
        if after.phase == "review" and incident.phase != "review":
            mine = [one for one in self.measures(live=False) if one.incident == after.id]
            told = [] if self.notices is None else self.notices.lines(after, clock.now)
            return prefilled(after, mine, self.table, told), 1
        return after, 1

    # the rest

    def _take(self, detection: Detection, clock: Clock) -> Effects:
        one, lines = opened(detection, clock, self.table, self.plan_of(detection.kind, clock.now))
        for incident in reversed(self.incidents()):
            if belongs(incident, detection):
                if grows(incident, one, self.table):
                    break
                outcome = joined(incident, detection, clock, self.table)
                if outcome is None:
                    return Effects()
                return self._write(incident, *outcome, alerts=detection.alert_ids)
        return self._write(None, one, lines, alerts=detection.alert_ids)

    def _time(self, incident: Incident, clock: Clock) -> Effects:
        owes = self.notices is not None and self.notices.open(incident, clock.now)
        if not owes and not watch.listed(incident, clock.now):
            return self._write(
                incident, msgspec.structs.replace(incident, version=incident.version + 1), 0, live=False
            )
        effects = Effects()
        late = [] if self.notices is None else self.notices.overdue(incident, clock.now)
        for one in [*watch.overdue(incident, clock.now, self.table), *late]:
            after = watch.said(incident, one, clock.now)
            notice = notice_of(after, one.mark, clock.now, one.text_en, one.text_zh, incident.severity)
            owed = Owed(id=f"{after.id}:{after.version}:notice", change=notice)
            effects.owed += self._write(incident, after, 1, more=[owed]).owed
            incident = after
        return effects

    def _write(
        self, before: Incident | None, after: Incident, lines: int, *, role: str = "", alerts: Sequence[str] = (),
        live: bool = True, more: Sequence[Owed] = (),
    ) -> Effects:  # fmt: skip
        """Write one incident with what it owes; nothing when somebody was faster (the next step looks again)."""
        fresh = [] if not alerts else self._fresh(alerts)
        owed = [*(owed_by(after, lines, role) if lines else []), *self._children(after, fresh), *more]
        write = Write(
            "incident", after.id, 0 if before is None else before.version, after.version,
            msgspec.msgpack.encode(after), live,
        )  # fmt: skip
        if not self.store.respond([write], [(alert, after.id) for alert in fresh], owed):
            return Effects()
        self.settle()
        return Effects(owed)

    def _check_free(self, alerts: Sequence[str], incident: str) -> None:
        """IncidentError unless there are such alerts and they belong to no other incident."""
        known = self.store.incident_of(list(alerts)) if alerts else {}
        for id_ in alerts:
            if self.store.alert(id_) is None:
                raise IncidentError(f"there is no alert {id_}", zh=f"没有警报 {id_}")
            if known.get(id_, incident) != incident:
                raise IncidentError(f"{id_} belongs to {known[id_]}", zh=f"{id_} 已属于事件 {known[id_]}")

    def _fresh(self, alerts: Sequence[str]) -> list[str]:
        known = self.store.incident_of(list(alerts))
        return [alert for alert in alerts if alert not in known]

    def _children(self, incident: Incident, alerts: Sequence[str]) -> list[Owed]:
        """Tell the router whose children these alerts are now."""
        owed = []
        for id_ in alerts:
            alert = self.store.alert(id_)
            if alert is not None:
                change = msgspec.structs.replace(change_of(alert), incident=incident.id, version=0)
                owed.append(Owed(id=f"{incident.id}:child:{id_}", change=change))
        return owed

    # what detectors remember

    def _remembered(self) -> WatchState:
        body = self.store.document("watch", _WATCH)
        if body is None:
            return WatchState()
        self._version, state = msgspec.msgpack.decode(body, type=tuple[int, WatchState])
        return state

    def _remember(self, now: int) -> None:
        if 0 <= now - self._saved < SAVE_EVERY_MS:
            return
        body = msgspec.msgpack.encode((self._version + 1, self.detector.state))
        if self.store.respond([Write("watch", _WATCH, self._version, self._version + 1, body)]):
            self._version += 1
        else:
            # Another watcher took over: count on from its state's number, each with its own memory.
            found = self.store.document("watch", _WATCH)
            if found is not None:
                self._version = msgspec.msgpack.decode(found, type=tuple[int, WatchState])[0]
        self._saved = now
