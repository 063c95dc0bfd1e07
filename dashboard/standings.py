"""The lower half of the Models page: champion against challengers, costs, corridors, features, and what changed."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import charts, model_charts, theme
from dashboard.desk import Desk
from dashboard.formats import moment
from dashboard.learning import blank
from dashboard.readings import Models
from dashboard.text import name_of
from models.learner_report import CorridorStanding, LearnerReport, Trial

_CLEAR_Z = 2.0
"""From this |z| on a difference is called one; promotion asks for more."""


def draw_champions(here: Desk, found: Models, report: LearnerReport) -> None:
    """The tables and the cost curve."""
    left, right = st.columns([3, 2])
    with left:
        _standings(here, report)
        _corridors(here, report)
    with right:
        _costs(here, report)
        _groups(here, report)
    _history(here, found, report)


def _head(here: Desk, key: str) -> None:
    st.html(f'<div class="tg-head" title="{escape(here.t(f"{key}.help"))}">{escape(here.t(key))}</div>')


def _standings(here: Desk, report: LearnerReport) -> None:
    t = here.t
    _head(here, "standings")
    if not report.standings:
        st.caption(t("models.no_points"))
        return
    trials = {trial.name: trial for trial in report.trials}
    rows = sorted(report.standings, key=lambda s: (s.name != report.champion, s.log_loss is None, s.log_loss))
    measures = ("average_precision", "recall", "roc_auc", "log_loss", "calibration_error")
    columns: dict[str, list[object]] = {
        t("col.candidate"): [
            ("★ " if s.name == report.champion else "") + name_of(t, "candidate", s.name) for s in rows
        ]
    }
    for name in measures:
        columns[t(f"col.{name}")] = [getattr(s, name) for s in rows]
    columns[t("col.trial")] = [
        t("trial.champion") if s.name == report.champion else trial_text(here, trials.get(s.name))
        for s in rows
    ]
    formats = {name: "%.4f" if name in ("log_loss", "calibration_error") else "%.3f" for name in measures}
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        key="standings",
        column_config={
            t("col.candidate"): st.column_config.TextColumn(width=128),
            **{t(f"col.{n}"): st.column_config.NumberColumn(format=f, width=72) for n, f in formats.items()},
        },
    )


def trial_text(here: Desk, trial: Trial | None) -> str:
    """How a challenger's test stands, in a few words."""
    t = here.t
    if trial is None:
        return t("trial.none")
    if trial.waits:
        return t("trial.waits", count=f"{trial.waits:,}")
    if trial.blocks < trial.blocks_needed or trial.frauds < trial.frauds_needed:
        return t(
            "trial.collecting", blocks=trial.blocks, blocks_needed=trial.blocks_needed, frauds=trial.frauds,
            frauds_needed=trial.frauds_needed,
        )  # fmt: skip
    if trial.z is None or trial.gain is None:
        return t("no_data")
    values = {"z": _signed(f"{trial.z:+.1f}"), "change": _signed(f"{-trial.gain:+.1%}")}
    if trial.passed:
        return t("trial.ahead", passed=trial.passed, needed=trial.passes_needed, **values)
    if trial.z >= _CLEAR_Z:
        return t("trial.better", **values)
    return t("trial.worse" if trial.z <= -_CLEAR_Z else "trial.even", **values)


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _costs(here: Desk, report: LearnerReport) -> None:
    t, curve = here.t, report.costs
    _head(here, "costs")
    if curve is None:
        blank(here, "costs.none")
        return
    names = {
        name: t(f"costs.{name}")
        for name in ("cost", "over", "recall", "precision", "alerts", "share", "best", "now")
    }
    figure = model_charts.cost_trade_off(curve, names, here.dark)
    st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="costs")
    budget = [
        *([] if curve.budget_share is None else [t("costs.budget_share", share=f"{curve.budget_share:.2%}")]),
        *(
            []
            if curve.budget_per_day is None
            else [t("costs.budget_day", count=f"{curve.budget_per_day:,.0f}")]
        ),
    ]
    best = curve.best
    st.caption(
        t(
            "costs.say", payments=f"{curve.payments:,.0f}", frauds=f"{curve.frauds:,.0f}", days=f"{curve.days:.0f}",
            budget=" · ".join(budget) or t("costs.no_budget"), best=f"{best.threshold:.2f}",
            alerts=f"{best.alerts_per_day:,.1f}", cost=f"{best.cost_per_day:,.0f}", now=f"{curve.in_force:.2f}",
            chosen=name_of(t, "chosen", curve.chosen_by),
        )
    )  # fmt: skip


def _corridors(here: Desk, report: LearnerReport) -> None:
    t = here.t
    _head(here, "corridors")
    if not report.corridors:
        st.caption(t("models.no_points"))
        return
    rows = sorted(report.corridors, key=lambda c: (not c.drifting, -c.settled))
    st.dataframe(
        {
            t("col.corridor"): [c.corridor.replace(":", " · ") for c in rows],
            t("col.settled"): [c.settled for c in rows],
            t("col.frauds"): [c.frauds for c in rows],
            t("col.expected"): [100 * c.expected for c in rows],
            t("col.observed"): [100 * c.observed for c in rows],
            t("col.ratio"): [_ratio(here, c) for c in rows],
            t("col.average_precision"): [
                "–" if c.average_precision is None else f"{c.average_precision:.3f}" for c in rows
            ],
            t("col.best_here"): [_best(here, c, report.champion) for c in rows],
        },
        hide_index=True,
        height=248 if len(rows) > 6 else "content",
        key="model_corridors",
        column_config={
            t("col.corridor"): st.column_config.TextColumn(width=144),
            t("col.settled"): st.column_config.NumberColumn(format="localized", width=72),
            t("col.frauds"): st.column_config.NumberColumn(format="localized", width=64),
            t("col.expected"): st.column_config.NumberColumn(format="%.2f%%", width=84),
            t("col.observed"): st.column_config.NumberColumn(format="%.2f%%", width=84),
            t("col.average_precision"): st.column_config.TextColumn(width=80, alignment="right"),
            t("col.best_here"): st.column_config.TextColumn(width=134, help=t("col.best_here.help")),
        },
    )


def _ratio(here: Desk, c: CorridorStanding) -> str:
    """Frauds seen for each one expected, with its interval; said when that is beyond chance."""
    if c.ratio is None:
        return "–"
    span = "" if c.ratio_low is None or c.ratio_high is None else f" ({c.ratio_low:.1f}–{c.ratio_high:.1f})"
    return f"×{c.ratio:.1f}{span}" + (f" ▲ {here.t('corridors.drifting')}" if c.drifting else "")


def _best(here: Desk, c: CorridorStanding, champion: str) -> str:
    """Which candidate has the least log-loss in this corridor, and how much less than the champion."""
    losses = {name: loss for name, loss in c.log_loss.items() if loss > 0}
    own = losses.get(champion)
    if own is None or not c.frauds:
        return "–"
    best = min(losses, key=lambda name: (losses[name], name != champion))
    if best == champion:
        return f"★ {name_of(here.t, 'candidate', champion)}"
    change = _signed(f"{losses[best] / own - 1:+.0%}")
    return f"{name_of(here.t, 'candidate', best)} {change}"


def _groups(here: Desk, report: LearnerReport) -> None:
    t = here.t
    _head(here, "groups")
    if not report.groups:
        st.caption(t("groups.none"))
        return
    st.dataframe(
        {
            t("col.group"): [name_of(t, "group", g.name) for g in report.groups],
            t("col.share"): [100 * g.share for g in report.groups],
            t("col.features"): [g.features for g in report.groups],
        },
        hide_index=True,
        height=248,
        key="groups",
        column_config={
            t("col.share"): st.column_config.ProgressColumn(
                format="%.1f%%", min_value=0.0, max_value=max(100 * g.share for g in report.groups)
            ),
            t("col.features"): st.column_config.NumberColumn(width=80),
        },
    )


def _history(here: Desk, found: Models, report: LearnerReport) -> None:
    """Changes of the champion, which are kept for good, and what drifted lately; newest first."""
    t, zh = here.t, here.language == "zh"
    _head(here, "history")
    rows = [
        (
            change.at,
            f"{theme.EVENT_SYMBOL['change']} {name_of(t, 'change', change.kind)}",
            f"{name_of(t, 'candidate', change.before)} → {name_of(t, 'candidate', change.after)}: {change.reason}",
            change.actor,
        )
        for change in found.changes
    ]
    rows += [
        (
            mark.at,
            f"{theme.EVENT_SYMBOL['poisoning' if mark.kind == 'poisoning' else 'drift']} {name_of(t, 'mark', mark.kind)}",
            mark.text_zh if zh else mark.text_en,
            "",
        )
        for mark in report.marks
    ]
    if not rows:
        st.caption(t("history.none"))
        return
    rows.sort(key=lambda row: -row[0])
    st.dataframe(
        {
            t("col.time"): [moment(at) for at, *_ in rows],
            t("history.what"): [what for _, what, _, _ in rows],
            t("col.detail"): [text for _, _, text, _ in rows],
            t("audit.by"): [by for *_, by in rows],
        },
        hide_index=True,
        height=248 if len(rows) > 6 else "content",
        key="history",
        column_config={
            t("col.time"): st.column_config.DatetimeColumn(format="MM-DD HH:mm", timezone="UTC", width=96),
            t("history.what"): st.column_config.TextColumn(width=130),
            t("col.detail"): st.column_config.TextColumn(width=900),
        },
    )
