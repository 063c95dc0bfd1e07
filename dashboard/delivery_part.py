"""Receivers and how they stand, what was given up and can be sent again, and what does not add up."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from alerts.routing.intent import Done
from alerts.routing.reasons import named, sentence
from alerts.routing.reconciling import Reconciliation
from alerts.routing.view import ReceiverRow
from dashboard import theme
from dashboard.desk import Desk, desk
from dashboard.formats import age, id_html, short, utc, utc_html
from dashboard.notices import refused, say
from dashboard.reasoned import reasoned
from dashboard.routing_data import Deliveries
from models.errors import StoreError

_SYMBOL = {"closed": "●", "half_open": "◐", "open": "▲", "disabled": "✕"}
GAPS_SHOWN = 200


def draw_deliveries(here: Desk) -> None:
    """The whole part. Tables renew themselves; the forms beside dead letters stand still."""
    reading = here.routing.deliveries()
    if reading.value is None:
        return
    st.fragment(_receivers, run_every=here.every(5))(here)
    left, right = st.columns([56, 44], gap="medium")
    with left:
        _dead(here, reading.value, reading.error is not None)
    with right:
        st.fragment(_gaps, run_every=here.every(60))(here)


def _receivers(here: Desk) -> None:
    t, found = here.t, here.routing.deliveries().value
    if found is None:
        return
    st.html(f'<div class="tg-head">{escape(t("receivers"))}</div>')
    rows = [] if found.view is None else found.view.receivers
    if not rows:
        st.info(t("tree.none" if found.view is None else "receivers.none"))
        return
    now = here.model.now()
    st.dataframe(
        {
            t("col.receiver"): [row.name for row in rows],
            t("col.kind"): [row.kind for row in rows],
            t("col.status"): [_state(here, row, now) for row in rows],
            t("receivers.owed"): [row.owed for row in rows],
            t("receivers.failures"): [row.failures or row.refusals for row in rows],
            t("receivers.last"): [
                t("ago", age=age(now - row.delivered_at)) if row.delivered_at else t("receivers.never") for row in rows
            ],
            t("receivers.rate"): [t("receivers.no_rate") if row.rate == "none" else row.rate for row in rows],
            t("receivers.trouble"): [_trouble(found, row) for row in rows],
        },
        hide_index=True, height="content", key="receivers",
        column_config={
            t("receivers.owed"): st.column_config.NumberColumn(width=80),
            t("receivers.failures"): st.column_config.NumberColumn(width=90),
            t("receivers.trouble"): st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip


def _state(here: Desk, row: ReceiverRow, now: int) -> str:
    text = here.t(f"breaker.{row.breaker}")
    return f"{_SYMBOL[row.breaker]} {text}" + (f", {age(now - row.since)}" if row.since else "")


def _trouble(found: Deliveries, row: ReceiverRow) -> str:
    """The last attempt that failed, while it says something: the receiver has taken nothing since."""
    last = found.last_errors.get(row.name)
    if last is None or last.at < row.delivered_at:
        return ""
    status = "" if last.status is None else f"{last.status} "
    return f"{utc(last.at)} {status}{last.detail}"


def _dead(here: Desk, found: Deliveries, down: bool) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("dead_letters", count=len(found.dead)))}</div>')
    if not found.dead:
        st.success(t("dead_letters.none"))
    asked = {one.message_id: one for one in found.asked}
    for done in found.dead:
        left, right = st.columns([82, 18], vertical_alignment="center")
        left.html(_dead_html(here, done))
        with right:
            if done.intent.id in asked:
                st.caption(t("dead_letters.asked", who=asked[done.intent.id].actor))
                continue
            effect = t("dead_letters.effect")
            reasoned(
                here, t("dead_letters.again"), f"resend:{done.intent.id}", "delivery.resend", down, _resend,
                done.intent.id,
                effect=effect,
            )  # fmt: skip


def _dead_html(here: Desk, done: Done) -> str:
    t, intent = here.t, done.intent
    symbol, colour = theme.SEVERITY[intent.worst]
    about = short(intent.subjects[0].key, 24) if intent.subjects else "–"
    more = t("dead_letters.more", count=intent.total - 1) if intent.total > 1 else ""
    return (
        f'<div class="tg-card"><span style="color:{colour}">{symbol} {escape(intent.worst)}</span> '
        f"<b>{escape(about)}</b> {escape(more)} → <b>{escape(intent.receiver)}</b> · "
        f"{escape(sentence(intent.reason, here.language))}"
        f'<div class="tg-muted">{utc_html(done.at, here.timezone)} · '
        f"{escape(t('dead_letters.attempts', count=done.attempts))} {id_html(intent.id)}</div></div>"
    )


def _gaps(here: Desk) -> None:
    t, reading = here.t, here.routing.reconciled()
    st.html(f'<div class="tg-head">{escape(t("gaps"))}</div>')
    if reading.value is None:
        return
    found: Reconciliation = reading.value
    st.caption(
        t(
            "gaps.sum", alerts=f"{found.alerts:,}", told=f"{found.told:,}", quiet=f"{found.quiet:,}",
            waiting=f"{found.waiting:,}", messages=f"{found.messages:,}", time=utc(found.at),
        )
    )  # fmt: skip
    if found.reasons:
        parts = [f"{named(name, here.language)} {count:,}" for name, count in sorted(found.reasons.items())]
        st.caption(t("gaps.reasons", reasons=", ".join(parts)))
    if not found.gaps:
        st.success(t("gaps.none" if found.alerts or found.messages else "gaps.nothing"))
        return
    st.error(t("gaps.some", count=f"{len(found.gaps):,}"))
    names = [t("col.severity"), t("gaps.kind"), t("gaps.alert"), t("col.receiver"), t("gaps.since")]
    rows = [
        (
            f"{theme.SEVERITY[gap.severity][0]} {gap.severity}", t(f"gap.{gap.kind}"), gap.alert_id, gap.receiver,
            utc(gap.since),
        )
        for gap in found.gaps[:GAPS_SHOWN]
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows, columns=names), hide_index=True, key="gaps", height=min(38 + 35 * len(rows), 320)
    )


def _resend(reason: str, message: str) -> None:
    here = desk()
    if not reason:
        return say("warning", here.t("contain.reason_missing"))
    try:
        here.routing.resend(message, reason, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    return say("success", here.t("dead_letters.done"))
