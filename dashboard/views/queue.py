"""Queue: the list on the left, the case on the right; one key an alert, no mouse."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alerts.alert import Alert
from dashboard import measures, theme
from dashboard.case import draw_case
from dashboard.data import VIEWS
from dashboard.desk import Desk, desk, status_line
from dashboard.formats import age, plain, usd, utc
from dashboard.notices import notice
from dashboard.readings import Pulse, Reading
from dashboard.text import name_of
from dashboard.verbs import Snapshot, held_by_other, select


def main() -> None:
    """Draw the page. The list stands still; only its number of new alerts is renewed."""
    here = desk()
    pulse = here.model.pulse()
    status_line(here, pulse, pulse.value)
    left, right = st.columns([41, 59], gap="medium")
    with left:
        shown = _list(here, pulse)
    with right:
        notice(toast=True)
        selected = st.session_state.get("selected")
        if selected is not None:
            st.query_params["alert"] = selected
            draw_case(here, selected, pulse)
        elif shown is not None and shown.alerts:
            st.success(here.t("queue.done"))
        elif shown is not None and shown.as_of:
            st.caption(here.t("case.choose"))


def _list(here: Desk, pulse: Reading[Pulse]) -> Snapshot | None:
    t = here.t
    bar = st.container(horizontal=True, vertical_alignment="center")
    with bar:
        view = (
            st.segmented_control(
                t("view"),
                list(VIEWS),
                default="open",
                key="view",
                format_func=lambda name: t(f"view.{name}"),
                label_visibility="collapsed",
                required=True,
            )
            or "open"
        )
    rule = _narrowed(here)
    shown: Snapshot | None = st.session_state.get("snapshot")
    if shown is None or (shown.view, shown.rule) != (view, rule) or not shown.as_of:
        shown = _load(here, view, rule)
    with bar:
        st.fragment(_news, run_every=here.every(4))(here, view, rule)
    if not shown.as_of:
        st.caption(t("no_data"))
        return None
    if not shown.alerts:
        plain = view == "open" and not rule
        (st.success if plain else st.info)(t("queue.empty" if plain else "queue.empty_other"))
        return shown
    clock = here.now(pulse.value.stream_time if pulse.value else 0)
    st.caption(t("queue.as_of", count=len(shown.alerts), time=utc(shown.as_of)))
    _table(here, shown, clock)
    return shown


def _narrowed(here: Desk) -> str:
    """The rule whose alerts are asked for; "": all. A button takes the wish back."""
    # Opening another page drops the query, and opening this one without it asks for all.
    rule = st.query_params.get("rule", "")[:64]
    if rule and st.button(
        f"{here.t('queue.of_rule', rule=plain(rule))} ✕", key="all_rules", help=here.t("queue.all_rules")
    ):
        del st.query_params["rule"]
        st.rerun()
    return rule


def _load(here: Desk, view: str, rule: str) -> Snapshot:
    """Take a new snapshot and select: the permalink's alert at first, else the first that nobody holds."""
    reading = here.model.queue(view, rule)
    shown = Snapshot(view, list(reading.value or []), reading.as_of if reading.value is not None else 0, rule)
    first_time = "snapshot" not in st.session_state
    st.session_state["snapshot"] = shown
    asked = st.query_params.get("alert") if first_time else None
    kept = st.session_state.get("selected")
    ids = [a.id for a in shown.alerts if a.status in VIEWS[view]]
    if asked:
        select(asked)
    elif kept not in ids:
        now = here.model.now()
        free = [a.id for a in shown.alerts if not held_by_other(a, here.actor, now)]
        select(next(iter([*free, *ids]), None))
    else:
        select(kept)
    return shown


def _news(here: Desk, view: str, rule: str) -> None:
    """The button with the number of new alerts."""
    reading = here.model.queue(view, rule)
    shown: Snapshot = st.session_state["snapshot"]
    known = {a.id for a in shown.alerts}
    count = sum(a.id not in known for a in reading.value or [])
    pressed = st.button(
        here.t("load_new", count=count) if count else here.t("load_again"),
        key="load",
        shortcut="N",
        type="primary" if count else "secondary",
        disabled=reading.error is not None,
    )
    if pressed:
        _load(here, view, rule)
        # A fragment's button reruns only the fragment; the list lies outside.
        st.rerun()


def _table(here: Desk, shown: Snapshot, clock: int) -> None:
    t = here.t
    alerts = shown.alerts
    names = [t(f"col.{c}") for c in ("severity", "what", "amount", "risk", "waited", "who")]
    rows = [
        (
            f"{theme.SEVERITY[a.severity][0]} {a.severity}",
            name_of(t, "typology", a.typology) + (f" ×{a.count}" if a.count > 1 else ""),
            usd(a.amount_usd),
            f"{a.decision.risk:.2f}",
            ("! " if measures.overdue(a, here.settings.sla_minutes, clock) else "")
            + age(clock - a.opened_at),
            _who(here, a),
        )
        for a in alerts
    ]
    frame = pd.DataFrame(rows, columns=names)
    colours = {f"{symbol} {name}": colour for name, (symbol, colour) in theme.SEVERITY.items()}
    styled = frame.style.map(lambda cell: f"color: {colours[cell]}; font-weight: 700", subset=[names[0]])
    ids = [a.id for a in alerts]
    selected = st.session_state.get("selected")
    key = f"queue:{st.session_state.get('round', 0)}"
    st.dataframe(
        styled,
        hide_index=True,
        height=690,
        key=key,
        on_select=lambda: _clicked(key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(selected)]}} if selected in ids else None,
        column_config={
            names[0]: st.column_config.TextColumn(width=66),
            names[1]: st.column_config.TextColumn(width=160),
            names[2]: st.column_config.TextColumn(width=88, alignment="right"),
            names[3]: st.column_config.TextColumn(width=48, alignment="right"),
            names[4]: st.column_config.TextColumn(width=76, alignment="right"),
            names[5]: st.column_config.TextColumn(width=74),
        },
    )


def _clicked(key: str, ids: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state["selected"] = ids[rows[0]]
        st.session_state["notice"] = None


def _who(here: Desk, alert: Alert) -> str:
    """Who has it, or what has become of it."""
    if alert.verdict:
        return f"✓ {name_of(here.t, 'verdict', alert.verdict)}"
    if alert.status != "open":
        return name_of(here.t, "status", alert.status)
    if alert.claimed_by and (alert.claimed_until or 0) > here.model.now():
        return alert.claimed_by
    return ""


main()
