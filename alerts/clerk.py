"""The clerk: what has to happen by time alone. Snoozes end, deadlines warn and are breached, audit entries are linked.

Everything it does is recorded in the audit trail exactly once, whoever runs it and however many of them: that trail is
also where routing reads what people are to be told (`woken`, `expired`, `warned`, `breached`, actor `tidegate`).
"""

from __future__ import annotations

from alerts.deadlines import due
from alerts.due_list import rung
from alerts.store import Conflict, Store

AT_ONCE = 500
"""Bells answered in one round: the clerk never holds up the server for long."""


def attend(store: Store, now: int) -> int:
    """Do what is due at `now`; how many things were done. Call it about once a second."""
    done = 0
    for snooze in store.rule_snoozes():
        if snooze.until <= now:
            done += store.expire_snooze(snooze.key, now)
    for alert_id, bell in store.bells(now, AT_ONCE):
        alert = store.alert(alert_id)
        waits = None if alert is None else due(alert)
        if alert is None or waits is None:
            continue
        if waits.stage == "wake":
            done += not isinstance(store.wake(alert.id, alert.version, now), Conflict)
        else:
            entry, following = rung(alert, waits, now)
            done += store.ring(alert_id, bell, following, entry)
    return done + store.seal_audit()
