"""Incidents: what is going on, who leads it, what is contained, what is owed to whom?"""

from __future__ import annotations

import streamlit as st

from dashboard.declaring import declare_control
from dashboard.desk import Desk, desk, status_line
from dashboard.incident_board import draw_board
from dashboard.incident_case import draw_incident
from dashboard.notices import notice


def main() -> None:
    """The board, or the incident that the page's address names."""
    here = desk()
    id_ = st.query_params.get("incident", "")[:64]
    left, right = st.columns([5, 4], vertical_alignment="center")
    with left:
        st.fragment(_status, run_every=here.every(5))(here)
    if not id_:
        with right, st.container(horizontal=True, horizontal_alignment="right"):
            declare_control(here, here.response.board().error is not None)
    notice()
    if id_:
        draw_incident(here, id_)
    else:
        draw_board(here)


def _status(here: Desk) -> None:
    pulse = here.model.pulse()
    status_line(here, pulse, pulse.value)


main()
