"""All snoozes in one list, alerts and rules on entities: until when, why, by whom; set one, end one early."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.merging import snooze_key
from alerts.rule_snoozes import SnoozeRow
from dashboard import theme
from dashboard.desk import Desk, desk
from dashboard.formats import age, id_html, plain, utc
from dashboard.incident_names import barred
from dashboard.notices import refused, say
from dashboard.reasoned import MOST_REASON, reasoned
from dashboard.silences_part import SOON_MS
from dashboard.text import name_of
from models.errors import SettingsError, StoreError

SHOWN = 100
MOST_NAME = 256
KINDS = ("card", "customer", "device", "payee", "merchant", "partner", "corridor", "ip", "bin", "transaction")
"""Kinds of entities that alerts turn on."""


def draw_snoozes(here: Desk) -> None:
    """The whole part."""
    reading = here.routing.snoozes()
    left, right = st.columns([70, 30], gap="medium")
    if reading.value is not None:
        with left:
            _list(here, reading.value, reading.error is not None)
    with right:
        _setting(here, reading.error is not None)


def _list(here: Desk, rows: list[SnoozeRow], down: bool) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("snooze.all", count=len(rows)))}</div>')
    if not rows:
        st.success(t("snooze.none"))
        return
    for row in rows[:SHOWN]:
        left, right = st.columns([80, 20], vertical_alignment="center")
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


def _setting(here: Desk, down: bool) -> None:
    """Keep a rule quiet on an entity."""
    t = here.t
    why = barred(here, "snooze.set", down)
    st.html(f'<div class="tg-head">{escape(t("snooze.new"))}</div>')
    if why:
        st.caption(why)
        return
    with st.form("snooze", border=False):
        left, right = st.columns(2)
        left.text_input(t("snooze.rule_id"), key="snooze_rule", max_chars=MOST_NAME, placeholder="R007")
        right.selectbox(
            t("snooze.severity"), tuple(theme.SEVERITY), index=2, key="snooze_severity", help=t("snooze.severity_help"),
            format_func=lambda name: f"{name} {t(f'severity.{name}')}",
        )  # fmt: skip
        left, right = st.columns(2)
        left.selectbox(
            t("snooze.kind"), KINDS, key="snooze_kind", format_func=lambda name: name_of(t, "entity", name)
        )
        right.text_input(t("silence.length"), value="30m", key="snooze_length", max_chars=20)
        st.text_input(t("snooze.entity"), key="snooze_entity", max_chars=MOST_NAME)
        st.text_input(t("contain.reason"), key="snooze_reason", max_chars=MOST_REASON)
        st.caption(t("snooze.effect"))
        st.form_submit_button(t("snooze.do"), key="snooze_do", type="primary", on_click=_set)


def _set() -> None:
    here = desk()
    given = {
        name: str(st.session_state.get(f"snooze_{name}") or "").strip()
        for name in ("rule", "severity", "kind", "length", "entity", "reason")
    }
    try:
        here.routing.snooze_rule(
            given["rule"], given["kind"], given["entity"], given["severity"], given["length"], given["reason"],
            here.actor, here.role,
        )  # fmt: skip
    except (StoreError, SettingsError) as error:
        return refused(here, error)
    st.session_state["snooze_reason"] = st.session_state["snooze_entity"] = ""
    return say("success", here.t("snooze.set", rule=plain(given["rule"]), entity=plain(given["entity"])))


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
