"""What a key press does to an alert: write it with compare-and-set, say what happened, move on to the next.

All functions are callbacks of buttons that carry alert id and version, so that a key acts on what was on the
screen when it was pressed, whatever has happened to the list since.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import streamlit as st

from alerts.alert import Alert, Status, Verdict
from alerts.lifecycle import Step, Verb
from alerts.store import Conflict
from dashboard.data import VIEWS
from dashboard.desk import desk
from dashboard.formats import plain, short
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.errors import StoreError


class Snapshot(msgspec.Struct):
    """The list as it was loaded, with the analyst's own changes written over it. rule: the one it is narrowed to."""

    view: str
    alerts: list[Alert]
    as_of: int
    rule: str = ""


class Deed(msgspec.Struct, frozen=True):
    """The last thing this analyst did, for undo: the alert and the version it has since."""

    alert_id: str
    version: int
    kind: Literal["verdict", "proposal", "status"]
    before: Status


def judge(alert_id: str, version: int, verdict: Verdict) -> None:
    """F, L and Q: resolve with a verdict or propose it, then select the next alert."""
    here = desk()
    before = _status_of(alert_id)
    try:
        result = here.model.resolve(alert_id, version, verdict, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    if isinstance(result, Conflict):
        return _conflict(alert_id, result.current)
    proposed = result.status == "proposed"
    st.session_state["deed"] = Deed(alert_id, result.version, "proposal" if proposed else "verdict", before)
    _replace(result)
    select_next(alert_id)
    if proposed:
        return say("info", here.t("done.proposed", alert=short(alert_id)))
    return say("success", here.t(f"done.{verdict}", alert=short(alert_id), count=len(result.event_ids)))


def move(alert_id: str, version: int, status: Status) -> None:
    """A, E, S and reopen: change the status, then select the next alert; who acknowledges stays with it."""
    here = desk()
    before = _status_of(alert_id)
    try:
        result = here.model.set_status(alert_id, version, status, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    if isinstance(result, Conflict):
        return _conflict(alert_id, result.current)
    st.session_state["deed"] = Deed(alert_id, result.version, "status", before)
    _replace(result)
    if status != "acknowledged":
        select_next(alert_id)
    return say("success", here.t(f"done.{status}", alert=short(alert_id)))


def confirm(alert_id: str, version: int) -> None:
    """Y: the second person agrees to the proposed verdict; then select the next alert."""
    here = desk()
    result = _step(alert_id, version, "confirm")
    if result is None:
        return
    st.session_state["deed"] = Deed(alert_id, result.version, "verdict", "proposed")
    select_next(alert_id)
    count = 0 if result.verdict == "unsure" else len(result.event_ids)
    say("success", here.t("done.confirmed", alert=short(alert_id), count=count))


def refuse(reason: str, alert_id: str, version: int) -> None:
    """The second person does not agree, and says why: the alert waits again, and stays on the screen."""
    if _step(alert_id, version, "refuse", reason=reason) is not None:
        say("success", desk().t("done.refused", alert=short(alert_id)))


def withdraw(alert_id: str, version: int) -> None:
    """Who proposed the verdict takes it back."""
    if _step(alert_id, version, "withdraw") is not None:
        say("success", desk().t("done.withdrawn", alert=short(alert_id)))


def assign(to: str | None, alert_id: str, version: int) -> None:
    """Give the alert to a person; None: to nobody."""
    here = desk()
    if _step(alert_id, version, "assign", to=to) is None:
        return None
    if to is None:
        return say("success", here.t("done.unassigned", alert=short(alert_id)))
    return say("success", here.t("done.assigned", alert=short(alert_id), who=plain(to)))


def _step(
    alert_id: str, version: int, verb: Verb, *, reason: str = "", to: str | None = None
) -> Alert | None:
    """The alert after the step, which ends what undo could take back; None: not written, and the reason said."""
    here = desk()
    step = Step(verb=verb, actor=here.actor, role=here.role, reason=reason, to=to)
    try:
        result = here.model.step(alert_id, version, step)
    except StoreError as error:
        refused(here, error)
        return None
    if isinstance(result, Conflict):
        _conflict(alert_id, result.current)
        return None
    st.session_state["deed"] = None
    _replace(result)
    return result


def undo() -> None:
    """U: take back this analyst's last action and select that alert again."""
    here = desk()
    deed: Deed | None = st.session_state.get("deed")
    if deed is None:
        return say("info", here.t("undo.nothing"))
    try:
        if deed.kind == "verdict":
            result = here.model.undo(deed.alert_id, deed.version, here.actor, here.role)
        elif deed.kind == "proposal":
            step = Step(verb="withdraw", actor=here.actor, role=here.role)
            result = here.model.step(deed.alert_id, deed.version, step)
        else:
            result = here.model.set_status(deed.alert_id, deed.version, deed.before, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    st.session_state["deed"] = None
    if isinstance(result, Conflict):
        return _conflict(deed.alert_id, result.current)
    _replace(result)
    select(deed.alert_id)
    return say("success", here.t("done.undo", alert=short(deed.alert_id)))


def select(alert_id: str | None) -> None:
    """Show this alert; the table is drawn anew under another key, for its selection is by position."""
    st.session_state["selected"] = alert_id
    st.session_state["round"] = st.session_state.get("round", 0) + 1


def select_next(alert_id: str) -> None:
    """The next row that still waits, after `alert_id` first, then from the top; none: the list is done."""
    shown: Snapshot = st.session_state["snapshot"]
    here = desk()
    ids = [a.id for a in shown.alerts]
    at = ids.index(alert_id) + 1 if alert_id in ids else 0
    now = here.model.now()
    for alert in [*shown.alerts[at:], *shown.alerts[:at]]:
        taken = held_by_other(alert, here.actor, now)
        if alert.id != alert_id and alert.status in VIEWS[shown.view] and not taken:
            return select(alert.id)
    return select(None)


def held_by_other(alert: Alert, actor: str, now: int) -> bool:
    """True while somebody else's claim has not lapsed."""
    return alert.claimed_by not in (None, actor) and (alert.claimed_until or 0) > now


def _status_of(alert_id: str) -> Status:
    shown: Snapshot = st.session_state["snapshot"]
    return next((a.status for a in shown.alerts if a.id == alert_id), "open")


def _replace(alert: Alert) -> None:
    shown: Snapshot = st.session_state["snapshot"]
    shown.alerts = [alert if a.id == alert.id else a for a in shown.alerts]


def _conflict(alert_id: str, current: Alert) -> None:
    """Say who or what came first; the case shows the present state, and nothing was written."""
    here = desk()
    shown: Snapshot = st.session_state["snapshot"]
    old = next((a for a in shown.alerts if a.id == alert_id), None)
    seen = st.session_state.get("seen", {}).get(alert_id, old.count if old else current.count)
    _replace(current)
    if current.status != "resolved" and current.count > seen:
        return say("warning", here.t("conflict.hits", count=current.count - seen))
    by = current.resolved_by or current.proposed_by or current.claimed_by or "?"
    status = current.verdict or current.status
    word = name_of(here.t, "verdict" if current.verdict else "status", status)
    return say("warning", here.t("conflict.other", actor=by, status=word))
