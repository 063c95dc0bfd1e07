"""Overview: is it under control?"""

from __future__ import annotations

from collections import Counter
from html import escape

import streamlit as st

from dashboard import charts, measures, theme
from dashboard.data import OPEN
from dashboard.desk import Desk, desk, status_line
from dashboard.formats import age, short, usd
from dashboard.processes import process_table
from dashboard.readings import Overview
from dashboard.text import name_of

# Span shown: (length in ms, minutes a point).
SPANS = {"1h": (3_600_000, 1), "6h": (6 * 3_600_000, 5), "24h": (24 * 3_600_000, 15)}


def main() -> None:
    """Draw the page; the panel renews itself."""
    here = desk()
    st.fragment(_panel, run_every=here.every(3))(here)


def _panel(here: Desk) -> None:
    t = here.t
    left, right = st.columns([5, 2], vertical_alignment="center")
    with right:
        span = st.segmented_control(
            t("span"),
            list(SPANS),
            default="1h",
            key="span",
            format_func=lambda name: t(f"span.{name}"),
            label_visibility="collapsed",
            required=True,
        )
    length, step = SPANS[span or "1h"]
    reading = here.model.overview(length)
    found = reading.value
    with left:
        status_line(here, reading, found.pulse if found else None)
    if found is None:
        return
    _numbers(here, found)
    if found.pulse.stream_time == 0:
        st.info(t("waiting_first"))
    _charts(here, found, length, step)
    _tables(here, found)


def _numbers(here: Desk, found: Overview) -> None:
    t, now = here.t, here.now(found.pulse.stream_time)
    empty = found.pulse.stream_time == 0
    none = t("no_data")
    waiting = [a for a in found.alerts if a.status != "snoozed"]
    # What is open the store counts whole; of the rest, which people have in hand, the newest are read anyway.
    handled: Counter[str] = Counter(a.severity for a in waiting if a.status != "open")
    severities = " ".join(
        f"{symbol} {found.counts.get(f'open:{name}', 0) + handled[name]}"
        for name, (symbol, _) in theme.SEVERITY.items()
    )
    count = sum(found.counts.get(status, 0) for status in OPEN)
    first, second, third, fourth, fifth, sixth = st.columns(6)
    first.metric(
        t("open_alerts"),
        none if empty else f"{count:,}",
        None if empty else severities,
        delta_color="off",
        delta_arrow="off",
        help=t("open_alerts.help"),
        border=True,
        height="stretch",
    )
    worst = measures.oldest(found.alerts, here.settings.sla_minutes, now)
    if worst is None:
        second.metric(
            t("oldest"),
            none if empty else t("oldest.none"),
            help=t("oldest.help"),
            border=True,
            height="stretch",
        )
    else:
        severity = f"{theme.SEVERITY[worst.alert.severity][0]} {worst.alert.severity}"
        limit = here.settings.sla_minutes.minutes(worst.alert.severity)
        over = worst.share > 1
        second.metric(
            t("oldest"),
            age(worst.waited),
            t("oldest.over" if over else "oldest.of", severity=severity, limit=limit),
            delta_color="red" if over else "off",
            delta_arrow="off",
            help=t("oldest.help"),
            border=True,
            height="stretch",
        )
    third.metric(
        t("at_risk"),
        none if empty else usd(measures.at_risk(found.alerts)),
        help=t("at_risk.help"),
        border=True,
        height="stretch",
    )
    fourth.metric(
        t("stopped"),
        none if empty else usd(measures.stopped([*found.alerts, *found.resolved], now)),
        help=t("stopped.help"),
        border=True,
        height="stretch",
    )
    frauds, verdicts = measures.precision(found.resolved, now)
    fifth.metric(
        t("precision"),
        f"{frauds / verdicts:.0%}" if verdicts else none,
        t("precision.of", frauds=frauds, verdicts=verdicts) if verdicts else None,
        delta_color="off",
        delta_arrow="off",
        help=t("precision.help"),
        border=True,
        height="stretch",
    )
    lag = measures.number(found.pulse.beats.get("scorer", {}).get("lag"))
    budget = here.settings.budgets.lag_seconds
    sixth.metric(
        t("lag"),
        none if lag is None else f"{lag:.1f} s",
        None if lag is None else t("budget_over" if lag > budget else "budget", value=f"{budget:g} s"),
        delta_color="red" if lag is not None and lag > budget else "off",
        delta_arrow="off",
        help=t("lag.help"),
        border=True,
        height="stretch",
    )


def _charts(here: Desk, found: Overview, length: int, step: int) -> None:
    t = here.t
    series = measures.binned(found.minutes, step)
    end = found.pulse.stream_time - found.pulse.stream_time % 60_000
    span = (end - length, end + 60_000)
    edges = here.settings.thresholds
    left, right = st.columns(2)
    with left:
        st.html(f'<div class="tg-head">{escape(t("risk_chart"))}</div>')
        if series:
            names = {"p50": t("p50"), "p99": t("p99"), "risk": t("risk")}
            names |= {band: t(f"band.{band}") for band in ("medium", "high", "critical")}
            limits = {"medium": edges.medium, "high": edges.high, "critical": edges.critical}
            figure = charts.risk_over_time(series, limits, names, span, here.dark)
            st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="risk")
        else:
            _blank(here)
    with right:
        st.html(f'<div class="tg-head">{escape(t("outcomes_chart"))}</div>')
        if series:
            names = {action: t(f"action.{action}") for action in theme.ACTION_COLOUR}
            names["decided"] = t("decided")
            figure = charts.outcomes_over_time(series, step, names, span, here.dark)
            st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="outcomes")
        else:
            _blank(here)


def _blank(here: Desk) -> None:
    # The place keeps its height, so that nothing jumps when the first data come.
    with st.container(height=268, border=True, vertical_alignment="center", horizontal_alignment="center"):
        st.caption(here.t("no_data"), width="content")


def _tables(here: Desk, found: Overview) -> None:
    t = here.t
    first, second, third = st.columns(3)
    with first:
        st.html(f'<div class="tg-head">{escape(t("top_entities"))}</div>')
        entities = measures.top_entities(found.alerts, 5)
        if entities:
            st.dataframe(
                {
                    t("col.kind"): [name_of(t, "entity", e.kind) for e in entities],
                    t("col.entity"): [short(e.name, 20) for e in entities],
                    t("col.payments"): [e.payments for e in entities],
                    t("col.loss"): [usd(e.priority) for e in entities],
                },
                hide_index=True,
                height=214,
                key="entities",
            )
        elif found.pulse.stream_time:
            st.success(t("all_clear"))
        else:
            st.caption(t("no_data"))
    with second:
        st.html(f'<div class="tg-head">{escape(t("top_corridors"))}</div>')
        corridors = measures.top_corridors(found.minutes, 5)
        if corridors:
            st.dataframe(
                {
                    t("col.corridor"): [c.name for c in corridors],
                    t("col.alerts"): [c.hits for c in corridors],
                    t("col.payments"): [c.payments for c in corridors],
                    t("col.rate"): [f"{1000 * c.hits / max(c.payments, 1):,.1f}" for c in corridors],
                },
                hide_index=True,
                height=214,
                key="corridors",
            )
        else:
            st.caption(t("no_data"))
    with third:
        st.html(f'<div class="tg-head">{escape(t("processes"))}</div>')
        process_table(here, found.pulse, details=False)


main()
