"""Drafts of notices: everything the recipient must be told, filled with what is known, the gaps marked and named."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.emergency.letters import GAPS
from alerts.notices.deadlines import Deadline, Rules, known, shipped_rules
from alerts.notices.facts import MOMENTS, IncidentFacts, Profile
from models.errors import PlanError

_HEAD = {
    "en": "To: {recipient}\n{stage}\nIncident: {incident} ({title}), severity {severity}\nBasis: {basis}\n",
    "zh": "致：{recipient}\n{stage}\n事件：{incident}（{title}），严重程度 {severity}\n依据：{basis}\n",
}
_UNKNOWN_YET = {
    "en": "What is marked as missing was not known when this was written and follows without being asked for.",
    "zh": "标注为“缺”的内容在报告时尚未查明，将主动补报。",
}


class NoticeDraft(NamedTuple):
    """text: the notice as it could go out. missing: ids of content it lacks. digest: SHA-256 (hex) of the text."""

    id: str
    language: str
    text: str
    missing: list[str]
    digest: str


def draft_notice(
    id_: str, facts: IncidentFacts, profile: Profile, language: str, rules: Rules | None = None
) -> NoticeDraft:
    """The draft of one notice in `en` or `zh`. PlanError when there is no such notice, or content it does not know."""
    rules = shipped_rules() if rules is None else rules
    row = known(id_, rules)
    items = {one.id: one for one in rules.item}
    unknown = sorted(set(facts.content) - set(items))
    if unknown:
        raise PlanError(f"content {unknown[0]!r} is none that a notice has; known are {', '.join(items)}")
    lines, missing = [], []
    for number, name in enumerate(row.content, 1):
        label = items[name].text.in_(language)
        value = facts.content.get(name, "").strip() or _known(items[name].fact, facts, profile, row, rules)
        if not value:
            missing.append(name)
            value = GAPS[language].format(label)
        lines.append(f"{number}. {label}: {value}" if language == "en" else f"{number}. {label}：{value}")
    head = _HEAD[language].format(
        recipient=row.recipient.in_(language), stage=row.stage.in_(language), incident=facts.incident,
        title=facts.title or facts.kind, severity=facts.severity, basis=row.basis.in_(language),
    )  # fmt: skip
    text = "\n".join([head, *lines, *(["", _UNKNOWN_YET[language]] if missing else [])]) + "\n"
    return NoticeDraft(id_, language, text, missing, hashlib.sha256(text.encode()).hexdigest())


def _known(fact: str, facts: IncidentFacts, profile: Profile, row: Deadline, rules: Rules) -> str:
    """A fact as a text; "" when there is none or it is not known."""
    if not fact:
        return ""
    if fact in ("reporter", "contact"):
        return str(getattr(profile, fact))
    value = getattr(facts, fact)
    if value is None:
        return ""
    if fact in MOMENTS:
        zone = rules.place[rules.home(profile.jurisdictions, row.jurisdiction) or "CN"].timezone
        moment = dt.datetime.fromtimestamp(value / 1000, ZoneInfo(zone))
        return f"{moment:%Y-%m-%d %H:%M} ({zone}, UTC{moment:%z})"
    if isinstance(value, int | float):
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return str(value)
