"""The read model of incidents and containment: what the Incidents page and the banner read and write.

It goes through the console's one read model (data.py), so that readings are shared and kept in the same way. Times are ms
since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import msgspec

from alerts.alert import Alert
from alerts.emergency.plan import Plan
from alerts.emergency.presets import Proposal
from alerts.emergency.settings import EmergencySettings
from alerts.notices.clocks import Notice
from alerts.notices.drafting import NoticeDraft, draft_notice
from alerts.notices.facts import Profile
from alerts.notices.of_incident import NoticeClocks, facts_of
from alerts.response.acts import AnyAct, NoticeSent
from alerts.response.blast_radius import BlastRadius
from alerts.response.clock import present
from alerts.response.containing import ResponseStore
from alerts.response.core import ResponseCore
from alerts.response.incident import Incident
from alerts.response.measure import Measure
from alerts.response.planned import plans_by
from alerts.response.readings import Due, due_of
from alerts.response.severity import severity_table
from alerts.routing.why import Why
from alerts.store import Store
from dashboard.data import ReadModel
from dashboard.readings import Reading
from models.errors import IncidentError, PlanError

ALERTS_SHOWN = 100
ENDED_SHOWN = 50
T = TypeVar("T")


class Row(msgspec.Struct, frozen=True):
    """An incident with its clocks. notice: the most urgent one that is owed for certain."""

    incident: Incident
    due: Due
    notice: Notice | None


class Board(msgspec.Struct, frozen=True):
    """at_work: the gravest first; ended: newest first."""

    at_work: list[Row]
    ended: list[Row]


class IncidentView(msgspec.Struct, frozen=True):
    """One incident and what is beside it.

    taken: when the flow took each measure, by its id. why: what the router did; None: it has not heard of it. plan: None:
    it follows none, or `plan_error` says why it cannot be read. missing: what its review lacks.
    """

    row: Row
    measures: list[Measure]
    taken: dict[str, int]
    alerts: list[Alert]
    why: Why | None
    plan: Plan | None
    plan_error: str
    notices: list[Notice]
    missing: list[str]


class IncidentData:
    """Readings and verbs of the response; shared by all sessions of the console. profile: whom we owe notices."""

    def __init__(self, model: ReadModel, emergency: EmergencySettings, profile: Profile) -> None:
        self._model, self.profile = model, profile
        self._emergency = emergency
        self._plan_of = plans_by(emergency.book)
        self._clocks = NoticeClocks(profile)
        self._plans: dict[tuple[str, str], Plan] = {}

    def live(self) -> Reading[tuple[list[Measure], dict[str, int]]]:
        """Measures that wait or are in force, and when the flow took those it took; for the banner on every page."""

        def take(store: Store) -> tuple[list[Measure], dict[str, int]]:
            core = self._core(store)
            found = core.measures()
            return found, _taken(core, found)

        return self._model.read("measures", take)

    def board(self) -> Reading[Board]:
        """What is at work, and what has ended."""

        def take(store: Store) -> Board:
            core = self._core(store)
            rows = [self._row(one) for one in core.incidents(live=False)]
            at_work = [row for row in rows if row.incident.ended_at is None]
            ended = [row for row in rows if row.incident.ended_at is not None]
            return Board(
                sorted(at_work, key=lambda row: (row.incident.severity, row.incident.detected_at)),
                sorted(ended, key=lambda row: -(row.incident.ended_at or 0))[:ENDED_SHOWN],
            )

        return self._model.read("incidents", take)

    def incident(self, id_: str) -> Reading[IncidentView | None]:
        """One incident; the inner None: there is none of this id."""
        return self._model.read(f"incident:{id_}", lambda store: self._view(self._core(store), id_))

    def incident_of(self, alert_id: str) -> Reading[str]:
        """The incident an alert belongs to; "": none."""
        return self._model.read(
            f"incident_of:{alert_id}",
            lambda store: cast("ResponseStore", store).incident_of([alert_id]).get(alert_id, ""),
        )

    def dry_run(self, what: Proposal) -> Reading[BlastRadius]:
        """What a measure would have stopped. IncidentError when it makes no sense."""
        key = f"dry:{what.verb}:{sorted(what.scope.items())}:{what.above_usd}"
        return self._model.read(
            key, lambda store: self._core(store).dry_run(what.verb, what.scope, what.above_usd)
        )

    def draft(self, incident: Incident, notice: str, language: str) -> NoticeDraft:
        """A notice as it could go out now. Raises PlanError."""
        return draft_notice(notice, facts_of(incident, language), self.profile, language)

    # verbs; they raise StoreError (RefusedError for the role) and IncidentError

    def declare(
        self, kind: str, scope: dict[str, str], reason: str, actor: str, role: str, alerts: Sequence[str]
    ) -> str:
        """Declare by hand; the incident's id."""

        def call(store: Store) -> str:
            core = self._core(store)
            known = [store.alert(id_) for id_ in alerts]
            exposed = sum(alert.amount_usd for alert in known if alert is not None)
            rate = max((alert.decision.risk for alert in known if alert is not None), default=1.0)
            one, _ = core.declare(
                kind, scope, actor, role, reason, present(_full(store), self._model.now()), alerts=alerts,
                exposed_usd=exposed, rate=rate,
            )  # fmt: skip
            return one.id

        return self._model.write(call)

    def perform(self, act: AnyAct) -> None:
        """Do one act in an incident."""
        self._change(lambda core: core.perform(act, present(core.store, self._model.now())))

    def send_notice(
        self, id_: str, draft: NoticeDraft, reason: str, actor: str, role: str, changed: str
    ) -> None:
        """Record that a notice went out as it was read.

        changed: what to say when it has changed since. Raises PlanError too.
        """

        def call(core: ResponseCore) -> None:
            if self.draft(core.incident(id_), draft.id, draft.language).digest != draft.digest:
                raise IncidentError(changed, zh=changed)
            act = NoticeSent(
                incident=id_, actor=actor, role=role, reason=reason, deadline=draft.id, digest=draft.digest,
                missing=draft.missing,
            )  # fmt: skip
            core.perform(act, present(core.store, self._model.now()))

        self._change(call)

    def propose(
        self, what: Proposal, model: str, reason: str, incident: str | None, actor: str, role: str
    ) -> Measure:
        """Propose a measure; one that needs no second person is in force at once."""
        return self._change(
            lambda core: core.propose(
                what.verb, what.scope, reason, actor, role, present(core.store, self._model.now()),
                minutes=what.minutes, above_usd=what.above_usd, model=model, incident=incident,
            )[0]
        )  # fmt: skip

    def approve(self, measure: str, actor: str, role: str, reason: str) -> None:
        """Put a proposal in force."""
        self._change(
            lambda core: core.approve(measure, actor, role, present(core.store, self._model.now()), reason)
        )

    def end(self, measure: str, actor: str, role: str, reason: str) -> None:
        """Refuse a proposal, or undo what is in force."""
        self._change(
            lambda core: core.end(measure, actor, role, reason, present(core.store, self._model.now()))
        )

    def _change(self, call: Callable[[ResponseCore], T]) -> T:
        return self._model.write(lambda store: call(self._core(store)))

    def _core(self, store: Store) -> ResponseCore:
        return ResponseCore(_full(store), plan_of=self._plan_of, notices=self._clocks)

    def _view(self, core: ResponseCore, id_: str) -> IncidentView | None:
        body = core.store.document("incident", id_)
        if body is None:
            return None
        one = msgspec.msgpack.decode(body, type=Incident)
        mine = [measure for measure in core.measures(live=False) if measure.incident == id_]
        alerts = [core.store.alert(alert) for alert in one.alert_ids[-ALERTS_SHOWN:]]
        plan, wrong = self._plan(one)
        return IncidentView(
            row=self._row(one), measures=mine, taken=_taken(core, mine),
            alerts=[alert for alert in alerts if alert is not None], why=core.store.why(f"incident:{id_}"), plan=plan,
            plan_error=wrong, notices=self._clocks.of(one, self._model.now()),
            missing=[] if one.review is None else one.review.missing(),
        )  # fmt: skip

    def _row(self, incident: Incident) -> Row:
        owed = (one for one in self._clocks.of(incident, self._model.now()) if one.owed == "yes")
        urgent = next((one for one in owed if one.state in ("late", "soon", "due")), None)
        return Row(incident, due_of(incident, severity_table()), urgent)

    def _plan(self, incident: Incident) -> tuple[Plan | None, str]:
        if incident.plan is None:
            return None, ""
        name = (incident.plan.id, incident.plan.version)
        try:
            # A version does not change once it is in force; what could not be read is tried again.
            if name not in self._plans:
                self._plans[name] = self._emergency.book().plan(*name)
        except PlanError as error:
            return None, str(error)
        return self._plans[name], ""


def _full(store: Store) -> ResponseStore:
    """Every store that Tidegate has is such; the console's read model asks for less of it."""
    return cast("ResponseStore", store)


def _taken(core: ResponseCore, measures: list[Measure]) -> dict[str, int]:
    """When the flow took them, as it told itself, or as the watch noted it."""
    told = core.store.effects([one.control_id for one in measures])
    found = {one.id: told.get(one.control_id, one.effective_at) for one in measures}
    return {id_: at for id_, at in found.items() if at is not None}
