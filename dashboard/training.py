"""Who is trained in what: current, expiring, outdated, lapsed or failed, by sign, word and colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.tabletop.standing import ORDER, Standing
from dashboard.desk import Desk
from dashboard.drill_data import plan_of
from dashboard.text import Translate

MARKS = {
    "current": ("✓", "tg-done"), "expiring": ("◷", "tg-soon"), "outdated": ("△", "tg-soon"), "lapsed": ("✕", "tg-late"),
    "failed": ("✕", "tg-late"),
}  # fmt: skip
SHOWN = 200


def mark_html(t: Translate, one: Standing) -> str:
    """A standing in two words."""
    symbol, css = MARKS[one.state]
    return f'<span class="{css}">{symbol} {escape(t(f"training.{one.state}"))}</span>'


def draw_training(here: Desk, found: Sequence[Standing]) -> None:
    """Everybody who finished an exercise, the most urgent first."""
    t = here.t
    counts = Counter(one.state for one in found)
    told = ", ".join(f"{counts[state]} {t(f'training.{state}')}" for state in ORDER if counts[state])
    st.html(f'<div class="tg-head">{escape(t("training.title"))}{escape(": " + told if told else "")}</div>')
    if not found:
        st.info(t("training.none"))
        return
    exercises = here.drills.files().exercises
    rows = []
    for one in found[:SHOWN]:
        exercise = exercises.get(one.exercise)
        title = one.exercise if exercise is None else exercise.title.in_(here.language)
        until = f"{one.expires_on} ({t('training.days', days=one.days)})" if one.expires_on else "–"
        rows.append(
            f"<tr><td>{mark_html(t, one)}</td><td><b>{escape(one.person)}</b></td><td>{escape(title)}</td>"
            f"<td>{one.score:.0%}</td><td>{escape(one.completed_on)}</td><td>{escape(until)}</td><td>{one.tries}</td></tr>"
        )
    names = ("state", "person", "exercise", "score", "completed", "expires", "tries")
    heads = "".join(f"<th>{escape(t(f'training.col.{name}'))}</th>" for name in names)
    st.html(f'<table class="tg-table"><tr>{heads}</tr>{"".join(rows)}</table>')
    if len(found) > SHOWN:
        st.caption(t("training.more", count=len(found) - SHOWN))
    _coverage(here, found)
    st.caption(t("training.rules"))


def _coverage(here: Desk, found: Sequence[Standing]) -> None:
    """Who has which exercise, and who has not taken one yet."""
    t, exercises = here.t, here.drills.files().exercises
    by = {(one.person, one.exercise): one for one in found}
    people = sorted({one.person for one in found})[:SHOWN]
    st.html(f'<div class="tg-head">{escape(t("training.coverage"))}</div>')
    book = here.drills.files().book
    plans = {id_: plan_of(book, one.plan) for id_, one in exercises.items()}
    titles = {id_: id_ if plan is None else plan.title.in_(here.language) for id_, plan in plans.items()}
    heads = "".join(f"<th>{escape(title)}</th>" for title in titles.values())
    rows = []
    for person in people:
        cells = []
        for id_ in exercises:
            one = by.get((person, id_))
            cells.append("–" if one is None else mark_html(t, one))
        rows.append(
            f"<tr><td><b>{escape(person)}</b></td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        )
    st.html(
        f'<table class="tg-table"><tr><th>{escape(t("training.col.person"))}</th>{heads}</tr>{"".join(rows)}</table>'
    )
