"""The banner on every page while a containment is in force: what, where, until when, by whom, and the way to it."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.response.measure import Measure
from dashboard.desk import Desk, desk
from dashboard.formats import utc
from dashboard.incident_names import measure_of

SHOWN = 3
PAGE = "views/incidents.py"


def banner() -> None:
    """Draw it, renewed by itself."""
    here = desk()
    st.fragment(_banner, run_every=here.every(5))(here)


def _banner(here: Desk) -> None:
    reading = here.response.live()
    if reading.value is None:
        return
    live, _ = reading.value
    # What is in force is said first; proposals are for those who may approve.
    found = sorted(live, key=lambda one: (one.state != "in_force", one.until or 0, one.id))
    note = "" if reading.error is None else here.t("banner.as_of", time=utc(reading.as_of))
    for number, one in enumerate(found[:SHOWN]):
        more = len(found) - SHOWN if number == SHOWN - 1 else 0
        extra = here.t("banner.more", count=more) if more > 0 else ""
        left, right = st.columns([88, 12], vertical_alignment="center")
        left.html(_line(here, one, " · ".join(part for part in (note, extra) if part)))
        query = {} if one.incident is None else {"incident": one.incident, "part": "contain"}
        right.page_link(PAGE, label=here.t("banner.open"), query_params=query)


def _line(here: Desk, one: Measure, note: str) -> str:
    t, what = here.t, measure_of(here, one)
    if one.state == "in_force":
        until = utc(one.until or 0)
        text = t("banner.in_force", what=what, until=until, who=one.approved_by or one.proposed_by)
        kind, symbol = "tg-banner", "■"
    else:
        text = t("banner.waits", what=what, who=one.proposed_by, time=utc(one.proposed_at))
        kind, symbol = "tg-banner tg-banner-waits", "□"
    tail = f' <span class="tg-muted">({escape(note)})</span>' if note else ""
    return f'<div class="{kind}" role="alert"><b>{symbol}</b> {escape(text)}{tail}</div>'
