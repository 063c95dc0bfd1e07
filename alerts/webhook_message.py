"""What a webhook says and how it is signed (Standard Webhooks 1.0.0): id, headers and a thin body.

The body holds no token of a person or card, only what an on-call person needs to decide whether to look; the
case itself is behind the console's link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from alerts.alert import Alert
from models.decision import Reason

MAX_BODY_BYTES = 20_000
MAX_REASONS = 5
# In characters; one takes at most six bytes of JSON, so that the whole stays below MAX_BODY_BYTES.
MAX_TEXT = 200
MAX_NAME = 64


def webhook_id(alert_id: str, severity: str, url: str) -> str:
    """The message's identity: an alert is owed to a receiver once for each severity it reaches."""
    return "msg_" + hashlib.sha256(f"{alert_id}\x1f{severity}\x1f{url}".encode()).hexdigest()[:32]


def body(alert: Alert, severity: str, console_url: str = "") -> bytes:
    """The JSON of one notification, below 20 kB. `severity` is the one that made it due."""
    decision = alert.decision
    corridor = decision.context.get("corridor")
    data: dict[str, Any] = {
        "alert_id": alert.id,
        "severity": severity,
        "status": alert.status,
        "typology": _short(alert.typology, MAX_NAME),
        "band": decision.band,
        "action": decision.action,
        "risk": round(decision.risk, 6),
        "count": alert.count,
        "amount_usd": round(alert.amount_usd, 2),
        "corridor": _short(corridor, MAX_NAME) if isinstance(corridor, str) else None,
        "opened_at": _iso(alert.opened_at),
        "reasons": [_reason(reason) for reason in decision.reasons[:MAX_REASONS]],
    }
    if console_url:
        data["console_url"] = f"{console_url}?alert={quote(alert.id, safe='')}"
    return msgspec.json.encode({"type": "alert.raised", "timestamp": _iso(alert.last_time), "data": data})


def headers(keys: Sequence[bytes], id_: str, now: int, content: bytes) -> dict[str, str]:
    """The Standard Webhooks headers; one signature for each key, so that a receiver may hold either."""
    timestamp = now // 1000
    signed = f"{id_}.{timestamp}.".encode() + content
    signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "content-type": "application/json",
        "user-agent": "tidegate",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _reason(reason: Reason) -> dict[str, str]:
    return {
        "code": _short(reason.code, MAX_NAME),
        "text_en": _short(reason.text_en, MAX_TEXT),
        "text_zh": _short(reason.text_zh, MAX_TEXT),
    }


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _iso(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")
