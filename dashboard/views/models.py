"""Models: how good is what decides, who decides, and how does each rule do?"""

from __future__ import annotations

import streamlit as st

from dashboard.backtest_jobs import draw_backtests
from dashboard.choosing import chosen
from dashboard.desk import Desk, desk, status_line
from dashboard.learning import draw_learning
from dashboard.notices import notice
from dashboard.pinning import pin_control
from dashboard.rule_table import DAYS, draw_rules
from dashboard.standings import draw_champions
from dashboard.trusting import surge_warnings

PARTS = ("models", "rules", "backtests")
# What each part keeps in the page's address. (Streamlit would draw a string that stands here.)
OWN: dict[str, tuple[str, ...]] = {"models": (), "rules": ("days", "rule"), "backtests": ("job",)}


def main() -> None:
    """Draw the page; the panel renews itself, what people type into does not."""
    here = desk()
    t = here.t
    left, right = st.columns([5, 4], vertical_alignment="center")
    days = 0
    with right, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        part = chosen(t("part"), "part", PARTS, lambda name: t(f"part.{name}"))
        if part == "rules":
            days = int(chosen(t("rules.days"), "days", DAYS, lambda n: t("rules.days_of", days=n)))
        elif part == "models":
            pin_control(here)
        for name in {name for names in OWN.values() for name in names} - set(OWN[part]):
            if name in st.query_params:
                del st.query_params[name]
    notice()
    with left:
        st.fragment(_status, run_every=here.every(5))(here)
    if part == "rules":
        draw_rules(here, days)
    elif part == "backtests":
        draw_backtests(here)
    else:
        surge_warnings(here, here.model.models())
        st.fragment(_models, run_every=here.every(10))(here)


def _status(here: Desk) -> None:
    pulse = here.model.pulse()
    status_line(here, pulse, pulse.value)


def _models(here: Desk) -> None:
    found = here.model.models().value
    if found is None:
        return
    if found.report is None:
        st.info(here.t("models.none"))
        return
    draw_learning(here, found, found.report)
    draw_champions(here, found, found.report)


main()
