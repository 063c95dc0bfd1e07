"""What the router is told, read from the store: what happened to alerts, and what was announced.

What happens to an alert stands in the audit trail, in order; the alert itself is read as it is now, since a Change is a
whole state. Incidents, notices and news of Tidegate itself are announced (alerts/response).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from alerts.alert import Alert
from alerts.routing.change import Change, change_of
from alerts.routing.keeping import Act, KeepsRouting
from alerts.routing.muting import is_history
from alerts.store import Store

AT_ONCE = 1000
STALE_MS = 24 * 3600 * 1000
"""A notice older than this is not told any more: it was about a moment."""
_DEADLINE = {
    "warned": ("is close to its deadline", "即将超过处理时限"),
    "breached": ("has missed its deadline", "已超过处理时限"),
}


class Position(msgspec.Struct, frozen=True):
    """How far the feed was read: number in the audit trail, place among the announcements."""

    acts: int = 0
    told: str = ""


def live_from(store: Store) -> int:
    """Stream time (ms) before which the simulator's payments are history; 0: there is no simulator. Raises StoreError."""
    return int(store.beats().get("simulator", {}).get("live_from", 0))


def read(
    store: KeepsRouting, position: Position, now: int, history_until: int = 0
) -> tuple[list[Change], Position]:
    """At most AT_ONCE of each that came after `position`, and the position after them. Raises StoreError.

    history_until: stream time (ms) before which alerts are history; their deadlines are not told of.
    """
    acts = store.acts(position.acts, AT_ONCE)
    told = store.announcements(position.told, AT_ONCE)
    if not acts and not told:
        return [], position
    ids = [act.id for act in acts if act.kind == "alert"]
    ids += [change.id for _, change in told if change.kind == "alert"]
    states = {change.id: change for change in changes_of(store, ids)}
    changes = [change for _, change in told if change.kind != "alert" and not _stale(change, now)]
    changes += states.values()
    changes += [
        notice
        for act in acts
        if act.id in states
        and not is_history(states[act.id], history_until)
        and (notice := _of_deadline(act, states[act.id])) is not None
        and not _stale(notice, now)
    ]
    after = Position(acts[-1].number if acts else position.acts, told[-1][0] if told else position.told)
    return changes, after


def changes_of(store: KeepsRouting, ids: Iterable[str]) -> Iterator[Change]:
    """The present states of alerts, with the incidents they belong to. Raises StoreError."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), AT_ONCE):
        page = wanted[start : start + AT_ONCE]
        alerts: dict[str, Alert] = store.alerts_by_id(page)
        incidents = store.incident_of(page)
        for id_, alert in alerts.items():
            yield change_of(alert, incidents.get(id_))


def _stale(change: Change, now: int) -> bool:
    return change.kind == "notice" and change.at < now - STALE_MS


def _of_deadline(act: Act, alert: Change) -> Change | None:
    said = _DEADLINE.get(act.action) if act.kind == "alert" else None
    if said is None or alert.state == "resolved":
        return None
    return Change(
        kind="notice",
        id=f"{alert.id}:{act.action}:{act.number}",
        severity=alert.severity,
        at=act.at,
        version=1,
        labels={**alert.labels, "stage": act.action, "alert": alert.id},
        incident=alert.incident,
        text_en=f"Alert {alert.id} ({alert.state}) {said[0]}.",
        text_zh=f"告警 {alert.id} {said[1]}。",
    )
