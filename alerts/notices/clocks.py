"""The clocks of an incident: which notices are owed, by when, and how each stands. A pure function of facts and `now`."""

from __future__ import annotations

from typing import Literal

import msgspec

from alerts.emergency.reading import Words
from alerts.notices.criteria import owed
from alerts.notices.deadlines import Deadline, Rules, shipped_rules, span_of
from alerts.notices.facts import IncidentFacts, Profile
from alerts.notices.working_days import End, ends

State = Literal["late", "soon", "due", "waiting", "sent", "waived"]
ORDER: tuple[State, ...] = ("late", "soon", "due", "waiting", "sent", "waived")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One clock. Times in ms; None: it does not run yet.

    state: `late` is past `due`, `soon` past `warn`, `waiting` has no start yet, `waived` a person said that it is not
    owed. owed: `unknown` while a fact is missing that decides it; the clock runs all the same. needs: facts to find out.
    late_ms: by how much it is late, or was sent late. own_line: the law says "immediately", the limit is ours.
    published: False while the holidays it was counted with are not official yet.
    """

    id: str
    recipient: Words
    stage: Words
    contact: str
    state: State
    owed: Literal["yes", "unknown"]
    needs: list[str]
    start: int | None
    warn: int | None
    due: int | None
    within: str
    timezone: str
    late_ms: int = 0
    sent_at: int | None = None
    own_line: bool = False
    published: bool = True
    reason: str = ""
    source: str = ""
    confidence: str = ""
    verified: bool = False


def notices_of(facts: IncidentFacts, profile: Profile, now: int, rules: Rules | None = None) -> list[Notice]:
    """Every notice that is owed or may be, the most urgent first."""
    rules = shipped_rules() if rules is None else rules
    found = [
        notice for row in rules.deadline if (notice := _notice(row, facts, profile, now, rules)) is not None
    ]
    return sorted(found, key=lambda one: (ORDER.index(one.state), one.due or 0, one.id))


def worst(notices: list[Notice]) -> State | None:
    """The most urgent state among those that are owed for certain; None when none is."""
    return min((one.state for one in notices if one.owed == "yes"), key=ORDER.index, default=None)


def _notice(row: Deadline, facts: IncidentFacts, profile: Profile, now: int, rules: Rules) -> Notice | None:
    verdict = owed(row, facts, profile, rules)
    sent = facts.sent.get(row.id)
    if verdict.answer == "no" and sent is None:
        return None
    country = rules.home(profile.jurisdictions, row.jurisdiction) or "CN"
    place = rules.place[country]
    start, end, needs = _limit(row, facts, country, rules)
    due = None if end is None else end.at
    warn = None if due is None or start is None else start + int((due - start) * rules.warn_at)
    waived = facts.waived.get(row.id, "")
    state: State = (
        "waiting"
        if due is None or warn is None
        else "late"
        if now > due
        else "soon"
        if now >= warn
        else "due"
    )
    late = 0 if due is None else max(0, (now if sent is None else sent.at) - due)
    if sent is not None:
        state = "sent"
    elif waived:
        state, late = "waived", 0
    return Notice(
        id=row.id, recipient=row.recipient, stage=row.stage, contact=row.contact, state=state,
        owed="unknown" if verdict.answer == "unknown" else "yes", needs=[*verdict.needs, *needs], start=start, warn=warn,
        due=due, within=row.within, timezone=place.timezone, late_ms=late, sent_at=None if sent is None else sent.at,
        own_line=row.immediately, published=True if end is None else end.published,
        reason=waived or ("" if sent is None else sent.reason), source=row.source, confidence=row.confidence,
        verified=row.verified,
    )  # fmt: skip


def _limit(
    row: Deadline, facts: IncidentFacts, country: str, rules: Rules
) -> tuple[int | None, End | None, list[str]]:
    """Start and end of the clock, and what it waits for. The cap counts while the start is not known, too."""
    place = rules.place[country]
    before = facts.sent.get(row.after)
    start = (None if before is None else before.at) if row.start == "sent" else facts.moment(row.start)
    needs = [] if start is not None else [row.after or row.start]
    end = None if start is None else ends(start, row.span, place, row.rolls)
    cap_start = None if row.cap is None else facts.moment(row.cap.start)
    if row.cap is None or cap_start is None:
        return start, end, needs
    cap = ends(cap_start, span_of(row.cap.within), place)
    if start is None or end is None:
        return cap_start, cap, needs
    return (start, end, needs) if start > cap.at or end.at <= cap.at else (cap_start, cap, needs)
