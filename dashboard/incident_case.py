"""One incident: its head, and the timeline of alerts, notifications and actions beside the team and the verbs."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from alerts.response.incident import Entry
from alerts.routing.reasons import sentence
from dashboard import theme
from dashboard.choosing import chosen
from dashboard.containing import draw_measures
from dashboard.desk import Desk
from dashboard.formats import age, plain, short, usd, utc
from dashboard.incident_board import head_html
from dashboard.incident_data import IncidentView
from dashboard.incident_names import measure_of
from dashboard.incident_verbs import draw_verbs
from dashboard.notifying import draw_notifying
from dashboard.plan_steps import draw_steps
from dashboard.proposing import draw_proposing
from dashboard.readings import Reading
from dashboard.reviewing import draw_review
from dashboard.text import name_of

PARTS = ("timeline", "plan", "contain", "notify", "review")


def draw_incident(here: Desk, id_: str) -> None:
    """The whole page of one incident. The head and the timeline renew themselves, what people type into does not."""
    t = here.t
    reading = here.response.incident(id_)
    left, right = st.columns([5, 4], vertical_alignment="center")
    with left:
        if st.button(f"← {t('board.back')}", key="back"):
            for name in ("incident", "part"):
                if name in st.query_params:
                    del st.query_params[name]
            st.rerun()
    if reading.value is None:
        if reading.error is None:
            st.info(t("incident.gone", id=plain(id_)))
        return
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        part = chosen(t("part"), "part", PARTS, lambda name: t(f"incident.part.{name}"))
    view, down = reading.value, reading.error is not None
    st.fragment(_head, run_every=here.every(5))(here, id_, view.row.incident.version)
    if part == "plan":
        draw_steps(here, view, down)
        return
    if part == "contain":
        draw_measures(here, view.measures, view.taken, down)
        draw_proposing(here, view.row.incident, view.plan, down)
        return
    if part == "notify":
        draw_notifying(here, view, down)
        return
    if part == "review":
        draw_review(here, view, down)
        return
    draw_verbs(here, view.row.incident, down)
    wide, narrow = st.columns([70, 30], gap="medium")
    with wide:
        st.fragment(_timeline, run_every=here.every(5))(here, id_)
    with narrow:
        _team(here, view)


def _head(here: Desk, id_: str, drawn: int) -> None:
    reading: Reading[IncidentView | None] = here.response.incident(id_)
    if reading.value is not None:
        if reading.value.row.incident.version != drawn:
            # Somebody did something: the forms below are of a state that is no more.
            st.rerun()
        st.html(head_html(here, reading.value.row))


def _timeline(here: Desk, id_: str) -> None:
    view = here.response.incident(id_).value
    if view is None:
        return
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("incident.timeline"))}</div>')
    names = [t(f"incident.{name}") for name in ("kind", "who", "text")]
    rows = [(utc(at), *rest) for at, *rest in lines_of_time(here, view)]
    st.dataframe(
        pd.DataFrame(rows, columns=[t("col.time"), *names]),
        hide_index=True,
        height=470,
        key=f"timeline:{id_}",
        column_config={
            t("col.time"): st.column_config.TextColumn(width=112),
            names[0]: st.column_config.TextColumn(width=130),
            names[1]: st.column_config.TextColumn(width=110),
            names[2]: st.column_config.TextColumn(width="large"),
        },
    )
    if view.why is None:
        st.caption(t("incident.routing_silent"))


def lines_of_time(here: Desk, view: IncidentView) -> list[tuple[int, str, str, str]]:
    """Time, kind, who and text of everything that happened, newest first."""
    t = here.t
    rows = [
        (entry.at, f"● {name_of(t, 'entry', entry.kind)}", entry.actor, _text_of(here, view, entry))
        for entry in view.row.incident.timeline
    ]
    for alert in view.alerts:
        symbol = theme.SEVERITY[alert.severity][0]
        what = (
            f"{name_of(t, 'typology', alert.typology)} ×{alert.count}, {usd(alert.amount_usd)} · {alert.id}"
        )
        rows.append((alert.opened_at, f"{symbol} {t('entry.alert')}", short(alert.entity), what))
    for moment in [] if view.why is None else view.why.history:
        text = sentence(moment.reason, here.language)
        rows.append((moment.at, f"✉ {t('entry.notification')}", moment.receiver, text))
    return sorted(rows, key=lambda row: row[0], reverse=True)


def _text_of(here: Desk, view: IncidentView, entry: Entry) -> str:
    """What an entry says, in the reader's language where it is ours to say."""
    t, facts = here.t, entry.facts
    measure = next((one for one in view.measures if one.id == facts.get("measure")), None)
    if entry.kind == "measure" and measure is not None:
        state = name_of(t, "measure", str(facts.get("state")))
        if entry.text.startswith("effective"):
            state = t("contain.effective", time=utc(view.taken.get(measure.id, entry.at)))
        parts = [state, measure_of(here, measure), str(facts.get("reason") or "")]
        return " · ".join(part for part in parts if part)
    text = str(facts.get("text_zh") or entry.text) if here.language == "zh" else entry.text
    if "before" in facts and "after" in facts:
        before, after = (name_of(t, "phase", str(facts[name])) for name in ("before", "after"))
        told = f"{before} → {after}"
    else:
        told = ", ".join(
            f"{name} {value}" for name, value in facts.items() if name not in ("text_zh", "digest")
        )
    return " · ".join(part for part in (told, text) if part)


def _team(here: Desk, view: IncidentView) -> None:
    t, one = here.t, view.row.incident
    rows = []
    for page in one.team:
        if page.acknowledged_at is None and view.why is not None and view.why.told_nobody:
            text, kind = t("incident.team_untold"), "tg-soon"
        elif page.acknowledged_at is None:
            text, kind = t("incident.team_waits", age=age(here.model.now() - page.at)), "tg-soon"
        else:
            took = age(page.acknowledged_at - page.at)
            text, kind = t("incident.team_has", person=page.by or "?", age=took), ""
        rows.append(f'<dt>{escape(name_of(t, "team", page.role))}</dt><dd class="{kind}">{escape(text)}</dd>')
    st.html(
        f'<div class="tg-head">{escape(t("incident.team"))}</div><dl class="tg-facts">{"".join(rows)}</dl>'
        if rows
        else f'<div class="tg-muted">{escape(t("incident.no_team"))}</div>'
    )
    if view.plan is not None:
        title = view.plan.title.in_(here.language)
        st.caption(plain(t("incident.plan", title=title, version=view.plan.version)))
    elif view.plan_error:
        st.warning(t("incident.plan_wrong", reason=plain(view.plan_error)))
    else:
        st.caption(t("incident.no_plan"))
