"""Why did (or did not) this page me, in words: from the values that the router recorded to sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from alerts.alert import Alert
from alerts.routing.matching import length_text
from alerts.routing.reasons import (
    Acknowledged,
    Inhibited,
    Reason,
    Silenced,
    WaitingForGroup,
    code,
    named,
    sentence,
)
from alerts.routing.silence import Silence
from alerts.routing.view import RouteRow
from alerts.routing.why import Heard, Why
from dashboard.formats import utc
from dashboard.routing_data import Asked
from dashboard.settings import Language
from dashboard.text import Translate, name_of

Kind = Literal["told", "under_way", "dead", "quiet", "waits", "unknown"]
SYMBOL: dict[Kind, str] = {
    "told": "✉", "under_way": "◐", "dead": "✕", "quiet": "○", "waits": "◷", "unknown": "?"
}  # fmt: skip


def kind_of(asked: Asked) -> Kind:
    """How it stands with somebody hearing of it: the best that came of any message."""
    why = asked.why
    if why is None:
        return "unknown"
    fates = {heard.fate for heard in why.heard}
    if fates & {"delivered", "forgotten"}:
        return "told"
    if fates:
        return "under_way" if "in_flight" in fates else "dead"
    if why.unheard and all(isinstance(one.reason, WaitingForGroup) for one in why.unheard):
        return "waits"
    return "quiet" if why.unheard else "unknown"


def summary(t: Translate, language: Language, asked: Asked) -> str:
    """The answer in a few words."""
    kind, why = kind_of(asked), asked.why
    if why is None or kind == "unknown":
        return t("why.kind.unknown")
    if kind == "told":
        dead = [heard.receiver for heard in why.heard if heard.fate == "dead"]
        told = t(
            "why.kind.told", detail=", ".join(heard.receiver for heard in why.heard if heard.fate != "dead")
        )
        return f"{told} · {t('why.kind.dead', detail=', '.join(dead))}" if dead else told
    if kind == "waits":
        until = max(one.reason.until for one in why.unheard if isinstance(one.reason, WaitingForGroup))
        return t("why.kind.waits", detail=utc(until))
    if kind == "quiet":
        codes = dict.fromkeys(_code(one.reason) for one in why.unheard)
        return t("why.kind.quiet", detail=", ".join(named(name, language) for name in codes))
    return t(f"why.kind.{kind}", detail=", ".join(heard.receiver for heard in why.heard))


def _code(reason: Reason) -> str:
    return reason.state if isinstance(reason, Acknowledged) else code(reason)


def silencing(why: Why) -> list[str]:
    """Matchers of a silence of what is like this; none for what nobody would silence, or what is silenced."""
    change = why.change
    silenced = any(isinstance(one.reason, Silenced) for one in why.unheard)
    if silenced or change.state != "open" or change.kind not in ("alert", "incident"):
        return []
    found = [f"type={change.kind}"]
    corridor = change.value("corridor").partition(":")[0]
    found += [f"typology={change.value('typology')}"] if change.value("typology") else []
    return [*found, f"corridor={corridor}*"] if corridor else found


def headline(t: Translate, language: Language, asked: Asked, silences: Mapping[str, Silence]) -> str:
    """The answer in one or two sentences."""
    why, kind = asked.why, kind_of(asked)
    if why is None or kind == "unknown":
        return _unknown(t, asked)
    told = ", ".join(heard.receiver for heard in why.heard if heard.fate in ("delivered", "forgotten"))
    tried = ", ".join(heard.receiver for heard in why.heard)
    quiet = [one.reason for one in why.unheard if not isinstance(one.reason, WaitingForGroup)]
    reasons = dict.fromkeys(quiet_text(t, language, reason, asked.alert, silences) for reason in quiet)
    match kind:
        case "told":
            dead = ", ".join(heard.receiver for heard in why.heard if heard.fate == "dead")
            text = " ".join(
                [t("why.told", receivers=told), *([t("why.dead_beside", receivers=dead)] if dead else [])]
            )
        case "under_way":
            text = t("why.under_way", receivers=tried)
        case "dead":
            text = t("why.dead", receivers=tried)
        case "waits":
            until = max(one.reason.until for one in why.unheard if isinstance(one.reason, WaitingForGroup))
            return t("why.waits", time=utc(until))
        case _:
            return t("why.quiet", reasons=t("why.and").join(reasons))
    return " ".join([text, *([t("why.now_quiet", reasons=t("why.and").join(reasons))] if reasons else [])])


def _unknown(t: Translate, asked: Asked) -> str:
    if asked.alert is None:
        return t("why.gone", id=asked.key)
    key = "why.unknown_resolved" if asked.alert.status == "resolved" else "why.unknown"
    return t(key, status=name_of(t, "status", asked.alert.status))


def quiet_text(
    t: Translate, language: Language, reason: Reason, alert: Alert | None, silences: Mapping[str, Silence]
) -> str:
    """Why nobody is told, with who decided that and until when, where somebody did."""
    match reason:
        case Silenced() if reason.silence in silences:
            one = silences[reason.silence]
            return t(
                "why.silenced", id=one.id, who=one.actor, until=utc(one.ends_at), reason=one.reason,
                matchers=" ".join(one.matchers),
            )  # fmt: skip
        case Silenced():
            return t("why.silenced_gone", id=reason.silence, until=utc(reason.until))
        case Inhibited():
            return t("why.inhibited", id=reason.incident)
        case Acknowledged(state="snoozed") if alert is not None and alert.status == "snoozed":
            until = utc(alert.snoozed_until or 0)
            if alert.snoozed_by is None:
                return t("why.rule_snoozed", until=until)
            return t("why.snoozed", who=alert.snoozed_by, until=until, reason=alert.snooze_reason or "–")
        case Acknowledged(state="acknowledged") if alert is not None and alert.acknowledged_by:
            return t("why.acknowledged", who=alert.acknowledged_by, time=utc(alert.acknowledged_at or 0))
        case WaitingForGroup():
            return t("why.waits_for_group", time=utc(reason.until))
        case _:
            return sentence(reason, language)


def fate_text(t: Translate, heard: Heard) -> str:
    """What became of a message."""
    return t(f"fate.{heard.fate}", count=heard.attempts)


def timers_text(t: Translate, row: RouteRow | None, due: int | None) -> str:
    """The timers of a route, and when its group is looked at next."""
    parts = [] if row is None else [timers_of(t, row)]
    parts.append(t("why.due", time=utc(due)) if due is not None else t("why.not_due"))
    return " · ".join(parts)


def timers_of(t: Translate, row: RouteRow) -> str:
    """How long a route waits, and what it does when nobody answers."""
    repeat = t("tree.repeat", time=length_text(row.repeat)) if row.repeat else t("tree.no_repeat")
    parts = [
        t("tree.wait", time=length_text(row.wait)),
        t("tree.interval", time=length_text(row.interval)),
        repeat,
    ]
    if row.escalation:
        parts.append(t("tree.escalation", name=row.escalation))
    return ", ".join(parts)


def rows_of_time(t: Translate, language: Language, why: Why) -> list[tuple[str, str, str, str]]:
    """Time, receiver, sentence and message of everything that was said and was not, newest first."""
    newest = sorted(why.history, key=lambda moment: -moment.at)
    return [
        (utc(one.at), one.receiver or t("why.nobody"), sentence(one.reason, language), one.message)
        for one in newest
    ]
