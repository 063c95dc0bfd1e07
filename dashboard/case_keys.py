"""The keys of a case: what this person may do to the alert as it stands, each with what it will do."""

from __future__ import annotations

import streamlit as st

from alerts import rights
from alerts.alert import Alert
from dashboard.declaring import escalate_control
from dashboard.desk import Desk
from dashboard.formats import utc
from dashboard.incident_names import barred
from dashboard.reasoned import reasoned
from dashboard.verbs import Deed, assign, confirm, held_by_other, judge, move, refuse, undo, withdraw


def draw_keys(here: Desk, alert: Alert, down: bool) -> None:
    """Draw them; all are disabled while somebody else's claim holds or the store is down."""
    t = here.t
    other = held_by_other(alert, here.actor, here.model.now())
    if other:
        until = utc(alert.claimed_until or 0)
        st.warning(t("claim.other", actor=alert.claimed_by, time=until))
    closed = down or other or alert.status == "resolved"
    with st.container(horizontal=True, key="verbs"):
        if alert.status == "proposed":
            _second_person(here, alert, closed)
        else:
            _verdicts(here, alert, closed)
            _statuses(here, alert, closed)
        _assign(here, alert, closed)
        deed: Deed | None = st.session_state.get("deed")
        st.button(
            t("verb.undo"), shortcut="U", key="undo", help=t("verb.undo_help"), on_click=undo,
            disabled=down or deed is None,
        )  # fmt: skip
        escalate_control(here, alert, down)


def _verdicts(here: Desk, alert: Alert, closed: bool) -> None:
    t, bound = here.t, (alert.id, alert.version)
    labels = t("verb.help", count=len(alert.event_ids))
    st.button(
        t("verb.fraud"), shortcut="F", type="primary", key="fraud", help=labels,
        on_click=judge, args=(*bound, "fraud"), disabled=closed,
    )  # fmt: skip
    st.button(
        t("verb.legitimate"), shortcut="L", key="legitimate", help=labels,
        on_click=judge, args=(*bound, "legitimate"), disabled=closed,
    )  # fmt: skip
    st.button(
        t("verb.unsure"), shortcut="Q", key="unsure", help=t("verb.unsure_help"),
        on_click=judge, args=(*bound, "unsure"), disabled=closed,
    )  # fmt: skip


def _statuses(here: Desk, alert: Alert, closed: bool) -> None:
    t, bound = here.t, (alert.id, alert.version)
    if alert.status in ("open", "escalated"):
        st.button(
            t("verb.acknowledge"), shortcut="A", key="acknowledge", help=t("verb.acknowledge_help"),
            on_click=move, args=(*bound, "acknowledged"), disabled=closed,
        )  # fmt: skip
    if alert.status in ("acknowledged", "snoozed", "escalated"):
        st.button(
            t("verb.reopen"), key="reopen", on_click=move, args=(*bound, "open"), disabled=closed,
        )  # fmt: skip
    st.button(
        t("verb.escalate"), shortcut="E", key="escalate", help=t("verb.escalate_help"),
        on_click=move, args=(*bound, "escalated"), disabled=closed or alert.status == "escalated",
    )  # fmt: skip
    st.button(
        t("verb.snooze"), shortcut="S", key="snooze", help=t("verb.snooze_help"),
        on_click=move, args=(*bound, "snoozed"), disabled=closed or alert.status == "snoozed",
    )  # fmt: skip


def _second_person(here: Desk, alert: Alert, closed: bool) -> None:
    """Confirm or refuse what another person proposed; take back what one proposed oneself."""
    t, bound = here.t, (alert.id, alert.version)
    own = alert.proposed_by == here.actor
    why = t("verb.own_proposal") if own else barred(here, "alert.confirm", down=False)
    st.button(
        t("verb.confirm"), shortcut="Y", type="primary", key="confirm",
        help=why or t("verb.confirm_help", count=0 if alert.proposed_verdict == "unsure" else len(alert.event_ids)),
        on_click=confirm, args=bound, disabled=closed or bool(why),
    )  # fmt: skip
    if own:
        st.button(t("verb.withdraw"), key="withdraw", on_click=withdraw, args=bound, disabled=closed)
    else:
        effect = t("verb.refuse_help")
        reasoned(here, t("verb.refuse"), "refuse", "alert.refuse", closed, refuse, *bound, effect=effect)


def _assign(here: Desk, alert: Alert, closed: bool) -> None:
    """A form of one name; it begins with one's own, for that is what most want and all may."""
    t = here.t
    why = "" if rights.may(here.role, "alert.assign") else barred(here, "alert.assign_self", down=False)
    with st.popover(t("verb.assign"), disabled=closed or bool(why), help=why or None):
        if closed or why:
            return
        key = f"assign:{alert.id}:{alert.version}"
        with st.form(f"form:{key}", border=False):
            st.text_input(
                t("verb.assign_whom"), alert.assigned_to or here.actor, key=key, max_chars=128,
                autocomplete="off",
            )  # fmt: skip
            st.form_submit_button(
                t("verb.assign"), key="do:assign", type="primary", on_click=_assigned,
                args=(key, alert.id, alert.version),
            )  # fmt: skip


def _assigned(key: str, alert_id: str, version: int) -> None:
    assign(str(st.session_state.get(key) or "").strip() or None, alert_id, version)
