"""Models: how good is what decides, who decides, and how does each rule do?"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.backtest_jobs import draw_backtests
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
        part = _chosen(t("part"), "part", PARTS, lambda name: t(f"part.{name}"))
        if part == "rules":
            days = int(_chosen(t("rules.days"), "days", DAYS, lambda n: t("rules.days_of", days=n)))
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


def _chosen(label: str, key: str, options: tuple[str, ...], name_of: Callable[[str], str]) -> str:
    """One of the options, the first by default; the page's address keeps it."""
    asked = st.query_params.get(key)
    chosen = st.segmented_control(
        label,
        options,
        default=asked if asked in options else options[0],
        key=key,
        format_func=name_of,
        label_visibility="collapsed",
        required=True,
    )
    st.query_params[key] = chosen or options[0]
    return chosen or options[0]


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
