"""What a notification says: the facts of an intent, short, without anything that points at a person.

Tokens of persons, cards and accounts never leave: of the labels only those of the business are shown whole, any
other is cut short, and a text that holds a card number or an e-mail address is withheld.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin

import msgspec

from alerts.alert import Alert
from alerts.routing.change import Change
from alerts.routing.intent import Intent, message_id
from alerts.routing.reasons import FirstNotification, sentence
from models.clear_data import without_clear
from models.typologies import name_of

MAX_TEXT = 200
MAX_NAME = 64
MAX_REASONS = 5
MAX_FACTS = 12
MAX_LINES = 10
OPEN_LABELS = frozenset(
    {"type", "severity", "typology", "corridor", "partner", "channel", "mcc", "band", "action", "kind", "phase"}
    | {"issuer_country", "payee_country", "entity_kind", "status", "stage", "component", "list", "source", "verb"}
    | {"alert", "about", "incident", "silence", "receiver"}
)  # fmt: skip
"""Labels that are facts of the business; the values of others may be tokens."""
CUT = 6
_TOKEN = re.compile(r"\b([a-z]+)_\d+_[bcdfghjkmnpqstvx]{32}\b")
"""A pseudonym (alerts/custody/pseudonym.py) in the middle of a text that somebody wrote."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An intent with the alerts it names as they are now. console_url: the console's queue page, "" for none."""

    intent: Intent
    alerts: dict[str, Alert] = {}
    console_url: str = ""


def short(text: str, longest: int) -> str:
    """`text` in one line of at most `longest` characters, withheld when it holds clear data."""
    # Judged before it is cut: half a card number is not recognised as one any more.
    text = _TOKEN.sub(r"\1_…", without_clear(text))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def shown_labels(labels: dict[str, str]) -> dict[str, str]:
    """Labels as they may leave the house."""
    return {
        name: short(value, MAX_NAME) if name in OPEN_LABELS else short(value, MAX_NAME)[:CUT] + "…"
        for name, value in sorted(labels.items())
        if value
    }


def shown_facts(change: Change) -> dict[str, Any]:
    """Facts as they may leave the house."""
    return {
        short(name, MAX_NAME): short(value, MAX_TEXT) if isinstance(value, str) else value
        for name, value in list(change.facts.items())[:MAX_FACTS]
    }


def iso(millis: int) -> str:
    """A moment in UTC, to the millisecond."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def link_of(change: Change, console_url: str) -> str:
    """Where the console shows it; "" without a console."""
    if not console_url:
        return ""
    if change.kind == "alert":
        return f"{console_url}?alert={quote(change.id, safe='')}"
    if alert := change.labels.get("alert"):
        return f"{console_url}?alert={quote(alert, safe='')}"
    incident = change.id if change.kind == "incident" else change.labels.get("about", "")
    if not incident:
        return console_url
    return f"{urljoin(console_url, 'incidents')}?incident={quote(incident, safe='')}"


_SAYS = {
    "open": ("", ""),
    "acknowledged": ("acknowledged: ", "已确认："),
    "resolved": ("resolved: ", "已解决："),
}
_COUNTED = {
    "alert": ("{n} alerts", "{n} 条告警"),
    "": ("{n} notifications", "{n} 条通知"),
}


def title(message: Message, language: str) -> str:
    """One line: severity, what, how many, where."""
    intent, zh = message.intent, language == "zh"
    says = _SAYS[intent.says][zh]
    if intent.kinds:
        text = "alert storm: {n} alerts held back" if not zh else "告警风暴：{n} 条已汇总"
        return f"[{intent.worst}] {says}{text.format(n=intent.total)}"
    if intent.total == 1 and intent.subjects:
        return f"[{intent.worst}] {says}{line(message, intent.subjects[0], language, bare=True)}"
    kinds = {change.kind for change in intent.subjects}
    counted = _COUNTED["alert" if kinds == {"alert"} else ""][zh].format(n=intent.total)
    where = ", ".join(
        name_of(value, language) if name == "typology" else value
        for name, value in shown_labels(intent.group).items()
        if name not in ("type", "severity")
    )
    return (
        f"[{intent.worst}] {says}{counted}{': ' if not zh else '：'}{where}"
        if where
        else (f"[{intent.worst}] {says}{counted}")
    )


def line(message: Message, change: Change, language: str, bare: bool = False) -> str:
    """One subject in a line. bare: without its severity."""
    zh = language == "zh"
    alert = message.alerts.get(change.id) if change.kind == "alert" else None
    head = "" if bare else f"{change.severity} "
    if change.kind != "alert":
        return head + short(
            (change.text_zh if zh else change.text_en) or change.text_en or change.id, MAX_TEXT
        )
    parts = [name_of(short(change.labels.get("typology", ""), MAX_NAME), language)]
    if corridor := change.labels.get("corridor"):
        parts.append(short(corridor, MAX_NAME))
    if alert is not None:
        count = f"{alert.count} 笔" if zh else f"{alert.count} payments"
        parts.append(f"{count}, {alert.amount_usd:,.2f} USD")
    return head + ", ".join(part for part in parts if part)


def lines(message: Message, language: str) -> list[str]:
    """The body in lines: why it comes, counts, the worst subjects with their first reasons, where to look."""
    intent, zh = message.intent, language == "zh"
    out = [sentence(intent.reason, language)]
    if intent.total > 1:
        out.append(", ".join(f"{severity}: {count}" for severity, count in sorted(intent.counts.items())))
    if intent.kinds:
        out.append(", ".join(f"{kind}: {count}" for kind, count in sorted(intent.kinds.items())))
    for change in intent.subjects[:MAX_LINES]:
        out.append("- " + line(message, change, language))
        alert = message.alerts.get(change.id) if change.kind == "alert" else None
        if alert is not None and intent.total <= 3:
            for reason in alert.decision.reasons[:MAX_REASONS]:
                out.append("  " + short(reason.text_zh if zh else reason.text_en, MAX_TEXT))
        out += (
            [f"  {name}: {value}" for name, value in shown_facts(change).items()] if intent.total <= 3 else []
        )
    left = intent.total - len(intent.subjects[:MAX_LINES])
    if left > 0:
        out.append(f"- {left} more" if not zh else f"- 另有 {left} 条")
    if link := link_of(intent.subjects[0], message.console_url) if intent.subjects else message.console_url:
        out.append(link)
    return out


def message_to_try(receiver: str, now: int, console_url: str = "") -> Message:
    """A message that only says that messages arrive, of the least severity."""
    change = Change(
        kind="notice", id=f"test:{now}", severity="S4", at=now,
        text_en="Test message of Tidegate: this receiver works.", text_zh="Tidegate 测试消息：该接收方可用。",
    )  # fmt: skip
    intent = Intent(
        id=message_id(receiver, [(change.key, "test")]), receiver=receiver, page="", at=now,
        reason=FirstNotification(), subjects=[change], counts={"S4": 1}, total=1,
    )  # fmt: skip
    return Message(intent=intent, console_url=console_url)
