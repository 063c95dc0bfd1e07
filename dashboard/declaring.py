"""Declare an incident: by hand from the board, or from an alert in the queue, whose incident it links to afterwards."""

from __future__ import annotations

import streamlit as st

from alerts.alert import Alert
from alerts.response.acts import Attach
from alerts.response.kinds import BY_ID
from alerts.response.phases import LIVE
from dashboard.desk import Desk, desk
from dashboard.incident_names import barred, kind_of, lines_of, pairs_of, title_of
from dashboard.notices import refused, say
from models.errors import IncidentError, SettingsError, StoreError

PAGE = "views/incidents.py"
# What a typology most often turns out to be; anything else is suggested as a surge of its corridor.
SUGGESTED = {
    "T01": "card_testing",
    "T02": "account_takeover",
    "T16": "account_takeover",
    "T20": "sanctions_wave",
}
MOST_TEXT = 500


def declare_control(here: Desk, down: bool) -> None:
    """The button that opens the form, on the board."""
    why = barred(here, "incident.declare", down)
    with st.popover(here.t("declare.open"), disabled=bool(why), help=why or None):
        if not why:
            _form(here, None)


def escalate_control(here: Desk, alert: Alert, down: bool) -> None:
    """In a case: the incident it belongs to, or the way to make it one."""
    known = here.response.incident_of(alert.id)
    if known.value:
        label = here.t("declare.of_alert", id=known.value)
        st.page_link(PAGE, label=label, query_params={"incident": known.value})
        return
    why = barred(here, "incident.declare", down or known.error is not None)
    with st.popover(here.t("declare.from_alert"), disabled=bool(why), help=why or None):
        if not why:
            _form(here, alert)
            _join(here, alert.id)


def _join(here: Desk, alert: str) -> None:
    """The other way: an incident that is at work already."""
    t, board = here.t, here.response.board().value
    at_work = [row.incident for row in board.at_work if row.incident.phase in LIVE] if board else []
    if not at_work:
        return
    titles = {one.id: f"{one.severity} {title_of(here, one)} · {one.id}" for one in at_work}
    with st.form(f"join:{alert}", border=False):
        st.selectbox(t("declare.join"), list(titles), key=f"join_to:{alert}", format_func=titles.__getitem__)
        st.form_submit_button(t("declare.join_do"), key=f"join_do:{alert}", on_click=_attach, args=(alert,))


def _attach(alert: str) -> None:
    here, incident = desk(), str(st.session_state[f"join_to:{alert}"])
    try:
        here.response.perform(Attach(incident=incident, actor=here.actor, role=here.role, alert=alert))
    except (StoreError, IncidentError) as error:
        return refused(here, error)
    return say("success", here.t("declare.joined", id=incident))


def _form(here: Desk, alert: Alert | None) -> None:
    t, kinds = here.t, list(BY_ID)
    scope, suggested = "", "card_testing"
    if alert is not None:
        corridor = str(alert.decision.context.get("corridor") or "").partition(":")[0]
        scope = lines_of({"corridor": corridor}) if corridor else ""
        suggested = SUGGESTED.get(alert.typology, "corridor_surge")
    mine = "" if alert is None else alert.id
    with st.form(f"declare:{mine}", border=False):
        st.selectbox(
            t("declare.kind"), kinds, index=kinds.index(suggested), key=f"declare_kind:{mine}",
            format_func=lambda kind: kind_of(here, kind),
        )  # fmt: skip
        st.text_area(
            t("declare.scope"), value=scope, key=f"declare_scope:{mine}", max_chars=MOST_TEXT,
            placeholder="corridor=GB>CN",
        )  # fmt: skip
        st.text_input(t("declare.reason"), key=f"declare_reason:{mine}", max_chars=MOST_TEXT)
        if alert is not None:
            st.caption(t("declare.alert_effect"))
        st.form_submit_button(
            t("declare.do"), key=f"declare_do:{mine}", type="primary", on_click=_declare, args=(mine,)
        )


def _declare(alert: str) -> None:
    """Write it; from the board the new incident is shown, in the queue the alert links to it."""
    here, state = desk(), st.session_state
    reason = str(state[f"declare_reason:{alert}"]).strip()
    if not reason:
        return say("warning", here.t("contain.reason_missing"))
    try:
        scope = pairs_of(here, str(state[f"declare_scope:{alert}"]))
        made = here.response.declare(
            str(state[f"declare_kind:{alert}"]),
            scope,
            reason,
            here.actor,
            here.role,
            [alert] if alert else [],
        )
    except (StoreError, IncidentError, SettingsError) as error:
        return refused(here, error)
    state[f"declare_reason:{alert}"] = ""
    if not alert:
        st.query_params["incident"] = made
    return say("success", here.t("declare.done", id=made))
