"""Monitoring: does the machine work, and does every event count?"""

from __future__ import annotations

from collections import Counter
from html import escape

import streamlit as st

from dashboard import measures
from dashboard.desk import Desk, desk, status_line
from dashboard.formats import age, id_html, utc
from dashboard.processes import process_table
from dashboard.readings import Monitoring
from dashboard.text import name_of
from models.decision import Counters

KINDS = ("transactions", "behaviours", "labels", "controls", "others", "undecodable")
ENDS = ("decided", "dead_lettered", "duplicates")
APART = ("late", "too_late", "labels_unmatched", "vectors_gone", "evicted", "refused_others")


def main() -> None:
    """Draw the page; the panel renews itself."""
    here = desk()
    st.fragment(_panel, run_every=here.every(3))(here)


def _panel(here: Desk) -> None:
    reading = here.model.monitoring()
    found = reading.value
    status_line(here, reading, found.pulse if found else None)
    if found is None:
        return
    _numbers(here, found)
    left, right = st.columns(2, gap="medium")
    with left:
        _identity(here, found.counters)
        _dead(here, found)
    with right:
        st.html(f'<div class="tg-head">{escape(here.t("processes"))}</div>')
        process_table(here, found.pulse, details=True)
        _deliveries(here, found)
        _position(here, found)


def _numbers(here: Desk, found: Monitoring) -> None:
    t, budgets = here.t, here.settings.budgets
    scorer = found.pulse.beats.get("scorer", {})
    learner = found.pulse.beats.get("learner", {})
    none = t("no_data")
    columns = st.columns(6)
    rate = measures.number(scorer.get("rate"))
    columns[0].metric(t("rate"), none if rate is None else f"{rate:,.1f}", border=True, height="stretch")
    p50, p99 = (measures.number(scorer.get(f"latency_{q}_ms")) for q in ("p50", "p99"))
    _against(
        here,
        columns[1],
        "latency",
        None if p99 is None else f"{'–' if p50 is None else f'{p50:.1f}'} / {p99:.1f} ms",
        p99,
        budgets.latency_p99_ms,
        f"{budgets.latency_p99_ms:g} ms",
    )
    lag = measures.number(scorer.get("lag"))
    lag_text = None if lag is None else f"{lag:.1f} s"
    _against(here, columns[2], "lag", lag_text, lag, budgets.lag_seconds, f"{budgets.lag_seconds:g} s")
    events = found.counters.events_in
    dead = found.cursors.get("dead", 0)
    share = dead / events if events else None
    _against(
        here,
        columns[3],
        "dead_share",
        None if share is None else f"{dead:,} · {share:.2%}",
        share,
        budgets.dead_letter_share,
        f"{budgets.dead_letter_share:.1%}",
    )
    columns[4].metric(t("ping"), f"{found.ping_ms:.1f} ms", border=True, height="stretch")
    version = learner.get("model")
    made = measures.whole(learner.get("model_at"))
    columns[5].metric(
        t("model_age"),
        none if version is None else str(version),
        None if made is None else t("ago", age=age(here.now(found.pulse.stream_time) - made)),
        delta_color="off",
        delta_arrow="off",
        help=t("model_age.help"),
        border=True,
        height="stretch",
    )


def _against(
    here: Desk,
    place: st.delta_generator.DeltaGenerator,
    key: str,
    text: str | None,
    value: float | None,
    limit: float,
    budget: str,
) -> None:
    """A metric with its budget; a missing value is `no data`, never zero."""
    over = value is not None and value > limit
    place.metric(
        here.t(key),
        here.t("no_data") if text is None else text,
        None if value is None else here.t("budget_over" if over else "budget", value=budget),
        delta_color="red" if over else "off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def _identity(here: Desk, counters: Counters) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("identity"))}</div>')
    if counters.events_in == 0:
        st.caption(t("no_data"))
        return

    def line(total: str, parts: tuple[str, ...]) -> str:
        terms = " + ".join(f"{getattr(counters, p):,} {escape(t(f'count.{p}'))}" for p in parts)
        return f"<b>{getattr(counters, total):,}</b> {escape(t(f'count.{total}'))} = {terms}"

    apart = " · ".join(f"{escape(t(f'count.{name}'))} {getattr(counters, name):,}" for name in APART)
    st.html(
        f'{line("events_in", KINDS)}<br>{line("transactions", ENDS)}<br><span class="tg-muted">{apart}</span>'
    )
    if counters.balanced():
        st.success(t("identity.holds"))
    else:
        st.error(t("identity.broken"))


def _dead(here: Desk, found: Monitoring) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("dead.title"))}</div>')
    if not found.dead:
        st.caption(t("dead.none") if found.counters.events_in else t("no_data"))
        return
    by_reason = Counter(letter.reason for letter in found.dead).most_common()
    last = {letter.reason: letter for letter in reversed(found.dead)}
    st.dataframe(
        {
            t("col.reason"): [reason for reason, _ in by_reason],
            t("col.count"): [count for _, count in by_reason],
            t("col.place"): [last[reason].place for reason, _ in by_reason],
            t("col.detail"): [last[reason].detail for reason, _ in by_reason],
        },
        hide_index=True,
        height="content",
        key="dead",
        column_config={t("col.count"): st.column_config.NumberColumn(width=60)},
    )
    st.caption(t("dead.last", count=len(found.dead)))


def _deliveries(here: Desk, found: Monitoring) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("deliveries"))}</div>')
    if not found.deliveries:
        st.caption(t("deliveries.none"))
        return
    sums = Counter(d.outcome for d in found.deliveries)
    st.caption(
        t("deliveries.sum", delivered=sums["delivered"], retry=sums["retry"], dead=sums["dead"])
        + f" · {t('dead.last', count=len(found.deliveries))}"
    )
    rows = found.deliveries[:5]
    st.dataframe(
        {
            t("col.time"): [utc(d.at) for d in rows],
            t("col.receiver"): [d.url for d in rows],
            t("col.attempt"): [d.attempt for d in rows],
            t("col.outcome"): [
                name_of(t, "outcome", d.outcome) + (f" ({d.status})" if d.status else "") for d in rows
            ],
            t("col.detail"): [d.detail for d in rows],
        },
        hide_index=True,
        height="content",
        key="deliveries",
    )


def _position(here: Desk, found: Monitoring) -> None:
    t = here.t
    position = found.pulse.beats.get("scorer", {}).get("position")
    text = escape(t("no_data")) if position is None else id_html(str(position))
    st.html(f'<div class="tg-head">{escape(t("position"))}</div>{text}')


main()
