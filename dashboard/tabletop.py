"""Training at the table: the exercises, who is trained in what, and the one that is taken."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.tabletop.exercise import Exercise
from alerts.tabletop.fitting import Table, fitted
from alerts.tabletop.rules import day_of, training_rules
from alerts.tabletop.sitting import Sitting, lapsed
from alerts.tabletop.standing import Standing
from dashboard.desk import Desk, desk
from dashboard.drill_data import Training
from dashboard.drill_names import role_name
from dashboard.formats import plain
from dashboard.incident_names import barred
from dashboard.notices import refused, worded
from dashboard.tabletop_result import draw_result
from dashboard.tabletop_seat import draw_seat
from dashboard.training import draw_training, mark_html
from models.errors import IncidentError, PlanError, StoreError


def draw_tabletop(here: Desk) -> None:
    """The sitting that the address names, or the exercises beside who is trained."""
    t, reading = here.t, here.drills.training()
    down = reading.error is not None
    found = reading.value
    id_ = st.query_params.get("sitting", "")[:64]
    if found is None:
        st.caption(t("drills.none_read"))
        return
    if id_:
        _sitting(here, found, id_, down)
        return
    left, right = st.columns([48, 52], gap="medium")
    with left:
        _exercises(here, found, down)
    with right:
        draw_training(here, found.standings)


def _sitting(here: Desk, found: Training, id_: str, down: bool) -> None:
    t = here.t
    st.button(t("table.back"), key="table_back", icon=":material/arrow_back:", on_click=_leave)
    one = next((one for one in found.sittings if one.id == id_), None)
    if one is None:
        st.info(t("table.unknown", id=plain(id_)))
        return
    exercise = here.drills.files().exercises.get(one.exercise)
    table, wrong = _fitted(here, exercise) if exercise is not None else (None, "")
    same = table is not None and (one.exercise_digest, one.plan_digest) == (
        table.exercise.digest, table.plan.digest,
    )  # fmt: skip
    if one.state != "running":
        draw_result(here, one, table if same else None)
    elif table is None or not same:
        st.warning(wrong or t("table.changed"), icon="⚠️")
    elif lapsed(one, training_rules(), here.model.now()):
        st.warning(t("table.lapsed", minutes=training_rules().lapses_after_min), icon="⚠️")
    elif one.person != here.actor:
        st.info(t("table.others", person=plain(one.person)))
    else:
        draw_seat(here, one, table, down)


def _fitted(here: Desk, exercise: Exercise) -> tuple[Table | None, str]:
    book = here.drills.files().book
    if book is None:
        return None, plain(here.drills.files().wrong)
    try:
        return fitted(exercise, book, day_of(here.model.now())), ""
    except PlanError as error:
        return None, worded(here, error)


def _exercises(here: Desk, found: Training, down: bool) -> None:
    t, files = here.t, here.drills.files()
    st.html(f'<div class="tg-head">{escape(t("table.exercises", count=len(files.exercises)))}</div>')
    st.caption(t("table.how", person=plain(here.actor), share=f"{training_rules().pass_mark:.0%}"))
    if files.wrong:
        st.warning(plain(files.wrong), icon="⚠️")
    barring = barred(here, "drill.tabletop", down)
    for exercise in files.exercises.values():
        table, wrong = _fitted(here, exercise)
        mine = [one for one in found.sittings if (one.person, one.exercise) == (here.actor, exercise.id)]
        going = [
            one
            for one in mine
            if one.state == "running" and not lapsed(one, training_rules(), here.model.now())
        ]
        standing = next(
            (one for one in found.standings if (one.person, one.exercise) == (here.actor, exercise.id)), None
        )
        words, button = st.columns([74, 26], vertical_alignment="center")
        words.html(_exercise_html(here, exercise, table, standing, going[0] if going else None))
        if wrong:
            words.warning(wrong, icon="⚠️")
        why = barring or wrong
        button.button(
            t("table.go_on" if going else "table.again" if standing else "table.begin"),
            key=f"table_begin:{exercise.id}", disabled=bool(why), help=why or None, on_click=_begin,
            args=(exercise.id,), type="primary" if going or standing is None else "secondary", width="stretch",
        )  # fmt: skip


def _exercise_html(
    here: Desk, exercise: Exercise, table: Table | None, standing: Standing | None, going: Sitting | None
) -> str:
    t = here.t
    facts = [
        t("table.seat", seat=role_name(t, exercise.seat)),
        t("table.questions", count=len(list(exercise.questions()))),
    ]
    if table is not None:
        facts.append(t("drills.plan", plan=f"{table.plan.title.in_(here.language)} {table.plan.version}"))
    state = f'<span class="tg-muted">○ {escape(t("table.not_taken"))}</span>'
    if going is not None:
        state = f'<span class="tg-soon">▶ {escape(t("table.going", done=len(going.answers)))}</span>'
    elif standing is not None:
        state = mark_html(t, standing)
    return (
        f'<div class="tg-card"><b>{escape(exercise.title.in_(here.language))}</b> {state}<br>'
        f'<span class="tg-muted">{escape(" · ".join(facts))}</span></div>'
    )


def _begin(exercise: str) -> None:
    here = desk()
    try:
        one = here.drills.begin(exercise, here.actor, here.role)
    except (StoreError, IncidentError, PlanError) as error:
        return refused(here, error)
    st.query_params["sitting"] = one.id
    return None


def _leave() -> None:
    st.query_params.pop("sitting", None)
