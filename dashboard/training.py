"""Who is trained in what: current, expiring, outdated, lapsed or failed, by sign, word and colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.tabletop.standing import ORDER, Standing
from dashboard.desk import Desk
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
    st.caption(t("training.rules"))
