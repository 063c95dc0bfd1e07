"""What people look at: an incident with its measures and clocks, and the actions that reviews have left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from alerts.response.incident import Incident
from alerts.response.measure import Measure
from alerts.response.phases import ENDS
from alerts.response.review import Action
from alerts.response.severity import MINUTE_MS, SeverityTable
from alerts.response.watch import AT_WORK, late

if TYPE_CHECKING:
    from alerts.response.core import ResponseCore


class Due(msgspec.Struct, frozen=True):
    """Until when people have to answer, contain and report (ms). None: done, or not asked for now."""

    acknowledge: int | None = None
    contain: int | None = None
    sitrep: int | None = None


class IncidentCase(msgspec.Struct, frozen=True):
    """An incident with everything beside it. measures: of this incident, oldest first. missing: what its review lacks."""

    incident: Incident
    measures: list[Measure]
    due: Due
    missing: list[str]


class LeftToDo(msgspec.Struct, frozen=True):
    """An action of a review. late: its due day has passed."""

    incident: str
    title: str
    action: Action
    late: bool


def due_of(incident: Incident, table: SeverityTable) -> Due:
    """The clocks of an incident."""
    target = table.targets[incident.severity]
    answer = contain = sitrep = None
    if incident.acknowledged_at is None and incident.phase not in ENDS:
        asked = max(incident.detected_at, *(page.at for page in incident.team), 0)
        answer = asked + target.acknowledge * MINUTE_MS
    if incident.phase in AT_WORK and incident.declared_at is not None:
        if incident.contained_at is None:
            contain = incident.declared_at + target.contain * MINUTE_MS
        sitrep = (incident.sitrep_at or incident.declared_at) + target.sitrep * MINUTE_MS
    return Due(answer, contain, sitrep)


def case_of(core: ResponseCore, id_: str) -> IncidentCase:
    """The case of one incident. IncidentError when there is none of this id."""
    incident = core.incident(id_)
    mine = [one for one in core.measures(live=False) if one.incident == id_]
    missing = [] if incident.review is None else incident.review.missing()
    return IncidentCase(incident, mine, due_of(incident, core.table), missing)


def left_to_do(core: ResponseCore, now: int) -> list[LeftToDo]:
    """Actions of all reviews that are not done, the first due first. now: ms."""
    found = [
        LeftToDo(one.id, one.title, action, late(action, now))
        for one in core.incidents(live=False)
        if one.review is not None
        for action in one.review.actions
        if action.done is None
    ]
    return sorted(found, key=lambda one: (one.action.due, one.incident, one.action.id))
