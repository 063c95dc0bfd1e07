"""The generic receiver: Standard Webhooks 1.0.0, signed, with a stable id and a thin JSON body.

The body holds no token of a person or card, only what an on-call person needs to decide whether to look; the
case itself is behind the console's link.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from alerts.alert import Alert
from alerts.receivers.message import (
    MAX_NAME,
    MAX_REASONS,
    MAX_TEXT,
    Message,
    iso,
    link_of,
    short,
    shown_facts,
    shown_labels,
)
from alerts.receivers.post import Outgoing
from alerts.receivers.receiver import HttpReceiver, place_of
from alerts.receivers.secrets import checked_url, signing_keys
from alerts.receivers.specs import WebhookSpec
from alerts.routing.change import Change
from alerts.routing.reasons import code
from models.decision import Reason

MAX_BODY_BYTES = 20_000
_PAST = {"open": "raised", "acknowledged": "acknowledged", "resolved": "resolved"}


class Webhook(HttpReceiver):
    """See WebhookSpec. Raises SettingsError for a url or secret that will not do."""

    def __init__(self, spec: WebhookSpec, environ: Mapping[str, str] | None = None) -> None:
        place = f"receiver {spec.name}"
        self.spec: WebhookSpec = spec
        self.place = place_of(checked_url(place, spec.url, spec.allow_private))
        self.keys = signing_keys(place, spec.secret_env, spec.secret_file, environ)

    def prepare(self, message: Message, now: int) -> Outgoing:
        content = body(message)
        return Outgoing(
            url=self.spec.url,
            body=content,
            headers=headers(self.keys, message.intent.id, now, content),
            allow_private=self.spec.allow_private,
        )


def headers(keys: Sequence[bytes], id_: str, now: int, content: bytes) -> dict[str, str]:
    """The Standard Webhooks headers; one signature for each key, so that a receiver may hold either."""
    timestamp = now // 1000
    signed = f"{id_}.{timestamp}.".encode() + content
    signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def body(message: Message) -> bytes:
    """The JSON of one notification, below MAX_BODY_BYTES.

    One subject is told by itself (`alert.raised`, `incident.resolved`, …), several as a group with the worst ones
    (`group.raised`, …), what a storm held back by counts (`storm.summary`).
    """
    intent = message.intent
    single = intent.total == 1 and not intent.kinds and bool(intent.subjects)
    kind, data = "group", dict[str, Any]()
    if single:
        change = intent.subjects[0]
        kind, data = str(change.kind), _subject(message, change)
    else:
        data = {
            "severity": intent.worst,
            "count": intent.total,
            "by_severity": intent.counts,
            "labels": shown_labels(intent.group),
            "worst": [_thin(message, change) for change in intent.subjects],
        }
        if intent.kinds:
            data["held_back"] = intent.kinds
    data["reason"] = code(intent.reason)
    data["group"] = intent.thread
    type_ = "storm.summary" if intent.kinds else f"{kind}.{_PAST[intent.says]}"
    at = intent.at
    if single:
        alert = message.alerts.get(intent.subjects[0].id)
        at = alert.last_time if alert is not None else intent.subjects[0].at
    content = msgspec.json.encode({"type": type_, "timestamp": iso(at), "data": data})
    # What can be long goes first; the rest is short by itself.
    for long in ("facts", "worst", "labels", "reasons"):
        if len(content) < MAX_BODY_BYTES:
            break
        data.pop(long, None)
        content = msgspec.json.encode({"type": type_, "timestamp": iso(at), "data": data})
    return content


def _subject(message: Message, change: Change) -> dict[str, Any]:
    alert = message.alerts.get(change.id) if change.kind == "alert" else None
    data = _thin(message, change) if alert is None else _alert(alert, change.severity)
    if link := link_of(change, message.console_url):
        data["console_url"] = link
    return data


def _alert(alert: Alert, severity: str) -> dict[str, Any]:
    decision = alert.decision
    corridor = decision.context.get("corridor")
    return {
        "alert_id": alert.id,
        "severity": severity,
        "status": alert.status,
        "typology": short(alert.typology, MAX_NAME),
        "band": decision.band,
        "action": decision.action,
        "risk": round(decision.risk, 6),
        "count": alert.count,
        "amount_usd": round(alert.amount_usd, 2),
        "corridor": short(corridor, MAX_NAME) if isinstance(corridor, str) else None,
        "opened_at": iso(alert.opened_at),
        "reasons": [_reason(reason) for reason in decision.reasons[:MAX_REASONS]],
    }


def _thin(message: Message, change: Change) -> dict[str, Any]:
    data: dict[str, Any] = {
        f"{change.kind}_id": short(change.id, MAX_TEXT),
        "severity": change.severity,
        "status": change.state,
        "labels": dict(list(shown_labels(change.labels).items())[: MAX_REASONS * 2]),
    }
    if change.text_en or change.text_zh:
        data |= {"text_en": short(change.text_en, MAX_TEXT), "text_zh": short(change.text_zh, MAX_TEXT)}
    if message.intent.total == 1 and change.facts:
        data["facts"] = shown_facts(change)
    return data


def _reason(reason: Reason) -> dict[str, str]:
    return {
        "code": short(reason.code, MAX_NAME),
        "text_en": short(reason.text_en, MAX_TEXT),
        "text_zh": short(reason.text_zh, MAX_TEXT),
    }
