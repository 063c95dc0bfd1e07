"""The rules: hits, precision, overlap and money over the last days, and one rule with its runbook and its alerts."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from alerts.rule_counts import RuleRow
from dashboard import theme
from dashboard.desk import Desk
from dashboard.formats import usd
from dashboard.readings import Rules
from dashboard.runbooks import Runbook, runbooks
from dashboard.text import name_of

DAYS = ("30", "7", "1")
_TOLD = 0.005
"""Least share of a rule's hits that is called an overlap."""


def draw_rules(here: Desk, days: int) -> None:
    """The table on the left, one rule on the right. What people choose stands outside the part that renews itself."""
    reading = here.model.rules(days, here.settings.settle_after_ms)
    found = reading.value
    if found is None:
        return
    t = here.t
    known = runbooks(here.settings.rules)
    left, right = st.columns([74, 26], gap="medium")
    with right:
        chosen = _choice(here, found, known)
        if chosen is not None:
            _rule(here, chosen, found, known)
    with left:
        if not found.pulse.stream_time:
            st.caption(t("no_data"))
            return
        st.fragment(_table, run_every=here.every(10))(here, days, known)


def _table(here: Desk, days: int, known: dict[str, Runbook]) -> None:
    t = here.t
    found = here.model.rules(days, here.settings.settle_after_ms).value
    if found is None:
        return
    if not found.rows:
        st.info(t("rules.no_hits", days=days))
        return
    rows = found.rows
    columns = {
        t("col.rule"): [_name(row, known) for row in rows],
        t("rules.title"): [_title(here, row.rule, known) for row in rows],
        t("rules.hits"): [row.hits for row in rows],
        t("rules.daily"): [found.daily[row.rule] for row in rows],
        t("rules.precision"): [None if row.precision is None else 100 * row.precision for row in rows],
        t("rules.settled"): [f"{row.frauds:,} / {row.settled:,}" if row.settled else "–" for row in rows],
        t("rules.alone"): [100 * row.alone / row.hits for row in rows],
        t("rules.overlap"): [_overlap(row) for row in rows],
        t("rules.usd"): [round(row.usd) for row in rows],
        t("rules.fraud_usd"): [round(row.fraud_usd) for row in rows],
    }
    config = st.column_config
    frame = pd.DataFrame(columns).style.format(
        {t("rules.precision"): "{:.0f}%", t("rules.alone"): "{:.0f}%"}, na_rep="–"
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=660,
        key=f"rules:{days}",
        column_config={
            t("col.rule"): config.TextColumn(width=72),
            t("rules.title"): config.TextColumn(width=262),
            t("rules.hits"): config.NumberColumn(width=56, format="localized"),
            t("rules.daily"): config.BarChartColumn(width=92, color=theme.BLUE, y_min=0),
            t("rules.precision"): config.NumberColumn(width=74, help=t("rules.precision.help")),
            t("rules.settled"): config.TextColumn(width=104, help=t("rules.precision.help")),
            t("rules.alone"): config.NumberColumn(width=60, help=t("rules.alone.help")),
            t("rules.overlap"): config.TextColumn(width=86, help=t("rules.overlap.help")),
            t("rules.usd"): config.NumberColumn(width=88, format="localized"),
            t("rules.fraud_usd"): config.NumberColumn(
                width=88, format="localized", help=t("rules.fraud_usd.help")
            ),
        },
    )
    silent = sorted(known.keys() - {row.rule for row in rows})
    if silent:
        st.caption(t("rules.silent", count=len(silent), rules=", ".join(silent)))


def _choice(here: Desk, found: Rules, known: dict[str, Runbook]) -> str | None:
    """Which rule to look at: the address names it, else the one with most hits."""
    ids = [row.rule for row in found.rows]
    ids += sorted(known.keys() - set(ids))
    if not ids:
        st.caption(here.t("no_data"))
        return None
    asked = st.session_state.get("rule") or st.query_params.get("rule")
    chosen = st.selectbox(
        here.t("col.rule"),
        ids,
        index=ids.index(asked) if asked in ids else 0,
        key="rule_chosen",
        format_func=lambda rule: f"{rule} · {_title(here, rule, known)}",
    )
    if chosen is not None:
        st.query_params["rule"] = chosen
    return chosen


def _rule(here: Desk, rule: str, found: Rules, known: dict[str, Runbook]) -> None:
    """What it says, how it did, what to do about a hit, and the alerts it made."""
    t, book = here.t, known.get(rule)
    row = next((row for row in found.rows if row.rule == rule), None)
    if book is None:
        st.caption(t("rules.unknown"))
    else:
        trial = f' <span class="tg-tag">{escape(t("rules.shadow"))}</span>' if book.shadow else ""
        colour = theme.ACTION_COLOUR.get(book.action, theme.GREY)
        st.html(
            f'<div class="tg-title">{escape(rule)} {escape(book.title(here.language))}{trial}</div>'
            f'<div class="tg-muted"><span style="color:{colour}">■</span> {escape(name_of(t, "action", book.action))} · '
            f"{escape(name_of(t, 'band', book.severity))} · {escape(name_of(t, 'typology', book.typology))}</div>"
        )
        st.code(book.text, language=None, wrap_lines=True)
    st.html(f'<div class="tg-say">{escape(_sentence(here, row))}</div>')
    if row is not None and row.overlaps:
        parts = ", ".join(f"{o.rule} {o.share:.0%}" for o in row.overlaps if o.share >= _TOLD) or "–"
        st.html(f'<div class="tg-muted">{escape(t("rules.with", rules=parts))}</div>')
    query = {"rule": rule, "lang": here.language}
    st.page_link("views/queue.py", label=t("rules.alerts"), query_params=query)
    if book is not None:
        st.html(f'<div class="tg-head">{escape(t("rules.runbook"))}</div>')
        st.html(f'<div class="tg-rule">{escape(book.runbook)}</div>')


def _sentence(here: Desk, row: RuleRow | None) -> str:
    t = here.t
    if row is None:
        return t("rules.say_silent")
    said = t("rules.say_hits", hits=f"{row.hits:,}", usd=usd(row.usd), alone=f"{row.alone:,}")
    if row.precision is None:
        return f"{said} {t('rules.say_open')}"
    told = t(
        "rules.say_precision",
        frauds=f"{row.frauds:,}",
        settled=f"{row.settled:,}",
        share=f"{row.precision:.0%}",
    )
    return f"{said} {told}"


def _name(row: RuleRow, known: dict[str, Runbook]) -> str:
    book = known.get(row.rule)
    on_trial = book.shadow if book is not None else row.shadow == row.hits
    return f"{row.rule} ◌" if on_trial else row.rule


def _title(here: Desk, rule: str, known: dict[str, Runbook]) -> str:
    book = known.get(rule)
    return here.t("rules.not_in_pack") if book is None else book.title(here.language)


def _overlap(row: RuleRow) -> str:
    """The rule that hits most of the same payments; the others stand beside the chosen rule."""
    return next((f"{o.rule} {o.share:.0%}" for o in row.overlaps if o.share >= _TOLD), "–")
