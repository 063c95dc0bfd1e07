"""A sitting while it runs: the story so far on the left, the question that is put and its time on the right."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.tabletop.fitting import Fitted, Option, Table
from alerts.tabletop.sitting import Sitting, put, shuffled
from dashboard.desk import Desk, desk
from dashboard.drill_names import role_name
from dashboard.formats import plain
from dashboard.incident_names import barred
from dashboard.notices import refused
from models.errors import IncidentError, PlanError, StoreError


def draw_seat(here: Desk, one: Sitting, table: Table, down: bool) -> None:
    """A sitting that is this person's and runs."""
    question = put(one, table)
    if question is None:
        return
    t, exercise = here.t, table.exercise
    number, count = len(one.answers) + 1, len(table.questions)
    st.html(
        f'<div class="tg-title">{escape(exercise.title.in_(here.language))} '
        f'<span class="tg-tag">{escape(role_name(t, exercise.seat))}</span></div>'
    )
    st.progress((number - 1) / count, t("table.question", number=number, count=count))
    left, right = st.columns([44, 56], gap="medium")
    with left:
        _story(here, table, question.scene)
    with right:
        _question(here, one, question, down)


def _story(here: Desk, table: Table, scene: int) -> None:
    """The newest scene on top, in full; what came before below it."""
    t = here.t
    parts = []
    for number in range(scene, -1, -1):
        one = table.exercise.scene[number]
        now = number == scene
        parts.append(
            f'<div class="{"tg-say" if now else "tg-muted"}"><b>{escape(t("table.clock", minutes=one.at_min))}</b>'
            f"<br>{escape(one.sees.in_(here.language))}</div>"
        )
    parts.append(
        f'<div class="tg-muted"><b>{escape(t("table.briefing"))}</b><br>'
        f"{escape(table.exercise.briefing.in_(here.language))}</div>"
    )
    for part in parts:
        st.html(part)


def _question(here: Desk, one: Sitting, question: Fitted, down: bool) -> None:
    t, name = here.t, question.question.id
    st.fragment(_time, run_every=here.every(1))(here, one.asked_at, question.question.seconds)
    order = shuffled(one, question)
    st.html(f'<div class="tg-title">{escape(question.question.ask.in_(here.language))}</div>')
    key = f"table:{one.id}:{name}"
    why = barred(here, "drill.tabletop", down)
    if question.many:
        st.caption(t("table.several"))
        for option in order:
            st.checkbox(_text(here, option), key=f"{key}:{option.id}", disabled=bool(why))
    else:
        words = {option.id: option for option in order}
        st.radio(
            t("table.choose"), [*words], index=None, key=key, disabled=bool(why), label_visibility="collapsed",
            format_func=lambda id_: _text(here, words[id_]),
        )  # fmt: skip
    chosen = _chosen(question, key)
    with st.container(horizontal=True):
        st.button(
            t("table.answer"), key="table_answer", type="primary", disabled=bool(why) or not chosen,
            help=why or (None if chosen else t("table.choose")), on_click=_answer, args=(one.id, question, key),
        )  # fmt: skip
        st.button(
            t("table.unsure"), key="table_unsure", disabled=bool(why), help=why or t("table.unsure.help"),
            on_click=_answer, args=(one.id, question, ""),
        )  # fmt: skip
        st.button(
            t("table.give_up"), key="table_give_up", disabled=bool(why), help=why or None, on_click=_give_up,
            args=(one.id,), type="tertiary",
        )  # fmt: skip


def _text(here: Desk, option: Option) -> str:
    return plain(option.text.in_(here.language))


def _time(here: Desk, since: int, seconds: int) -> None:
    """What is left of the question's time, by a sign and words."""
    t, left = here.t, seconds - (here.model.now() - since) // 1000
    if here.frozen:
        left = seconds
    if left >= 0:
        st.html(
            f'<div class="{"tg-soon" if left < 15 else "tg-muted"}">◷ {escape(t("table.left", left=left))}</div>'
        )
    else:
        st.html(f'<div class="tg-late">✕ {escape(t("table.late", seconds=seconds))}</div>')


def _chosen(question: Fitted, key: str) -> list[str]:
    """What is chosen at this moment: a press may come before the page was drawn with the last choice."""
    state = st.session_state
    if question.many:
        return [option.id for option in question.options if state.get(f"{key}:{option.id}")]
    return [state[key]] if state.get(key) else []


def _answer(id_: str, question: Fitted, key: str) -> None:
    """key: of the widgets; "": it is not known."""
    here = desk()
    chosen = _chosen(question, key) if key else []
    try:
        here.drills.answer(id_, question.question.id, chosen, here.actor, here.role)
    except (StoreError, IncidentError, PlanError) as error:
        refused(here, error)


def _give_up(id_: str) -> None:
    here = desk()
    try:
        here.drills.abandon(id_, here.actor, here.role)
    except (StoreError, IncidentError, PlanError) as error:
        refused(here, error)
