"""How drills went: the card of one, the trend of each scenario, and everything that was played."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.drills.history import DrillRun
from dashboard import charts
from dashboard.desk import Desk
from dashboard.drill_card import draw_card
from dashboard.drill_chart import drill_trend
from dashboard.drill_export import draw_export
from dashboard.drill_names import METRICS, drill_name, measured, run_line
from dashboard.formats import moment

SHORT = {"mttd_s": "MTTD", "mtta_s": "MTTA", "mttc_s": "MTTC", "mttr_s": "MTTR"}
"""What everybody calls them."""
TABLE = (*SHORT, "contained_s", "loss_before_containment", "good_payments_blocked", "notification_lateness_s")
ALL = ""


def draw_results(here: Desk) -> None:
    """Which one is looked at stands in the page's address."""
    t, reading = here.t, here.drills.drills()
    if reading.value is None:
        st.caption(t("drills.none_read"))
        return
    runs = reading.value.runs
    if not runs:
        st.info(t("drills.no_runs"))
        return
    left, right = st.columns([46, 54], gap="medium")
    with left:
        run = _chosen(here, runs)
        draw_card(here, run)
        draw_export(here, reading.value, run, reading.error is not None)
    with right:
        _trend(here, runs)
        _table(here, runs)


def _chosen(here: Desk, runs: list[DrillRun]) -> DrillRun:
    by = {run.id: run for run in runs}
    asked = st.query_params.get("run")
    if asked in by and "drill_run" not in st.session_state:
        st.session_state["drill_run"] = asked
    if st.session_state.get("drill_run") not in by:
        st.session_state.pop("drill_run", None)
    id_ = st.selectbox(
        here.t("drills.run"), [*by], key="drill_run", format_func=lambda id_: run_line(here, by[id_])
    )
    st.query_params["run"] = id_
    return by[id_]


def _trend(here: Desk, runs: list[DrillRun]) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("drills.trend"))}</div>')
    one, other = st.columns(2)
    metric = one.selectbox(
        t("drills.col.what"), METRICS, key="drill_metric", format_func=lambda name: t(f"metric.{name}")
    )
    drills = [ALL, *dict.fromkeys(run.drill for run in runs)]
    drill = other.selectbox(
        t("drills.col.scenario"), drills, key="drill_shown",
        format_func=lambda id_: drill_name(here, id_) if id_ else t("drills.all"),
    )  # fmt: skip
    shown = [run for run in runs[::-1] if drill in (ALL, run.drill)]
    words = {
        "axis": t(f"metric.{metric}") + (f" ({t('drills.seconds')})" if metric.endswith("_s") else ""),
        "target": t("drills.col.target"), "missed": t("drills.missed"), "passed": t("drills.passed"),
        **{run.drill: drill_name(here, run.drill) for run in shown},
    }  # fmt: skip
    st.plotly_chart(
        drill_trend(shown, metric, words, here.dark), theme=None, config=charts.CONFIG, key="drill_trend"
    )


def _table(here: Desk, runs: list[DrillRun]) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("drills.history", count=len(runs)))}</div>')
    st.dataframe(
        {
            t("col.time"): [moment(run.at) for run in runs],
            t("drills.col.mark"): [
                f"✓ {t('drills.passed')}" if run.card.passed else f"✕ {t('drills.missed')}" for run in runs
            ],
            t("drills.col.scenario"): [drill_name(here, run.drill) for run in runs],
            **{
                SHORT.get(name) or t(f"metric.{name}"): [
                    measured(t, name, run.card.measured.get(name)) for run in runs
                ]
                for name in TABLE
            },
            t("audit.by"): [run.actor for run in runs],
        },
        hide_index=True,
        height="content" if len(runs) < 12 else 420,
        key="drill_history",
        column_config={
            t("col.time"): st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="UTC")
        },
    )
