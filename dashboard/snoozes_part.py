"""All snoozes in one list, alerts and rules on entities: until when, why, by whom; each can be ended early."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.merging import snooze_key
from alerts.rule_snoozes import SnoozeRow
from dashboard import theme
from dashboard.desk import Desk, desk
from dashboard.formats import age, id_html, utc
from dashboard.notices import refused, say
from dashboard.reasoned import reasoned
from dashboard.silences_part import SOON_MS
from dashboard.text import name_of
from models.errors import StoreError

SHOWN = 100


def draw_snoozes(here: Desk) -> None:
    """The whole part."""
    t, reading = here.t, here.routing.snoozes()
    if reading.value is None:
        return
    rows, down = reading.value, reading.error is not None
    st.html(f'<div class="tg-head">{escape(t("snooze.all", count=len(rows)))}</div>')
    if not rows:
        st.success(t("snooze.none"))
        return
    for row in rows[:SHOWN]:
        left, right = st.columns([86, 14], vertical_alignment="center")
        left.html(_html(here, row))
        with right:
            key = row.alert_id or snooze_key(row.rule or "", row.entity_kind, row.entity)
            act = "alert.reopen" if row.alert_id else "snooze.lift"
            effect = t("snooze.wake_effect" if row.alert_id else "snooze.lift_effect")
            reasoned(
                here,
                t("snooze.lift"),
                f"lift:{key}",
                act,
                down,
                _lift,
                row.alert_id or "",
                key,
                effect=effect,
            )
    if len(rows) > SHOWN:
        st.caption(t("snooze.more", count=len(rows) - SHOWN))


def _html(here: Desk, row: SnoozeRow) -> str:
    t, left = here.t, row.until - here.model.now()
    symbol, colour = theme.SEVERITY.get(row.severity, theme.SEVERITY["S4"])
    what = t("snooze.alert") if row.alert_id else t("snooze.rule", rule=row.rule or "")
    soon = left <= SOON_MS
    clock = t("snooze.until", time=utc(row.until), age=age(left))
    return (
        f'<div class="tg-card"><span style="color:{colour}">{symbol} {escape(row.severity)}</span> <b>{escape(what)}</b> '
        f"{id_html(row.alert_id) if row.alert_id else ''} · {escape(name_of(t, 'entity', row.entity_kind))} "
        f'{id_html(row.entity)} · <span class="{"tg-soon" if soon else ""}">{"◐" if soon else "◷"} {escape(clock)}</span>'
        f"<div>{escape(name_of(t, 'actor', row.actor))}: {escape(row.reason or t('snooze.no_reason'))}</div></div>"
    )


def _lift(reason: str, alert: str, key: str) -> None:
    here = desk()
    if not reason:
        return say("warning", here.t("contain.reason_missing"))
    try:
        if alert:
            done = here.routing.wake_alert(alert, reason, here.actor, here.role)
        else:
            done = here.routing.lift_snooze(key, reason, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    return say("success" if done else "info", here.t("snooze.done" if done else "snooze.over"))
