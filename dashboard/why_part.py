"""Why did (not) this page me: search, the subjects found on the left, the answer to one of them on the right."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from alerts.routing.reasons import sentence
from alerts.routing.why import Heard, Why
from dashboard import theme
from dashboard.answering import (
    SYMBOL,
    fate_text,
    headline,
    kind_of,
    quiet_text,
    rows_of_time,
    silencing,
    summary,
    timers_text,
)
from dashboard.desk import Desk
from dashboard.formats import age, id_html, plain, short, utc, utc_html
from dashboard.routing_data import Answer, Asked
from dashboard.text import name_of

MOST_TEXT = 200
LIST_PX = 600
QUEUE, INCIDENTS, ROUTING = "views/queue.py", "views/incidents.py", "views/routing.py"


def draw_why(here: Desk) -> None:
    """The whole part. The page's address keeps what was asked and which subject is shown."""
    t = here.t
    asked = st.query_params.get("q", "")[:MOST_TEXT]
    if st.session_state.get("why_text:kept") != asked:
        st.session_state["why_text"] = st.session_state["why_text:kept"] = asked
    st.text_input(
        t("why.search"), key="why_text", max_chars=MOST_TEXT, placeholder=t("why.search_eg"), on_change=_asked_for,
        label_visibility="collapsed",
    )  # fmt: skip
    left, right = st.columns([38, 62], gap="medium")
    with left:
        st.fragment(_found, run_every=here.every(5))(here, asked)
    with right:
        st.fragment(_answer, run_every=here.every(5))(here, asked)


def _asked_for() -> None:
    text = str(st.session_state["why_text"]).strip()
    st.session_state["why_text:kept"] = text
    st.query_params["q"] = text
    if "subject" in st.query_params:
        del st.query_params["subject"]


def _found(here: Desk, text: str) -> None:
    t, reading = here.t, here.routing.search(text)
    if reading.value is None:
        return
    st.html(f'<div class="tg-head">{escape(t("why.found" if text else "why.latest"))}</div>')
    if not reading.value:
        st.info(t("why.none", text=plain(text)) if text else t("why.nothing_yet"))
        return
    chosen = st.query_params.get("subject") or reading.value[0].key
    # It scrolls by itself, so that the answer stays in sight.
    with st.container(height=LIST_PX, border=False):
        for one in reading.value:
            wide, narrow = st.columns([84, 16], vertical_alignment="center")
            wide.html(_row_html(here, one, one.key == chosen))
            if narrow.button(t("why.show"), key=f"why:{one.key}"):
                st.query_params["subject"] = one.key
                st.rerun()


def _row_html(here: Desk, one: Asked, chosen: bool) -> str:
    kind = kind_of(one)
    symbol, colour, name, at = _named(here, one)
    when = utc_html(at, here.timezone) if at else ""
    mark = " tg-chosen" if chosen else ""
    return (
        f'<div class="tg-card{mark}"><span style="color:{colour}">{escape(symbol)}</span> <b>{escape(name)}</b> '
        f'<span class="tg-muted">{when}</span><br><span>{SYMBOL[kind]} '
        f"{escape(summary(here.t, here.language, one))}</span> "
        f'<span class="tg-muted">{escape(short(one.key, 16))}</span></div>'
    )


def _named(here: Desk, one: Asked) -> tuple[str, str, str, int]:
    """Symbol with severity, colour, name, and when it came up."""
    t = here.t
    severity = (
        one.alert.severity
        if one.alert is not None
        else one.why.change.severity
        if one.why is not None
        else "S4"
    )
    symbol, colour = theme.SEVERITY[severity]
    if one.alert is not None:
        name = f"{name_of(t, 'typology', one.alert.typology)} · {name_of(t, 'entity', one.alert.entity_kind)}"
        return f"{symbol} {severity}", colour, name, one.alert.opened_at
    kind = one.why.change.kind if one.why is not None else "alert"
    return (
        f"{symbol} {severity}",
        colour,
        t(f"subject.{kind}"),
        one.why.change.at if one.why is not None else 0,
    )


def _answer(here: Desk, text: str) -> None:
    key = st.query_params.get("subject", "")[:MOST_TEXT]
    if not key:
        found = here.routing.search(text).value
        if not found:
            return
        key = found[0].key
    answer = here.routing.answer(key).value
    if answer is None:
        return
    t, asked = here.t, answer.asked
    symbol, colour, name, _ = _named(here, asked)
    said = headline(t, here.language, asked, answer.silences)
    bad = " tg-bad" if kind_of(asked) in ("dead", "unknown") else ""
    state = "" if asked.why is None else name_of(t, "status", asked.why.change.state)
    st.html(
        f'<div class="tg-title"><span style="color:{colour}">{escape(symbol)}</span> {escape(name)} '
        f'<span class="tg-tag">{escape(state)}</span></div><div>{id_html(asked.key)}</div>'
        f'<div class="tg-say{bad}">{escape(said)}</div>'
    )
    _links(here, asked)
    if asked.why is not None:
        _routes(here, answer, asked.why)
        _told(here, answer, asked.why)
        _history(here, asked.why)


def _links(here: Desk, asked: Asked) -> None:
    with st.container(horizontal=True):
        if asked.alert is not None:
            st.page_link(QUEUE, label=here.t("why.case"), query_params={"alert": asked.key})
        such = [] if asked.why is None else silencing(asked.why)
        if such:
            query = {"part": "silences", "match": "\n".join(such)}
            st.page_link(ROUTING, label=here.t("why.silence"), query_params=query)
        incident = asked.why.change.value("incident") if asked.why is not None else ""
        if incident:
            st.page_link(
                INCIDENTS, label=here.t("why.incident", id=incident), query_params={"incident": incident}
            )


def _routes(here: Desk, answer: Answer, why: Why) -> None:
    t = here.t
    rows = {} if answer.view is None else {row.path: row for row in answer.view.routes}
    st.html(f'<div class="tg-head">{escape(t("why.routes"))}</div>')
    if not why.routes:
        st.caption(t("why.no_route"))
    for one in why.routes:
        group = ", ".join(f"{name} = {value or '–'}" for name, value in one.group.items())
        st.html(
            f"<div>→ <b>{escape(one.route)}</b> · {escape(t('why.group', labels=group or '–'))}<br>"
            f'<span class="tg-muted">{escape(timers_text(t, rows.get(one.route), one.due))}</span></div>'
        )


def _told(here: Desk, answer: Answer, why: Why) -> None:
    t, now = here.t, here.model.now()
    st.html(f'<div class="tg-head">{escape(t("why.receivers"))}</div>')
    for heard in why.heard:
        st.html(_heard_html(here, answer, heard))
    for one in why.unheard:
        text = quiet_text(t, here.language, one.reason, answer.asked.alert, answer.silences)
        whom = one.receiver or t("why.nobody")
        since = t("why.since", age=age(now - one.since))
        st.html(
            f'<div class="tg-card">○ <b>{escape(whom)}</b> {escape(t("why.not_told"))}: {escape(text)} '
            f'<span class="tg-muted">({escape(since)})</span></div>'
        )


def _heard_html(here: Desk, answer: Answer, heard: Heard) -> str:
    t = here.t
    kind = {"delivered": "tg-done", "dead": "tg-late", "in_flight": "tg-soon"}.get(heard.fate, "tg-muted")
    attempts = [one for one in answer.attempts if one.webhook_id == heard.message]
    lines = "".join(
        f'<div class="tg-muted">&nbsp;&nbsp;{escape(utc(one.at))} · {escape(t("why.attempt", number=one.attempt))}: '
        f"{escape(name_of(t, 'outcome', one.outcome))}{f' ({one.status})' if one.status is not None else ''} "
        f"{escape(one.detail)}</div>"
        for one in attempts[:6]
    )
    return (
        f'<div class="tg-card">✉ <b>{escape(heard.receiver)}</b> {utc_html(heard.at, here.timezone)}: '
        f'{escape(sentence(heard.reason, here.language))} · <span class="{kind}">{escape(fate_text(t, heard))}</span> '
        f"{id_html(heard.message)}{lines}</div>"
    )


def _history(here: Desk, why: Why) -> None:
    t = here.t
    names = [t(name) for name in ("col.time", "col.receiver", "col.reason", "col.message")]
    st.html(f'<div class="tg-head">{escape(t("why.history"))}</div>')
    st.dataframe(
        pd.DataFrame(rows_of_time(t, here.language, why), columns=names),
        hide_index=True, height=min(38 + 35 * max(len(why.history), 1), 220), key=f"history:{why.change.key}",
    )  # fmt: skip
