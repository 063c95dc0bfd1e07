"""What people do in an incident, by role: acknowledge, move on, assign, note, report, hand over, grade, tell facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import streamlit as st

from alerts.emergency.plan import ROLES
from alerts.response import acts
from alerts.response.incident import Fact, Impacts, Incident
from alerts.response.phases import NEXT
from dashboard.desk import Desk, desk
from dashboard.incident_names import barred, pairs_of
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.errors import IncidentError, SettingsError, StoreError

VERBS: dict[str, type[acts.Act]] = {
    "acknowledge": acts.Acknowledge, "move": acts.Move, "assign": acts.Assign, "note": acts.Note, "decide": acts.Decide,
    "situation": acts.Situation, "handover": acts.Handover, "regrade": acts.Regrade, "know": acts.Know,
}  # fmt: skip
MOST_TEXT = 2000


def draw_verbs(here: Desk, incident: Incident, down: bool, verbs: Sequence[str] = tuple(VERBS)) -> None:
    """One button each; one that is not this person's now says why."""
    t = here.t
    with st.container(horizontal=True, key="incident-verbs"):
        for verb in verbs:
            why = barred(here, VERBS[verb].right, down)
            if not why and incident.ended_at is not None:
                why = t("act.over")
            if not why and verb == "acknowledge" and not _waiting(incident):
                why = t("act.nothing")
            with st.popover(t(f"act.{verb}"), disabled=bool(why), help=why or None):
                if not why:
                    with st.form(f"act:{verb}", border=False):
                        _fields(here, verb, incident)
                        st.form_submit_button(
                            t("act.do"),
                            key=f"act_do:{verb}",
                            type="primary",
                            on_click=_do,
                            args=(verb, incident.id),
                        )


def _waiting(incident: Incident) -> list[str]:
    """Roles that have not answered; [""]: nobody was paged and nobody has acknowledged."""
    found = [page.role for page in incident.team if page.acknowledged_at is None]
    return found or ([""] if incident.acknowledged_at is None else [])


def _fields(here: Desk, verb: str, incident: Incident) -> None:
    t = here.t

    def role(name: str) -> str:
        return name_of(t, "team", name) if name else "–"

    match verb:
        case "acknowledge":
            st.selectbox(t("act.role"), _waiting(incident), key="act_page", format_func=role)
        case "move":
            # A closure is asked for beside the review, where what it lacks is named.
            there = [phase for phase in NEXT[incident.phase] if phase != "closed"]
            st.selectbox(t("act.phase"), there, key="act_phase", format_func=lambda name: t(f"phase.{name}"))
        case "assign":
            st.selectbox(t("act.role"), ROLES, key="act_role", format_func=role)
            st.text_input(t("act.person"), key="act_person", max_chars=64)
        case "decide":
            st.text_input(t("act.decision"), key="act_decision", max_chars=500)
        case "handover":
            st.text_input(t("act.person"), key="act_to", max_chars=64)
        case "regrade":
            st.selectbox(
                t("act.severity"), ("S1", "S2", "S3", "S4"), key="act_severity",
                index=("S1", "S2", "S3", "S4").index(incident.severity),
                format_func=lambda name: f"{name} {t(f'severity.{name}')}",
            )  # fmt: skip
        case "know":
            st.text_area(t("act.facts"), key="act_facts", max_chars=MOST_TEXT, placeholder=t("act.facts_eg"))
        case _:
            pass
    st.text_area(t("act.reason"), key=f"act_reason:{verb}", max_chars=MOST_TEXT, height=80)


def _do(verb: str, incident: str) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here = desk()
    try:
        here.response.perform(_act(here, verb, incident))
    except (StoreError, IncidentError, SettingsError) as error:
        return refused(here, error)
    st.session_state[f"act_reason:{verb}"] = ""
    return say("success", here.t("act.done", what=here.t(f"act.{verb}")))


def _act(here: Desk, verb: str, incident: str) -> acts.AnyAct:
    """The act the form asks for. IncidentError, SettingsError for what was left out."""

    def given(key: str) -> str:
        return str(st.session_state.get(key) or "").strip()

    def person(key: str) -> str:
        if not given(key):
            raise IncidentError(here.t("act.person_missing"), zh=here.t("act.person_missing"))
        return given(key)

    who: dict[str, Any] = {
        "incident": incident, "actor": here.actor, "role": here.role, "reason": given(f"act_reason:{verb}"),
    }  # fmt: skip
    match verb:
        case "acknowledge":
            return acts.Acknowledge(**who, page=given("act_page"))
        case "move":
            return acts.Move(**who, to=given("act_phase"))  # type: ignore[arg-type]
        case "assign":
            return acts.Assign(**who, page=given("act_role"), person=person("act_person"))
        case "note":
            return acts.Note(**who)
        case "decide":
            return acts.Decide(**who, text=given("act_decision"))
        case "situation":
            return acts.Situation(**who)
        case "handover":
            return acts.Handover(**who, to=person("act_to"))
        case "regrade":
            return acts.Regrade(**who, severity=given("act_severity"))  # type: ignore[arg-type]
        case _:
            return _known(who, pairs_of(here, given("act_facts")))


def _known(who: dict[str, Any], pairs: dict[str, str]) -> acts.Know:
    """Impacts by their names, the rest as facts; true, false and numbers become what they are."""
    impacts: dict[str, str] = {k: pairs.pop(k) for k in Impacts.__struct_fields__ if k in pairs}
    facts: dict[str, Fact] = {name: _fact(value) for name, value in pairs.items()}
    try:
        counted = msgspec.convert(impacts, Impacts, strict=False)
    except msgspec.ValidationError as error:
        raise IncidentError(str(error)) from None
    for name, value in msgspec.structs.asdict(counted).items():
        if value is not None and not 0 <= value < 1e15:
            raise IncidentError(f"{name} is {value}: give a number of 0 or more")
    return acts.Know(**who, facts=facts, impacts=counted)


def _fact(text: str) -> Fact:
    try:
        return msgspec.convert(text, bool | int | float, strict=False)
    except msgspec.ValidationError:
        return text
