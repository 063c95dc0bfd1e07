"""Whether a notice is owed: yes, no, or not known yet, and then which facts would tell. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.notices.deadlines import Deadline, Place, Rules, When
from alerts.notices.facts import Flag, IncidentFacts, Profile

Answer = Literal["yes", "no", "unknown"]
_BOUNDS = (
    ("customers_over", "customers", False), ("records_over", "records", False), ("persons_from", "persons", True),
    ("loss_cny_from", "loss_cny", True), ("outage_min_over", "outage_min", False),
    ("outage_min_from", "outage_min", True), ("payments_failed_over", "payments_failed", False),
)  # fmt: skip
_SEVERITIES = ("S1", "S2", "S3", "S4")


class Owed(NamedTuple):
    """needs: facts that have to be found out before it can be said; empty unless `unknown`."""

    answer: Answer
    needs: list[str]


def owed(row: Deadline, facts: IncidentFacts, profile: Profile, rules: Rules) -> Owed:
    """Whether the notice of a row is owed."""
    country = rules.home(profile.jurisdictions, row.jurisdiction)
    if country is None or not _in_force(row, facts, rules.place[country]):
        return Owed("no", [])
    if row.scheme is not None and row.scheme not in profile.schemes:
        return Owed("no", [])
    if row.entity and not set(row.entity) & set(profile.entity):
        return Owed("no", [])
    flags = {**profile.flags, **facts.flags}
    if any(flags.get(flag) for flag in row.unless):
        return Owed("no", [])
    triggers = [_holds(one, facts, flags) for one in row.when] or [Owed("yes", [])]
    if any(one.answer == "yes" for one in triggers):
        return Owed("yes", [])
    needs = [name for one in triggers if one.answer == "unknown" for name in one.needs]
    return Owed("unknown", list(dict.fromkeys(needs))) if needs else Owed("no", [])


def _in_force(row: Deadline, facts: IncidentFacts, place: Place) -> bool:
    """The row was in force when we became aware (or it began, where that is all we know)."""
    moment = facts.occurred if facts.known is None else facts.known
    if moment is None:
        return True
    return dt.datetime.fromtimestamp(moment / 1000, ZoneInfo(place.timezone)).date() >= row.effective_from


def _holds(when: When, facts: IncidentFacts, flags: Mapping[Flag, bool]) -> Owed:
    """A trigger holds when all its parts do; one part that does not settles it, whatever the others say."""
    needs = []
    for answer, need in _parts(when, facts, flags):
        if answer == "no":
            return Owed("no", [])
        if answer == "unknown":
            needs.append(need)
    return Owed("unknown", needs) if needs else Owed("yes", [])


def _parts(when: When, facts: IncidentFacts, flags: Mapping[Flag, bool]) -> Iterator[tuple[Answer, str]]:
    if when.kinds:
        yield ("yes" if facts.kind in when.kinds else "no"), "kind"
    if when.severity is not None:
        grave = _SEVERITIES.index(facts.severity) <= _SEVERITIES.index(when.severity)
        yield ("yes" if grave else "no"), "severity"
    for flag in when.flags:
        known = flags.get(flag)
        yield ("unknown" if known is None else "yes" if known else "no"), flag
    for bound, name, inclusive in _BOUNDS:
        least = getattr(when, bound)
        if least is None:
            continue
        value = getattr(facts, name)
        if value is None:
            yield "unknown", name
        else:
            yield ("yes" if value > least or (inclusive and value == least) else "no"), name
