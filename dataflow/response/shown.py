"""What `tidegate incident` shows: the list, one incident, and what reviews have left to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from alerts.response.incident import Incident, scope_text
from alerts.response.readings import case_of, left_to_do
from alerts.response.reviewing import clock
from dataflow.commands import showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.response.core import ResponseCore
    from alerts.routing.why import Why
    from dataflow.settings import Settings


UNTOLD = "nobody was told: no route"


def hearing(settings: Settings, incident: Incident, now: int) -> str:
    """Whom the routing tells of an incident that was only just declared, before the sender has read of it."""
    from alerts.response.announcing import change_of_incident
    from alerts.routing.imagining import imagine
    from dataflow.sender import plan_of

    try:
        found = imagine(plan_of(settings), change_of_incident(incident, now), now)
    except SettingsError as error:
        return f"unknown, the routing cannot be read: {error}"  # the incident is declared all the same
    first = [name for step in found.steps if step.level == 0 for name in step.told]
    return ", ".join(dict.fromkeys(first)) or found.fallback or UNTOLD


def listed(core: ResponseCore, args: argparse.Namespace) -> int:
    """The incidents at work, or all."""
    found = [one for one in core.incidents(live=not args.all) if args.all or one.ended_at is None]
    if args.json:
        showing.show({"incidents": [_line(one) for one in found]}, "", as_json=True)
        return 0
    for one in found:
        answered = "acknowledged" if one.acknowledged_at is not None else "NOT ACKNOWLEDGED"
        print(f"{one.id} {one.severity} {one.phase}: {one.title}, since {clock(one.detected_at)}, {answered}")
    if not found:
        print("no incident is at work")
    return 0


def shown(core: ResponseCore, args: argparse.Namespace, now: int, why: Why | None) -> int:
    """One incident with everything about it. why: the router's record of it."""
    case = case_of(core, args.id)
    if args.json:
        showing.show(msgspec.to_builtins(case), "", as_json=True)
        return 0
    one = case.incident
    print(f"{one.id} {one.severity} {one.title}")
    print(f"phase {one.phase}, scope {scope_text(one.scope)}, commander {one.commander or 'nobody'}")
    print(f"{one.alert_count} alerts, estimated loss {one.loss.usd:,.2f} USD")
    for name, at in msgspec.structs.asdict(case.due).items():
        if at is not None:
            print(f"{name} due {clock(at)}{' - LATE' if at < now else ''}")
    missing = UNTOLD if why is not None and why.told_nobody else "no answer yet"
    for page in one.team:
        print(f"paged {page.role}: {page.by or missing}")
    for line in core.notices.lines(one, now) if core.notices is not None else ():
        print(f"notice {line}")
    for measure in case.measures:
        print(f"{measure.id} {measure.state.replace('_', ' ')}: {measure.text}")
    for entry in one.timeline:
        print(f"{clock(entry.at)} {entry.actor} {entry.kind.replace('_', ' ')}: {entry.text}")
    if one.review is not None and one.ended_at is None:
        print(f"the review lacks: {', '.join(case.missing) or 'nothing'}")
    return 0


def to_do(core: ResponseCore, args: argparse.Namespace, now: int) -> int:
    """Actions of reviews that are not done."""
    found = left_to_do(core, now)
    if args.json:
        showing.show({"actions": msgspec.to_builtins(found)}, "", as_json=True)
        return 0
    for one in found:
        mark = "LATE " if one.late else ""
        print(
            f"{mark}{one.action.due} {one.action.owner}: {one.action.id}: {one.action.text} ({one.incident})"
        )
    if not found:
        print("no action is left to do")
    return 0


def _line(one: Incident) -> dict[str, object]:
    return {
        "id": one.id, "kind": one.kind, "severity": one.severity, "phase": one.phase, "title": one.title,
        "scope": one.scope, "source": one.source, "detected_at": one.detected_at, "declared_at": one.declared_at,
        "acknowledged_at": one.acknowledged_at, "contained_at": one.contained_at, "ended_at": one.ended_at,
        "alerts": one.alert_count, "loss_usd": round(one.loss.usd, 2), "commander": one.commander,
    }  # fmt: skip
