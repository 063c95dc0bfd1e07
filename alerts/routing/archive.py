"""What was sent, for people: every attempt of a message, and what a search is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import msgspec

from alerts.alert import Status
from alerts.receivers.lines import Owed
from alerts.routing.change import Kind
from alerts.routing.keeping import Delivery, KeepsRouting
from alerts.routing.state_store import KEEP_DELIVERIES
from alerts.store import Store
from models.lists import ENTITY_KINDS

STATUSES: tuple[Status, ...] = get_args(Status)


def attempts_of(store: KeepsRouting, messages: Iterable[str]) -> list[Delivery]:
    """Every attempt that is kept of these messages, newest first."""
    wanted = set(messages)
    return [one for one in store.deliveries(KEEP_DELIVERIES) if one.webhook_id in wanted] if wanted else []


def is_kept(store: KeepsRouting, message: str) -> bool:
    """Whether a message is in flight or kept, so that it can be sent again."""
    return bool(store.done_by_id([message]) or store.routing_parts([f"o:{message}"]))


def subjects_of(store: Store, text: str, limit: int) -> list[str]:
    """Keys of what a search is about, newest first: as `Store.why` takes them.

    text: an alert's id, `incident:ID`, `self:ID` or `notice:ID` (or the id alone, as a webhook carries it), a message's
    id, or the token of an entity; empty: what came up last. Raises StoreError.
    """
    text = text.strip()
    if not text:
        return _latest(store, limit)
    if store.alert(text) is not None or store.routing_parts([f"t:{text}"]):
        return [text]
    named = [f"{kind}:{text}" for kind in get_args(Kind)]
    known = store.routing_parts([f"t:{key}" for key in named])
    if known:
        return [key for key in named if f"t:{key}" in known]
    if text.startswith("msg_"):
        part = store.routing_parts([f"o:{text}"]).get(f"o:{text}")
        done = store.done_by_id([text]).get(text)
        intent = msgspec.msgpack.decode(part, type=Owed).intent if part else done.intent if done else None
        return [change.key for change in intent.subjects] if intent else []
    found = {alert.id: alert for kind in ENTITY_KINDS for alert in store.alerts_of(kind, text, limit)}
    newest = sorted(found.values(), key=lambda alert: (-alert.last_time, alert.id))
    return [alert.id for alert in newest[:limit]]


def _latest(store: Store, limit: int) -> list[str]:
    """Alerts by when they came up or worsened, and whatever else messages told of, by when they did."""
    moments = {
        alert.id: (alert.severity_since or alert.last_time, alert.last_time)
        for alert in store.alerts(STATUSES, "newest", limit)
    }
    for done in store.done_messages(limit):
        for change in done.intent.subjects:
            if change.kind != "alert":
                moments[change.key] = max(moments.get(change.key, (0, 0)), (done.at, done.at))
    return sorted(moments, key=lambda key: (moments[key], key), reverse=True)[:limit]
