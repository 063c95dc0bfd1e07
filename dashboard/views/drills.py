"""Drills: is everyone practised? What is due, how drills went, training at the table, and the book of plans."""

from __future__ import annotations

import streamlit as st

from dashboard.choosing import chosen
from dashboard.desk import Desk, desk, status_line
from dashboard.drill_results import draw_results
from dashboard.drill_schedule import draw_schedule
from dashboard.notices import notice
from dashboard.plan_book import draw_plans
from dashboard.tabletop import draw_tabletop

PARTS = {
    "schedule": draw_schedule,
    "results": draw_results,
    "tabletop": draw_tabletop,
    "plans": draw_plans,
}
# What each part keeps in the page's address. (Streamlit would draw a string that stands here.)
OWN: dict[str, tuple[str, ...]] = {
    "schedule": ("job",),
    "results": ("run",),
    "tabletop": ("sitting",),
    "plans": ("plan",),
}


def main() -> None:
    """Draw the page; what people type into stands outside what renews itself."""
    here = desk()
    t = here.t
    left, right = st.columns([5, 4], vertical_alignment="center")
    with right, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        part = chosen(t("part"), "part", [*PARTS], lambda name: t(f"drills.part.{name}"))
        for name in {name for names in OWN.values() for name in names} - set(OWN[part]):
            if name in st.query_params:
                del st.query_params[name]
    notice()
    with left:
        st.fragment(_status, run_every=here.every(5))(here)
    PARTS[part](here)


def _status(here: Desk) -> None:
    pulse = here.model.pulse()
    status_line(here, pulse, pulse.value)


main()
