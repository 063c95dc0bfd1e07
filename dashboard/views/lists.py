"""Lists: who is blocked, watched or allowed, on whose word and until when; add, remove, share with others."""

from __future__ import annotations

import streamlit as st

from dashboard.desk import Desk, desk, status_line
from dashboard.list_changing import draw_adding, draw_removing
from dashboard.list_sharing import draw_sharing
from dashboard.list_table import draw_numbers, draw_table, searched
from dashboard.notices import notice


def main() -> None:
    """The table renews itself; what is typed beside it stands still."""
    here = desk()
    st.fragment(_status, run_every=here.every(5))(here)
    notice()
    st.fragment(draw_numbers, run_every=here.every(5))(here)
    left, right = st.columns([70, 30], gap="medium")
    with left:
        which, text = searched(here)
        st.fragment(draw_table, run_every=here.every(5))(here, which, text)
    with right:
        reading = here.lists.entries(which, text)
        # The entries may be a few seconds old; the pulse is asked for anew.
        down = reading.error is not None or here.lists.pulse().error is not None
        draw_adding(here, down)
        draw_removing(here, [] if reading.value is None else reading.value.rows, down)
        draw_sharing(here, down)


def _status(here: Desk) -> None:
    reading = here.lists.pulse()
    status_line(here, reading, reading.value)


main()
