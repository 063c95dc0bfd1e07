"""The review of an incident: sections begun from the record, actions, the decision on the plan, and the closure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import streamlit as st

from alerts.response import acts
from alerts.response.incident import Incident
from alerts.response.review import SECTIONS, Action, PlanDecision, Review
from dashboard.desk import Desk, desk
from dashboard.formats import plain
from dashboard.incident_data import IncidentView
from dashboard.incident_names import barred
from dashboard.notices import refused, say
from models.errors import IncidentError, StoreError

MOST_TEXT = 20_000
IN_REVIEW = ("review", "plan_update")


def draw_review(here: Desk, view: IncidentView, down: bool) -> None:
    """What is to be written and what is missing; before the review it says how to get there."""
    t, incident = here.t, view.row.incident
    if incident.review is None:
        st.info(t("review.later"))
        _move(here, incident, "review", incident.phase == "recover", down, t("review.not_recovered"))
        return
    _closure(here, incident, view.missing, down)
    why = barred(here, acts.WriteReview.right, down)
    if not why and incident.phase not in IN_REVIEW:
        why = t("act.over") if incident.ended_at is not None else t("review.not_now")
    if why:
        st.caption(why)
    left, right = st.columns([60, 40], gap="medium")
    with left:
        for section in SECTIONS:
            _section(here, incident, incident.review, section, bool(why))
    with right:
        _actions(here, incident, incident.review, bool(why), down)
        _plan_decision(here, incident, incident.review, view, bool(why))


def _closure(here: Desk, incident: Incident, missing: list[str], down: bool) -> None:
    t = here.t
    if incident.ended_at is not None:
        st.success(t("review.closed"))
        return
    if missing:
        named = ", ".join(_section_name(here, name) for name in missing)
        st.warning(plain(t("review.missing", missing=named)), icon="⚠️")
    else:
        st.success(t("review.complete"))
    with st.container(horizontal=True):
        _move(here, incident, "plan_update", incident.phase == "review", down, t("review.not_now"))
        ready = incident.phase == "plan_update" and not missing
        why = t("review.lacking") if missing else t("review.plan_first")
        _move(here, incident, "closed", ready, down, why)


def _move(here: Desk, incident: Incident, to: str, ready: bool, down: bool, why: str) -> None:
    right = "incident.close" if to == "closed" else acts.Move.right
    barring = barred(here, right, down) or ("" if ready else why)
    st.button(
        here.t(f"review.to_{to}"), key=f"review_to:{to}", disabled=bool(barring), help=barring or None,
        on_click=_perform, args=(acts.Move, incident.id, lambda: {"to": to}), type="primary" if ready else "secondary",
    )  # fmt: skip


def _section_name(here: Desk, name: str) -> str:
    return here.t(f"section.{name}") if name in (*SECTIONS, "actions", "plan_decision") else name


def _section(here: Desk, incident: Incident, review: Review, section: str, closed: bool) -> None:
    text = review.sections.get(section, "")
    mark = "●" if text.strip() else "○"
    with st.expander(f"{mark} {here.t(f'section.{section}')}", expanded=not text.strip()):
        key = f"section:{incident.id}:{section}"
        with st.form(f"form:{section}", border=False):
            st.text_area(
                here.t(f"section.{section}"), value=text, key=key, max_chars=MOST_TEXT, disabled=closed,
                label_visibility="collapsed", height=130,
            )  # fmt: skip
            st.form_submit_button(
                here.t("review.save"), key=f"section_do:{section}", disabled=closed, on_click=_perform,
                args=(acts.WriteReview, incident.id, lambda: {"section": section, "text": _given(key)}),
            )  # fmt: skip


def _actions(here: Desk, incident: Incident, review: Review, closed: bool, down: bool) -> None:
    t = here.t
    with st.container(border=True):
        st.markdown(f"**{t('section.actions')}**")
        today = dt.datetime.fromtimestamp(here.model.now() / 1000, dt.UTC).date()
        barring = barred(here, acts.ActionDone.right, down)
        for one in review.actions:
            late = one.done is None and one.due < today.isoformat()
            mark = "●" if one.done else "✕" if late else "○"
            state = t("review.done_on", day=one.done) if one.done else t("review.due_on", day=one.due)
            wide, narrow = st.columns([75, 25], vertical_alignment="center")
            wide.markdown(plain(f"{mark} {one.id} · {one.owner} · {state} · {one.text}"))
            if one.done is None:
                narrow.button(
                    t("review.done"), key=f"action_done:{one.id}", disabled=bool(barring), help=barring or None,
                    on_click=_perform,
                    args=(acts.ActionDone, incident.id, _constant({"action": one.id, "day": today.isoformat()})),
                )  # fmt: skip
        if closed:
            return
        with st.form("action", border=False, clear_on_submit=False):
            st.text_input(t("review.action"), key="action_text", max_chars=500)
            st.text_input(t("review.owner"), key="action_owner", max_chars=64)
            st.date_input(t("review.due"), today + dt.timedelta(days=30), min_value=today, key="action_due")
            name = f"a{len(review.actions) + 1}"
            st.form_submit_button(
                t("review.add"), key="action_do", on_click=_perform,
                args=(acts.AddAction, incident.id, lambda: {"action": _action(name)}),
            )  # fmt: skip


def _plan_decision(here: Desk, incident: Incident, review: Review, view: IncidentView, closed: bool) -> None:
    t, decision = here.t, review.plan_decision
    with st.container(border=True):
        st.markdown(f"**{t('section.plan_decision')}**")
        if decision is not None:
            said = t(f"review.plan_{decision.outcome}", version=decision.version or "–")
            st.markdown(plain(f"● {said} · {decision.by}: {decision.reason}"))
        if closed:
            return
        plan = "" if view.plan is None else view.plan.id
        with st.form("plan", border=False):
            st.segmented_control(
                t("review.outcome"), ("unchanged", "changed"), default="unchanged", key="plan_outcome", required=True,
                format_func=lambda name: t(f"review.{name}"), label_visibility="collapsed",
            )  # fmt: skip
            st.text_input(
                t("review.version"), key="plan_version", max_chars=20, help=t("review.version_help")
            )
            st.multiselect(t("review.answers"), [one.id for one in review.actions], key="plan_actions")
            st.text_input(t("contain.reason"), key="plan_reason", max_chars=500)
            st.form_submit_button(
                t("review.decide"), key="plan_do", on_click=_perform,
                args=(acts.DecidePlan, incident.id, lambda: {"decision": _decision(plan)}),
            )  # fmt: skip


def _given(key: str) -> str:
    return str(st.session_state.get(key) or "").strip()


def _constant(fields: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    return lambda: fields


def _action(name: str) -> Action:
    return Action(id=name, text=_given("action_text"), owner=_given("action_owner"), due=_given("action_due"))


def _decision(plan: str) -> PlanDecision:
    here, changed = desk(), st.session_state.get("plan_outcome") == "changed"
    return PlanDecision(
        outcome="changed" if changed else "unchanged", reason=_given("plan_reason"), by=here.actor,
        at=here.model.now(), plan=plan, version=_given("plan_version") if changed else "",
        actions=list(st.session_state.get("plan_actions") or []) if changed else [],
    )  # fmt: skip


def _perform(act: Callable[..., acts.AnyAct], incident: str, fields: Callable[[], dict[str, Any]]) -> None:
    """Do one act with what the form holds now; what came of it is said once the page is drawn."""
    here = desk()
    try:
        here.response.perform(act(incident=incident, actor=here.actor, role=here.role, **fields()))
    except (StoreError, IncidentError) as error:
        return refused(here, error)
    return say("success", here.t("review.written"))
