"""The review as it begins: every section that the record can answer is written from it, the others stay empty. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import msgspec

from alerts.response.incident import Incident, scope_text
from alerts.response.measure import Measure
from alerts.response.review import Review
from alerts.response.severity import MINUTE_MS, SeverityTable, cny_per_usd


def prefilled(
    incident: Incident, measures: Sequence[Measure], table: SeverityTable, notices: Sequence[str] = ()
) -> Incident:
    """`incident` with its review begun. What people have written already stays. notices: a line for each."""
    review = incident.review or Review()
    found = {
        "timeline": "\n".join(
            f"{clock(e.at)} {e.actor}: {e.kind.replace('_', ' ')}{': ' + e.text if e.text else ''}"
            for e in incident.timeline
            if e.kind != "joined"
        ),
        "detection_source": _source(incident),
        "impact": _impact(incident, table),
        "loss": f"{incident.loss.exposed_usd:,.2f} USD exposed x {incident.loss.rate:.1%} = {incident.loss.usd:,.2f} USD",
        "measures": "\n".join(_measure(one) for one in measures),
        "notifications": "\n".join(notices),
        "member_performance": _performance(incident, table),
        "containment_cost": _cost(measures),
    }
    sections = {name: text for name, text in found.items() if text} | {
        name: text for name, text in review.sections.items() if text.strip()
    }
    return msgspec.structs.replace(incident, review=msgspec.structs.replace(review, sections=sections))


def clock(at: int) -> str:
    """A moment for people, UTC."""
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def minutes(since: int | None, until: int | None) -> str:
    """How long, for people."""
    if since is None or until is None:
        return "not reached"
    return f"{(until - since) / MINUTE_MS:.1f} min"


def _source(incident: Incident) -> str:
    first = incident.timeline[0]
    if incident.source == "hand":
        return f"declared by {first.actor}: {first.text}"
    seen = incident.seen_at if incident.seen_at is not None else incident.detected_at
    began = incident.first_bad_at
    lead = "" if began is None else f", {(seen - began) / 1000:.0f} s after its first sign"
    return f"detector {incident.kind}{lead}: {first.text}"


def _impact(incident: Incident, table: SeverityTable) -> str:
    known = {
        name: value for name, value in msgspec.structs.asdict(incident.impacts).items() if value is not None
    }
    told = ", ".join(f"{name} {value:,}" for name, value in known.items()) or "nothing assessed"
    column = table.column(incident.impacts, cny_per_usd())
    return (
        f"{scope_text(incident.scope)}; {incident.alert_count} alerts; {told}; "
        f"urgency {incident.urgency}, column {column + 1} of 4, severity {incident.severity}"
    )


def _measure(one: Measure) -> str:
    text = f"{one.id} {one.text}, proposed by {one.proposed_by} at {clock(one.proposed_at)}: {one.reason}"
    if one.approved_at is not None:
        text += f"; approved by {one.approved_by} at {clock(one.approved_at)}"
    if one.ended_at is not None:
        text += f"; {one.state} at {clock(one.ended_at)} ({one.end_reason})"
    return text


def _performance(incident: Incident, table: SeverityTable) -> str:
    target = table.targets[incident.severity]
    lines = [
        f"acknowledged after {minutes(incident.detected_at, incident.acknowledged_at)} (target {target.acknowledge} min)",
        f"contained {minutes(incident.declared_at, incident.contained_at)} after the declaration "
        f"(target {target.contain} min)",
        f"recovered {minutes(incident.declared_at, incident.recovered_at)} after the declaration",
    ]
    for page in incident.team:
        lines.append(
            f"{page.role}: {page.by or 'nobody'}, answered after {minutes(page.at, page.acknowledged_at)}"
        )
    acts = Counter(e.actor for e in incident.timeline if e.actor != "tidegate")
    lines += [f"{actor}: {count} entries" for actor, count in sorted(acts.items())]
    late = [e.text for e in incident.timeline if e.kind == "overdue"]
    return "\n".join([*lines, *(f"missed: {text}" for text in late)])


def _cost(measures: Sequence[Measure]) -> str:
    lines = []
    for one in measures:
        if one.approved_at is None:
            continue
        radius = one.radius
        if radius is None:
            lines.append(f"{one.id}: not told by a dry run")
            continue
        share = f"{radius.good:,.1f} good payments ({radius.good_usd:,.2f} USD) in {radius.hours:g} h of the dry run"
        lines.append(f"{one.id}: {share}, in force {minutes(one.approved_at, one.ended_at)}")
    return "\n".join(lines) or "nothing was contained"
