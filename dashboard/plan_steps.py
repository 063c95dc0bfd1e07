"""The plan an incident follows, as a list to work through: who does what until when, done by whom, verified by whom."""

from __future__ import annotations

from itertools import groupby

import streamlit as st

from alerts.emergency.plan import Recovery, Step
from alerts.response.acts import StepDone
from alerts.response.incident import Done, Incident
from dashboard.desk import Desk, desk
from dashboard.formats import plain, utc
from dashboard.incident_data import IncidentView
from dashboard.incident_names import barred
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.errors import IncidentError, StoreError

MINUTE_MS = 60_000


def draw_steps(here: Desk, view: IncidentView, down: bool) -> None:
    """Steps by phase, then the way back to normal."""
    t, one, plan = here.t, view.row.incident, view.plan
    if plan is None:
        st.info(t("incident.plan_wrong", reason=plain(view.plan_error)) if one.plan else t("steps.none"))
        return
    why = barred(here, StepDone.right, down) or (t("act.over") if one.ended_at is not None else "")
    st.caption(plain(f"{plan.title.in_(here.language)} {plan.version}: {plan.summary.in_(here.language)}"))
    left, right = st.columns([60, 40], gap="medium")
    with left:
        for phase, steps in groupby(plan.step, key=lambda step: step.phase):
            with st.container(border=True):
                st.markdown(f"**{t(f'phase.{phase}')}**")
                for step in steps:
                    _step(here, one, step, why)
    with right:
        with st.container(border=True):
            st.markdown(f"**{t('steps.recovery')}**")
            before = ""
            for way in plan.recovery:
                _step(here, one, way, why or before)
                done = one.steps.get(way.id)
                if done is None or done.verified_by is None:
                    before = t("steps.before")
        st.caption(t("steps.evidence"))
        st.code(f"tidegate incident evidence {one.id} --out {one.id}.jsonl", language=None)


def _step(here: Desk, incident: Incident, step: Step | Recovery, why: str) -> None:
    t, done = here.t, incident.steps.get(step.id)
    mark = "○" if done is None else "◐" if step.verify and done.verified_by is None else "●"
    facts = [name_of(t, "team", step.owner), *_state(here, incident, step, done)]
    wide, narrow = st.columns([78, 22], vertical_alignment="center")
    wide.markdown(plain(f"{mark} {step.text.in_(here.language)}"))
    wide.caption(plain(" · ".join(facts)))
    if done is not None and step.verify is not None and done.verified_by is None:
        wide.caption(plain(t("steps.check", text=step.verify.in_(here.language))))
        barring = why or (t("steps.not_own") if done.by == here.actor else "")
        _button(narrow, here, incident, step.id, barring, verify=True)
    elif done is None:
        _button(narrow, here, incident, step.id, why, verify=False)


def _state(here: Desk, incident: Incident, step: Step | Recovery, done: Done | None) -> list[str]:
    """Until when it is to be done, or who did it."""
    t = here.t
    if done is not None:
        said = [t("steps.done", time=utc(done.at), who=done.by)]
        return [*said, t("steps.verified", who=done.verified_by)] if done.verified_by else said
    if not isinstance(step, Step):
        return []
    if incident.declared_at is None:
        return [t("steps.undated", minutes=step.within)]
    due = incident.declared_at + step.within * MINUTE_MS
    return [t("steps.late" if here.model.now() > due else "steps.due", time=utc(due))]


def _button(
    where: st.delta_generator.DeltaGenerator, here: Desk, incident: Incident, step: str, why: str, *, verify: bool
) -> None:  # fmt: skip
    verb = "verify" if verify else "do"
    where.button(
        here.t(f"steps.{verb}"), key=f"step_{verb}:{step}", disabled=bool(why), help=why or None,
        on_click=_write, args=(incident.id, step, verify),
    )  # fmt: skip


def _write(incident: str, step: str, verify: bool) -> None:
    here = desk()
    act = StepDone(incident=incident, actor=here.actor, role=here.role, step=step, verify=verify)
    try:
        here.response.perform(act)
    except (StoreError, IncidentError) as error:
        return refused(here, error)
    return say("success", here.t("steps.written", step=step))
