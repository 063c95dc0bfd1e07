"""Whom an incident obliges us to tell: every clock, the draft with its gaps named, and the record that it went out."""

from __future__ import annotations

import datetime as dt
from html import escape
from zoneinfo import ZoneInfo

import streamlit as st

from alerts.notices.clocks import Notice
from alerts.notices.deadlines import shipped_rules
from alerts.notices.drafting import NoticeDraft
from alerts.response.acts import NoticeNotApplicable, NoticeSent
from alerts.response.incident import Incident
from dashboard.desk import LANGUAGES, Desk, desk
from dashboard.formats import age, plain, utc
from dashboard.incident_data import IncidentView
from dashboard.incident_names import barred
from dashboard.incident_verbs import draw_verbs
from dashboard.notices import refused, say, worded
from models.errors import IncidentError, PlanError, StoreError

MOST_REASON = 500
# Symbol and class of a state; what is not decided yet is never red alone.
_LOOK = {
    "late": ("✕", "tg-late"), "soon": ("◐", "tg-soon"), "due": ("◷", ""), "waiting": ("○", "tg-muted"),
    "sent": ("●", "tg-done"), "waived": ("–", "tg-muted"),
}  # fmt: skip


def draw_notifying(here: Desk, view: IncidentView, down: bool) -> None:
    """The clocks, the most urgent first; below them one draft."""
    t, incident = here.t, view.row.incident
    if not view.notices:
        st.success(t("notify.none"))
        return
    left, right = st.columns([52, 48], gap="medium")
    with left:
        st.html(f'<div class="tg-head">{escape(t("notify.clocks"))}</div>')
        for one in view.notices:
            st.html(_notice_html(here, one))
    with right:
        draw_verbs(here, incident, down, ("know",))
        _draft(here, incident, view.notices, down)


def _notice_html(here: Desk, one: Notice) -> str:
    t, now = here.t, here.model.now()
    symbol, look = _LOOK[one.state]
    state, rows = t(f"notice.{one.state}"), []
    if one.due is not None:
        local = dt.datetime.fromtimestamp(one.due / 1000, ZoneInfo(one.timezone))
        rows.append(
            t("notify.by", time=utc(one.due, seconds=False), local=f"{local:%m-%d %H:%M}", zone=one.timezone)
        )
        if one.state in ("due", "soon"):
            rows.append(t("notify.left", age=age(one.due - now)))
    if one.sent_at is not None:
        rows.append(t("notify.sent_at", time=utc(one.sent_at)))
    if one.late_ms:
        rows.append(t("notify.late_by", age=age(one.late_ms)))
    if one.owed == "unknown":
        rows.append(t("notify.undecided", needs=", ".join(one.needs)))
    elif one.needs:
        rows.append(t("notify.needs", needs=", ".join(one.needs)))
    if one.own_line:
        rows.append(t("notify.own_line"))
    if not one.published:
        rows.append(t("notify.unpublished"))
    if one.reason:
        rows.append(one.reason)
    return (
        f'<div class="tg-card"><span class="{look}">{symbol} {escape(state)}</span> · <b>{escape(one.id)}</b> '
        f"{escape(one.recipient.in_(here.language))}: {escape(one.stage.in_(here.language))}</div>"
        f'<div class="tg-muted">{escape(" · ".join(rows))}</div>'
    )


def _draft(here: Desk, incident: Incident, notices: list[Notice], down: bool) -> None:
    t = here.t
    there = {one.id: one for one in notices if one.sent_at is None}
    if not there:
        st.success(t("notify.all_sent"))
        return
    id_ = st.selectbox(
        t("notify.which"), list(there), key="notice_id",
        format_func=lambda name: f"{name} · {there[name].recipient.in_(here.language)}",
    )  # fmt: skip
    language = st.segmented_control(
        t("notify.language"), LANGUAGES, default=here.language, key="notice_language", required=True,
        format_func={"en": "English", "zh": "中文"}.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    try:
        draft = here.response.draft(incident, id_, language)
    except PlanError as error:
        st.error(worded(here, error))
        return
    st.code(draft.text, language=None, wrap_lines=True, height=300)
    if draft.missing:
        items = {one.id: one.text for one in shipped_rules().item}
        named = "; ".join(f"{items[name].in_(here.language)} ({name})" for name in draft.missing)
        st.warning(plain(t("notify.missing", missing=named)))
    waived = there[id_].state == "waived"
    with st.container(horizontal=True):
        _record(here, incident, "sent", draft, down)
        _record(here, incident, "owed" if waived else "waive", draft, down)


def _record(here: Desk, incident: Incident, verb: str, draft: NoticeDraft, down: bool) -> None:
    t = here.t
    why = barred(here, NoticeSent.right, down)
    with st.popover(t(f"notify.{verb}"), disabled=bool(why), help=why or None):
        if why:
            return
        with st.form(f"notice:{verb}", border=False):
            st.caption(t(f"notify.{verb}_say"))
            st.text_input(t("contain.reason"), key=f"notice_reason:{verb}", max_chars=MOST_REASON)
            st.form_submit_button(
                t(f"notify.{verb}"), key=f"notice_do:{verb}", type="primary", on_click=_do,
                args=(verb, incident.id, draft),
            )  # fmt: skip


def _do(verb: str, incident: str, draft: NoticeDraft) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here = desk()
    reason = str(st.session_state.get(f"notice_reason:{verb}") or "").strip()
    try:
        if verb == "sent":
            here.response.send_notice(
                incident, draft, reason, here.actor, here.role, here.t("notify.changed")
            )
        else:
            act = NoticeNotApplicable(
                incident=incident, actor=here.actor, role=here.role, reason=reason, deadline=draft.id,
                owed=verb == "owed",
            )  # fmt: skip
            here.response.perform(act)
    except (StoreError, IncidentError, PlanError) as error:
        return refused(here, error)
    st.session_state[f"notice_reason:{verb}"] = ""
    return say("success", here.t("notify.done", id=draft.id))
