"""The score card of a drill: what was measured against its targets, met or missed by sign, word and colour."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.drills.history import DrillRun
from dashboard.desk import Desk
from dashboard.drill_names import METRICS, drill_name, measured, span
from dashboard.formats import id_html, utc_html
from dashboard.incident_names import verb_of
from dashboard.text import name_of
from models.errors import SettingsError


def draw_card(here: Desk, run: DrillRun) -> None:
    """Headline, every measure beside its target, and what happened when."""
    t, card = here.t, run.card
    passed = card.passed
    head = t("drills.card_passed") if passed else t("drills.card_missed", count=len(card.missed))
    st.html(
        f'<div class="tg-card"><div class="tg-title"><span class="{"tg-done" if passed else "tg-late"}">'
        f"{'✓' if passed else '✕'} {escape(head)}</span> · {escape(drill_name(here, run.drill))}</div>"
        f'<div class="tg-muted">{escape(_scenario(here, run))}</div>'
        f"<div>{utc_html(run.at, here.timezone)} · {escape(t('drills.seed'))} {run.seed} · {escape(run.actor)} · "
        f"{escape(t('drills.plan', plan=run.plan))} · {id_html(run.id)}</div></div>{_rows(here, run)}{_course(here, run)}"
    )


def _scenario(here: Desk, run: DrillRun) -> str:
    try:
        drill = here.drills.book().named(run.drill)
    except SettingsError:
        return ""
    return drill.text_zh if here.language == "zh" else drill.text_en


def _rows(here: Desk, run: DrillRun) -> str:
    t, card = here.t, run.card
    rows = []
    for name in METRICS:
        if name not in card.measured:
            continue
        value, most = card.measured[name], card.targets.get(name)
        if most is None:
            mark = f'<span class="tg-muted">– {escape(t("drills.no_target"))}</span>'
        elif value is not None and value <= most:
            mark = f'<span class="tg-done">✓ {escape(t("drills.met"))}</span>'
        else:
            mark = f'<span class="tg-late">✕ {escape(t("drills.target_missed"))}</span>'
        target = "–" if most is None else f"≤ {measured(t, name, most)}"
        rows.append(
            f'<tr><td><b>{escape(t(f"metric.{name}"))}</b> <span class="tg-muted">{escape(t(f"metric.{name}.help"))}'
            f"</span></td><td>{escape(measured(t, name, value))}</td><td>{escape(target)}</td><td>{mark}</td></tr>"
        )
    heads = "".join(
        f"<th>{escape(t(f'drills.col.{name}'))}</th>" for name in ("what", "was", "target", "mark")
    )
    return f'<table class="tg-table tg-tight"><tr>{heads}</tr>{"".join(rows)}</table>'


def _course(here: Desk, run: DrillRun) -> str:
    """Steps and measures, by the time since the first bad event."""
    t, course = here.t, run.card.course
    if not course.steps:
        return ""
    steps = [f"+{span(at)} {t(f'step.{name}')}" for name, at in course.steps.items()]
    lines = [" → ".join([t("step.first_bad"), *steps])]
    for one in course.measures:
        hits = ", ".join(name_of(t, "entity", kind) for kind in one.hits) or t("scope.whole")
        lines.append(f"{verb_of(here, one.verb, one.above_usd, '')}: {hits}, {one.minutes} min")
    return f'<div class="tg-head">{escape(t("drills.course"))}</div>' + "".join(
        f"<div>{escape(line)}</div>" for line in lines
    )
