"""The upper half of the Models page: the numbers that matter, quality over time, calibration, what learning trusts."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import charts, model_charts, theme
from dashboard.desk import Desk
from dashboard.formats import age, plain, utc
from dashboard.model_charts import Event
from dashboard.readings import Models
from dashboard.text import name_of
from models.champions import AUTOMATIC
from models.learner_report import LearnerReport, Standing

HOUR_MS = 3_600_000
_MOST_MARKS = 30


def draw_learning(here: Desk, found: Models, report: LearnerReport) -> None:
    """Numbers, warnings and the two charts."""
    _numbers(here, report)
    _notes(here, found, report)
    t = here.t
    left, right = st.columns([3, 2])
    with left:
        st.html(f'<div class="tg-head">{escape(t("models.quality"))}</div>')
        if report.points:
            names = {name: t(f"models.{name}") for name in ("ap", "recall", "drift", "poisoning", "change")}
            figure = model_charts.quality_over_time(
                report.points, _events(here, found, report), names, here.dark
            )
            st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="quality")
        else:
            blank(here, "models.no_points")
    with right:
        st.html(
            f'<div class="tg-head" title="{escape(t("models.calibration.help"))}">{escape(t("models.calibration"))}</div>'
        )
        if report.calibration:
            names = {
                name: t(f"calibration.{name}") for name in ("expected", "observed", "ideal", "bins", "none")
            }
            figure = model_charts.calibration(report.calibration, names, here.dark)
            st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="calibration")
        else:
            blank(here, "models.no_points")


def blank(here: Desk, key: str) -> None:
    """The place of a chart that has nothing to show yet; it keeps its height, so that nothing jumps later."""
    with st.container(height=258, border=True, vertical_alignment="center", horizontal_alignment="center"):
        st.caption(here.t(key), width="content")


def champion_of(report: LearnerReport) -> Standing | None:
    """How the serving model stands; None while nothing has settled."""
    return next((s for s in report.standings if s.name == report.champion), None)


def _numbers(here: Desk, report: LearnerReport) -> None:
    t = here.t
    own = champion_of(report)
    none = t("no_data")
    columns = st.columns([5, 3, 3, 3, 4, 4])
    name = name_of(t, "candidate", report.champion)
    _metric(
        here, columns[0], "models.champion", t("models.pinned", name=name) if report.pinned else name,
        t("models.learnt", examples=f"{report.examples:,}", frauds=f"{report.frauds:,}"),
    )  # fmt: skip
    for column, key, value in (
        (columns[1], "models.ap", None if own is None else own.average_precision),
        (columns[2], "models.recall", None if own is None else own.recall),
    ):
        text = none if value is None else f"{value:.3f}"
        _metric(here, column, key, text, None if own is None else t("models.of", frauds=f"{own.frauds:,}"))
    error = None if own is None else own.calibration_error
    _metric(
        here, columns[3], "models.error", none if error is None else f"{error:.4f}",
        None if own is None else t("models.settled", payments=f"{own.settled:,}"),
    )  # fmt: skip
    delay = report.label_delay
    _metric(
        here, columns[4], "models.delay", age(delay["p50"] * HOUR_MS) if delay else none,
        t("models.delay_span", low=age(delay["p10"] * HOUR_MS), high=age(delay["p90"] * HOUR_MS)) if delay else None,
    )  # fmt: skip
    symbol, _ = theme.LEARNING.get(report.learning, ("▲", theme.VERMILION))
    since = (
        t("models.since", time=utc(report.learning_since, seconds=False)) if report.learning_since else None
    )
    _metric(here, columns[5], "models.learning", f"{symbol} {name_of(t, 'learning', report.learning)}", since)


def _metric(
    here: Desk, place: st.delta_generator.DeltaGenerator, key: str, text: str, below: str | None
) -> None:  # fmt: skip
    place.metric(
        here.t(key), text, below, delta_color="off", delta_arrow="off", help=here.t(f"{key}.help"), border=True,
        height="stretch",
    )  # fmt: skip


def _notes(here: Desk, found: Models, report: LearnerReport) -> None:
    """What a person has to know now: a pin, a choice that was refused, what waits for an outcome."""
    t = here.t
    if report.vectors_waiting is not None:
        gone = report.vectors_gone or 0
        st.caption(t("models.vectors", waiting=f"{report.vectors_waiting:,}", gone=f"{gone:,}"))
    if report.pinned:
        st.info(t("models.pinned_by", by=plain(report.pinned)))
    refused = found.pulse.beats.get("learner", {}).get("refused")
    if refused:
        st.warning(t("pin.refused", reason=plain(str(refused))), icon="⚠️")
    asked = st.session_state.get("pin_asked")
    if asked is not None:
        name, at = asked
        pinned = None if report.pinned is None else report.champion
        if pinned == (None if name == AUTOMATIC else name) or refused:
            st.session_state["pin_asked"] = None
        else:
            st.info(t("pin.asked", name=name_of(t, "candidate", name), time=utc(at)))


def _events(here: Desk, found: Models, report: LearnerReport) -> list[Event]:
    """Marks within the time that the chart spans."""
    t, zh = here.t, here.language == "zh"
    first = report.points[0].time
    events = [
        Event(
            mark.at,
            "poisoning" if mark.kind == "poisoning" else "drift",
            mark.text_zh if zh else mark.text_en,
        )
        for mark in report.marks
    ]
    events += [
        Event(
            change.at, "change",
            f"{name_of(t, 'change', change.kind)}: {name_of(t, 'candidate', change.before)} → "
            f"{name_of(t, 'candidate', change.after)}",
        )
        for change in found.changes
    ]  # fmt: skip
    return sorted(event for event in events if event.at >= first)[-_MOST_MARKS:]
