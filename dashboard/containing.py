"""Measures on screen: what they do, since when the stream does it, and approve, refuse and undo with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.response.blast_radius import BlastRadius
from alerts.response.measure import Measure
from dashboard.desk import Desk, desk
from dashboard.formats import age, id_html, usd, utc
from dashboard.incident_names import barred, measure_of
from dashboard.notices import refused, say
from models.errors import IncidentError, StoreError

MOST_REASON = 500
_SYMBOL = {"proposed": "□", "in_force": "■", "rejected": "✕", "lapsed": "✕", "expired": "○", "undone": "○"}


def draw_measures(here: Desk, measures: Sequence[Measure], taken: dict[str, int], down: bool) -> None:
    """Live ones first, each with its verbs. taken: when the flow took them."""
    if not measures:
        st.caption(here.t("contain.none"))
        return
    for one in sorted(measures, key=lambda one: (not one.live, -one.proposed_at)):
        left, right = st.columns([78, 22], vertical_alignment="center")
        with left:
            # Only the text renews itself: what is typed beside it must stay.
            st.fragment(_measure, run_every=here.every(2) if one.live else None)(here, one, taken.get(one.id))
        with right, st.container(horizontal=True):
            if one.state == "proposed":
                _verb(here, one, "approve", down)
                _verb(here, one, "refuse", down)
            elif one.state == "in_force":
                _verb(here, one, "undo", down)


def _measure(here: Desk, one: Measure, taken: int | None) -> None:
    live = here.response.live()
    if one.live and live.value is not None:
        known = {found.id: found for found in live.value[0]}
        if one.id not in known:
            st.caption(here.t("contain.over", id=one.id))
            return
        one, taken = known[one.id], live.value[1].get(one.id, taken)
    st.html(_measure_html(here, one, taken))


def radius_text(here: Desk, radius: BlastRadius | None) -> str:
    """What a dry run says."""
    t = here.t
    if radius is None:
        return t("contain.radius_unknown")
    if not radius.decisions:
        return t("contain.empty")
    told = t(
        "contain.radius", decisions=f"{radius.decisions:,}", hours=f"{radius.hours:g}", stopped=f"{radius.stopped:,}",
        challenged=f"{radius.challenged:,}", good=f"{radius.good:,.1f}", good_usd=usd(radius.good_usd),
        share=f"{radius.good_share:.2%}", frauds=f"{radius.frauds:,.1f}", fraud_usd=usd(radius.fraud_usd),
    )  # fmt: skip
    if radius.released:
        told += " " + t("contain.released", count=f"{radius.released:,}")
    if radius.corridors:
        shown = ", ".join(f"{name or '–'} {share:.0%}" for name, share in radius.corridors[:3])
        told += " " + t("contain.corridors", corridors=shown)
    return told


def _measure_html(here: Desk, one: Measure, taken: int | None) -> str:
    t, now = here.t, here.model.now()
    rows = [
        t(
            "contain.proposed",
            who=one.proposed_by,
            time=utc(one.proposed_at),
            minutes=one.minutes,
            reason=one.reason,
        )
    ]
    effect = ""
    if one.approved_at is not None:
        rows.append(t("contain.approved", who=one.approved_by))
        if taken is not None:
            seconds = f"{max(taken - one.approved_at, 0) / 1000:.2f}"
            effect = (
                f'<div class="tg-done">● {escape(t("contain.effective", time=utc(taken)))} '
                f"({escape(t('contain.effective_after', seconds=seconds))})</div>"
            )
        elif one.state == "in_force":
            effect = f'<div class="tg-soon">◐ {escape(t("contain.not_taken"))}</div>'
    if one.state == "in_force" and one.until is not None:
        rows.append(t("contain.until", time=utc(one.until), age=age(one.until - now)))
    if one.ended_at is not None:
        rows.append(t("contain.ended", who=one.ended_by, time=utc(one.ended_at), reason=one.end_reason))
    two = f' <span class="tg-tag">{escape(t("contain.two_needed"))}</span>' if one.dual else ""
    return (
        f'<div class="tg-card"><b>{_SYMBOL[one.state]} {escape(t(f"measure.{one.state}"))}</b> · '
        f"{escape(measure_of(here, one))}{two} {id_html(one.id)}</div>{effect}"
        f"<div>{escape(' · '.join(rows))}</div>"
        f'<div class="tg-muted">{escape(radius_text(here, one.radius))}</div>'
    )


def _verb(here: Desk, one: Measure, verb: str, down: bool) -> None:
    """A verb with its reason; disabled with the reason why where it is not this person's."""
    t = here.t
    why = barred(here, "containment.approve" if verb == "approve" else "containment.undo", down)
    if not why and verb == "approve" and one.dual and one.proposed_by == here.actor:
        why = t("contain.second")
    with st.popover(t(f"contain.{verb}"), disabled=bool(why), help=why or None):
        if why:
            return
        with st.form(f"{verb}:{one.id}", border=False):
            st.text_input(t("contain.reason"), key=f"{verb}_reason:{one.id}", max_chars=MOST_REASON)
            st.form_submit_button(
                t(f"contain.{verb}"),
                key=f"{verb}_do:{one.id}",
                type="primary",
                on_click=_do,
                args=(verb, one.id),
            )


def _do(verb: str, measure: str) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here = desk()
    reason = str(st.session_state.get(f"{verb}_reason:{measure}") or "").strip()
    if not reason and verb != "approve":
        return say("warning", here.t("contain.reason_missing"))
    try:
        if verb == "approve":
            here.response.approve(measure, here.actor, here.role, reason)
        else:
            here.response.end(measure, here.actor, here.role, reason)
    except (StoreError, IncidentError) as error:
        return refused(here, error)
    done = "contain.done_in_force" if verb == "approve" else "contain.done_ended"
    return say("success", here.t(done, id=measure))
