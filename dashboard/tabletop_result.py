"""A sitting that has ended: its score, until when it counts, and what is to be learnt from each question."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.tabletop.debrief import Line, debriefed
from alerts.tabletop.fitting import Table
from alerts.tabletop.rules import training_rules
from alerts.tabletop.sitting import Sitting
from dashboard.desk import Desk
from dashboard.drill_names import span
from dashboard.formats import id_html, utc_html


def draw_result(here: Desk, one: Sitting, table: Table | None) -> None:
    """table: None when the exercise or its plan has changed since; then the answers cannot be gone through."""
    t = here.t
    title = one.exercise if table is None else table.exercise.title.in_(here.language)
    if one.state == "abandoned":
        st.html(f'<div class="tg-title">■ {escape(t("table.abandoned"))} · {escape(title)}</div>')
    else:
        state, css = (
            ("✓ " + t("table.passed"), "tg-done") if one.passed else ("✕ " + t("table.failed"), "tg-late")
        )
        st.html(
            f'<div class="tg-title"><span class="{css}">{escape(state)} · {one.score or 0:.0%}</span> · {escape(title)}'
            f"</div><div>{escape(_says(here, one))}</div>"
        )
    st.html(
        f'<div class="tg-muted">{escape(one.person)} · {utc_html(one.ended_at or one.started_at, here.timezone)} · '
        f"{escape(t('drills.plan', plan=one.plan))} · {id_html(one.id)}</div>"
    )
    if table is None:
        st.info(t("table.changed_since"))
        return
    for line in debriefed(one, table):
        st.html(_line(here, line))


def _says(here: Desk, one: Sitting) -> str:
    t, mark = here.t, f"{training_rules().pass_mark:.0%}"
    if one.passed:
        return t("table.counts", until=one.expires_on)
    if any(answer.critical for answer in one.answers):
        return t("table.critical")
    return t("table.below", share=mark)


def _line(here: Desk, line: Line) -> str:
    t, language, answer = here.t, here.language, line.answer
    if answer.critical:
        mark = f'<span class="tg-late">✕ {escape(t("table.is_critical"))}</span>'
    elif answer.points == 1.0:
        mark = f'<span class="tg-done">✓ {escape(t("table.right"))}</span>'
    elif answer.points:
        mark = f'<span class="tg-soon">◐ {escape(t("table.partly", share=f"{answer.points:.0%}"))}</span>'
    else:
        mark = f'<span class="tg-late">✕ {escape(t("table.wrong"))}</span>'
    late = (
        f' <span class="tg-late">{escape(t("table.was_late", took=span(answer.ms / 1000)))}</span>'
        if answer.late
        else ""
    )
    rows = []
    if not line.chosen:
        rows.append((t("table.yours"), t("table.unsure")))
    for option in line.chosen:
        why = f" – {option.why.in_(language)}" if option.why else ""
        rows.append((t("table.yours"), option.text.in_(language) + why))
    if {option.id for option in line.chosen} != {option.id for option in line.right}:
        rows += [(t("table.by_plan"), option.text.in_(language)) for option in line.right]
    rows.append((t("table.why"), line.question.question.why.in_(language)))
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return (
        f'<div class="tg-card">{mark}{late} <b>{escape(line.question.question.ask.in_(language))}</b>'
        f'<dl class="tg-facts">{facts}</dl></div>'
    )
