"""The board: what is at work, the gravest first, with its clocks; what is contained; what has ended."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import theme
from dashboard.containing import draw_measures
from dashboard.desk import Desk
from dashboard.formats import age, id_html, usd, utc_html
from dashboard.incident_data import Board, Row
from dashboard.incident_names import title_of


def draw_board(here: Desk) -> None:
    """The whole board; it renews itself."""
    reading = here.response.live()
    live, taken = reading.value if reading.value is not None else ([], {})
    st.fragment(_board, run_every=here.every(5))(here, [(one.id, one.state) for one in live])
    if reading.value is not None:
        st.html(f'<div class="tg-head">{escape(here.t("board.measures"))}</div>')
        draw_measures(here, live, taken, reading.error is not None)


def _board(here: Desk, drawn: list[tuple[str, str]]) -> None:
    now = here.response.live().value
    if now is not None and [(one.id, one.state) for one in now[0]] != drawn:
        # The measures below lie outside this fragment, for what is typed there must stay.
        st.rerun()
    t = here.t
    reading = here.response.board()
    if reading.value is None:
        st.caption(t("board.none_read"))
        return
    board: Board = reading.value
    if board.at_work:
        st.html(f'<div class="tg-head">{escape(t("board.at_work", count=len(board.at_work)))}</div>')
    else:
        st.success(t("board.quiet"))
    pressed = _rows(here, board.at_work)
    if board.ended:
        with st.expander(t("board.ended", count=len(board.ended))):
            pressed = _rows(here, board.ended) or pressed
    if pressed:
        st.query_params["incident"] = pressed
        # A fragment's button reruns only the fragment; the page is chosen outside.
        st.rerun()


def _rows(here: Desk, rows: list[Row]) -> str:
    """Each with a button that opens it; the id of the one that was pressed."""
    pressed = ""
    for row in rows:
        left, right = st.columns([90, 10], vertical_alignment="center")
        left.html(head_html(here, row))
        if right.button(here.t("board.open"), key=f"open:{row.incident.id}"):
            pressed = row.incident.id
    return pressed


def head_html(here: Desk, row: Row) -> str:
    """Severity, name, phase, commander, loss and clocks of an incident."""
    t, one = here.t, row.incident
    symbol, colour = theme.SEVERITY[one.severity]
    loss = usd(one.loss.usd)
    if one.loss.exposed_usd:
        loss += f" ({t('board.loss_of', exposed=usd(one.loss.exposed_usd), rate=f'{one.loss.rate:.0%}')})"
    facts = [
        f"{t('board.commander')}: {one.commander or t('board.nobody')}",
        f"{t('board.loss')}: {loss}",
        f"{t('board.alerts')}: {one.alert_count:,}",
    ]
    return (
        f'<div class="tg-card"><div class="tg-title"><span style="color:{colour}">{symbol} {one.severity} '
        f"{escape(t(f'severity.{one.severity}'))}</span> · {escape(title_of(here, one))} "
        f'<span class="tg-tag">{escape(t(f"phase.{one.phase}"))}</span></div>'
        f"<div>{escape(' · '.join(facts))}</div>"
        f'<div>{clocks_html(here, row)} <span class="tg-muted">· {utc_html(one.detected_at, here.timezone)} · '
        f"{id_html(one.id)}</span></div></div>"
    )


def clocks_html(here: Desk, row: Row) -> str:
    """What is due when; what is late is said in red, with a sign."""
    t, now, due, notice = here.t, here.model.now(), row.due, row.notice
    running = [(t(f"clock.{name}"), getattr(due, name)) for name in ("acknowledge", "contain", "sitrep")]
    if notice is not None:
        running.append((t("clock.notice", id=notice.id), notice.due))
    out = []
    for what, at in running:
        if at is not None:
            late = now > at
            text = t("clock.late" if late else "clock.left", what=what, age=age(abs(at - now)))
            out.append(
                f'<span class="{"tg-late" if late else ""}">{"✕" if late else "◷"} {escape(text)}</span>'
            )
    return " · ".join(out) or f'<span class="tg-muted">{escape(t("clock.none"))}</span>'
