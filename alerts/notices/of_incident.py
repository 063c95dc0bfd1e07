"""The notification clocks of an incident as it is kept: facts from its document, what is due to be said, lines to read.

What people note with `tidegate incident know --fact NAME=VALUE` is read by name: a quantity or a moment of IncidentFacts
(moments as ms or ISO 8601 with a zone), one of its flags (true or false), or an item of notice_content.toml (a text).
What no notice asks for may be kept all the same under a name of one's own that begins with `note_`.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping

from alerts.notices.clocks import Notice, notices_of
from alerts.notices.deadlines import Rules, shipped_rules
from alerts.notices.facts import FLAGS, LATEST_MS, MOMENTS, IncidentFacts, Profile, Sent
from alerts.response.incident import Fact, Incident
from alerts.response.kinds import BY_ID
from alerts.response.severity import cny_per_usd
from alerts.response.watch import Overdue
from models.errors import IncidentError

_COUNTS = ("customers", "records", "persons", "payments_failed")
_AMOUNTS = ("outage_min", "loss_cny")
_OPEN = ("due", "soon", "late")
NOTE = "note_"
"""How the name of a fact begins that no notice asks for."""


def check_facts(facts: Mapping[str, Fact]) -> None:
    """IncidentError for a name that no notice asks for, or a value that its clock could not read."""
    items = {one.id for one in shipped_rules().item}
    names = sorted({*_COUNTS, *_AMOUNTS, *MOMENTS, *FLAGS, *items})
    for name, value in facts.items():
        if name.startswith(NOTE) and name != NOTE:
            continue
        if name not in names:
            near = ", ".join(difflib.get_close_matches(name, names, 5, 0.5)) or ", ".join(names)
            raise IncidentError(
                f"no notice asks for a fact {name!r}; allowed are: {near} (all: docs/notices.md); "
                f"what none asks for begins with {NOTE}, as in {NOTE}{name.strip() or 'source'}",
                zh=f"没有通报使用事实 {name!r}；可用：{near}（全部见 docs/notices.md）；其他事实的名称须以 {NOTE} 开头",
            )
        if name in items:
            continue
        if name in FLAGS and not isinstance(value, bool):
            raise IncidentError(f"{name} is true or false, not {value!r}", zh=f"{name} 须为 true 或 false")
        if name in (*_COUNTS, *_AMOUNTS) and _number(value) is None:
            raise IncidentError(
                f"{name} is a number of 0 or more, not {value!r}", zh=f"{name} 须为不小于 0 的数"
            )
        if name in MOMENTS and _moment(value) is None:
            raise IncidentError(
                f"{name} is a moment in ms or ISO 8601 with its zone (2026-11-25T02:30Z), not {value!r}",
                zh=f"{name} 须为毫秒或带时区的 ISO 8601 时刻（2026-11-25T02:30Z）",
            )


def facts_of(incident: Incident, language: str = "en", rules: Rules | None = None) -> IncidentFacts:
    """What the clocks need to know. A note whose value is no such thing counts as not known."""
    rules = shipped_rules() if rules is None else rules
    told, impacts = incident.facts, incident.impacts
    kind = BY_ID.get(incident.kind)
    title = incident.title if kind is None else kind.title_zh if language == "zh" else kind.title_en
    moments = {name: _moment(told.get(name)) for name in MOMENTS}
    # When it began nobody may know yet; then no later than when it was seen, so that no clock begins too late.
    began = incident.detected_at if incident.first_bad_at is None else incident.first_bad_at
    numbers: dict[str, float | None] = {name: _number(told.get(name)) for name in (*_COUNTS, *_AMOUNTS)}
    loss = None if impacts.loss_usd is None else impacts.loss_usd * cny_per_usd()
    known = {
        "customers": impacts.customers, "records": impacts.records, "payments_failed": impacts.payments_failed,
        "outage_min": impacts.outage_min, "loss_cny": loss,
    }  # fmt: skip
    numbers |= {name: value for name, value in known.items() if numbers[name] is None}
    counts = {name: None if numbers[name] is None else int(numbers[name] or 0) for name in _COUNTS}
    items = {one.id for one in rules.item} - {name for name, at in moments.items() if at is not None}
    return IncidentFacts(
        incident=incident.id, kind=incident.kind, severity=incident.severity, title=title,
        occurred=moments["occurred"] if moments["occurred"] is not None else began,
        known=moments["known"] if moments["known"] is not None else incident.detected_at,
        classified=moments["classified"], determined=moments["determined"],
        handling_ended=(
            moments["handling_ended"] if moments["handling_ended"] is not None else incident.recovered_at
        ),
        **counts, outage_min=numbers["outage_min"], loss_cny=numbers["loss_cny"],
        flags={name: value for name in FLAGS if isinstance(value := told.get(name), bool)},
        content={name: value for name, value in told.items() if name in items and isinstance(value, str)},
        sent={
            name: Sent(at=one.at, by=one.by, digest=one.digest, missing=one.missing, reason=one.reason)
            for name, one in incident.notices.items()
        },
        waived=dict(incident.not_applicable),
    )  # fmt: skip


class NoticeClocks:
    """The clocks of incidents under our obligations. Pure: all it says follows from the incident, `now` and the rules."""

    def __init__(self, profile: Profile, rules: Rules | None = None) -> None:
        self.profile, self.rules = profile, shipped_rules() if rules is None else rules

    def of(self, incident: Incident, now: int) -> list[Notice]:
        """Every clock, the most urgent first. An incident that was none owes nothing."""
        if incident.phase == "dismissed":
            return []
        return notices_of(facts_of(incident, rules=self.rules), self.profile, now, self.rules)

    def overdue(self, incident: Incident, now: int) -> list[Overdue]:
        """What is soon due or late for certain and has not been said."""
        out = []
        for one in self.of(incident, now):
            mark = f"notice:{one.id}:{one.state}"
            if (
                one.owed != "yes"
                or one.state not in ("soon", "late")
                or one.due is None
                or mark in incident.marks
            ):
                continue
            by = f"{dt.datetime.fromtimestamp(one.due / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
            said = {"soon": ("is due by", "须在此前完成"), "late": ("is LATE since", "已逾期，期限为")}[
                one.state
            ]
            out.append(
                Overdue(
                    mark, f"notice {one.id} to {one.recipient.en} {said[0]} {by}",
                    f"致{one.recipient.zh}的通报 {one.id} {said[1]} {by}",
                )
            )  # fmt: skip
        return out

    def open(self, incident: Incident, now: int) -> bool:
        """True while a notice is owed for certain and its clock runs."""
        return any(one.owed == "yes" and one.state in _OPEN for one in self.of(incident, now))

    def lines(self, incident: Incident, now: int) -> list[str]:
        """A line for each, for the review: what was owed, when it went out, how late."""
        return [_line(one) for one in self.of(incident, now)]


def _line(one: Notice) -> str:
    text = f"{one.id} to {one.recipient.en}: {one.state}"
    if one.owed == "unknown":
        text += f", not decided whether it is owed ({', '.join(one.needs)})"
    if one.due is not None:
        text += f", due {dt.datetime.fromtimestamp(one.due / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
    if one.sent_at is not None:
        text += f", sent {dt.datetime.fromtimestamp(one.sent_at / 1000, dt.UTC):%Y-%m-%d %H:%M} UTC"
    if one.late_ms:
        text += f", {one.late_ms / 60_000:,.0f} min late"
    return text + (f" ({one.reason})" if one.reason else "")


def _moment(value: Fact | None) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
        value = None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    return int(value) if value is not None and 0 <= value <= LATEST_MS else None


def _number(value: Fact | None) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        return None
    return float(value)
