"""Silences & routing: why did (not) this page me, what is quiet, who hears what, and does it get through?"""

from __future__ import annotations

import streamlit as st

from dashboard.choosing import chosen
from dashboard.delivery_part import draw_deliveries
from dashboard.desk import Desk, desk, status_line
from dashboard.notices import notice
from dashboard.silences_part import draw_silences
from dashboard.snoozes_part import draw_snoozes
from dashboard.tree_part import draw_tree
from dashboard.why_part import draw_why

PARTS = {
    "why": draw_why, "silences": draw_silences, "snoozes": draw_snoozes, "tree": draw_tree, "delivery": draw_deliveries
}  # fmt: skip


def main() -> None:
    """The part that the page's address names."""
    here = desk()
    left, right = st.columns([5, 5], vertical_alignment="center")
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        part = chosen(here.t("part"), "part", tuple(PARTS), lambda name: here.t(f"routing.part.{name}"))
    with left:
        st.fragment(_status, run_every=here.every(5))(here)
    notice()
    PARTS[part](here)


def _status(here: Desk) -> None:
    reading = here.routing.pulse()
    status_line(here, reading, reading.value)


main()
