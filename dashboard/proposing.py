"""Propose a containment in an incident: by hand or from the plan's presets, after a dry run of the very same measure."""

from __future__ import annotations

import streamlit as st

from alerts.emergency.plan import Plan
from alerts.emergency.presets import Preset, Proposal, proposal
from alerts.response.incident import Incident
from alerts.response.measure import VERBS, Verb, containment_rules
from dashboard.containing import MOST_REASON, radius_text
from dashboard.desk import Desk, desk
from dashboard.formats import plain
from dashboard.incident_names import barred, lines_of, pairs_of, scope_of, verb_of
from dashboard.notices import refused, say, worded
from dashboard.text import name_of
from models.containment import SCOPES
from models.errors import IncidentError, PlanError, SettingsError, StoreError

BY_HAND = ""


def draw_proposing(here: Desk, incident: Incident, plan: Plan | None, down: bool) -> None:
    """The form. Its parts depend on each other, so that it is none of Streamlit's."""
    t = here.t
    why = barred(here, "containment.propose", down) or (
        t("act.over") if incident.ended_at is not None else ""
    )
    with st.expander(t("contain.propose"), expanded=not why):
        if why:
            st.caption(why)
            return
        presets = {one.id: one for one in plan.containment} if plan is not None else {}
        fits = [id_ for id_, one in presets.items() if set(one.scope_from) <= set(incident.scope)]
        options = [*fits, BY_HAND, *(id_ for id_ in presets if id_ not in fits)]
        chosen = st.selectbox(
            t("contain.from"), options, key=f"contain_from:{incident.id}",
            format_func=lambda id_: _preset_name(here, presets.get(id_)),
        )  # fmt: skip
        preset = presets.get(chosen)
        left, right = st.columns(2)
        scope = left.text_area(
            t("contain.scope"), value=lines_of(incident.scope), key=f"contain_scope:{incident.id}", max_chars=500,
            help=t("contain.scope_help", keys=", ".join(SCOPES)), height=100,
        )  # fmt: skip
        verb, minutes, above, model = _details(here, preset, right)
        st.text_input(
            t("contain.reason"),
            key="contain_reason",
            max_chars=MOST_REASON,
            placeholder=t("contain.reason_eg"),
        )
        try:
            where = pairs_of(here, scope)
            what = Proposal(verb, where, minutes, above) if preset is None else proposal(preset, where)
        except (SettingsError, PlanError) as error:
            st.warning(worded(here, error))
            return
        told = _dry_run(here, what)
        st.button(
            t("contain.do"), key="contain_do", type="primary", disabled=not told, on_click=_propose,
            args=(incident.id, what, model), help=None if told else t("contain.dry_first"),
        )  # fmt: skip


def _preset_name(here: Desk, preset: Preset | None) -> str:
    if preset is None:
        return here.t("contain.by_hand")
    verb = name_of(here.t, "contain_verb", preset.verb)
    return here.t("contain.preset", id=preset.id, verb=verb, minutes=preset.minutes)


def _details(
    here: Desk, preset: Preset | None, place: st.delta_generator.DeltaGenerator
) -> tuple[Verb, int, float | None, str]:
    """Verb, minutes, limit and snapshot; a preset has said all but the snapshot."""
    t, rules = here.t, containment_rules()
    with place:
        if preset is not None:
            st.caption(preset.text.in_(here.language))
            verb, minutes, above = preset.verb, preset.minutes, preset.above_usd
        else:
            verb = st.selectbox(
                t("contain.verb"),
                VERBS,
                key="contain_verb",
                format_func=lambda name: t(f"contain_verb.{name}"),
            )
            minutes = int(
                st.number_input(
                    t("contain.minutes"), 1, rules.longest_min, rules.default_min, key="contain_minutes"
                )
            )
            above = None
            if verb == "limit":
                above = float(st.number_input(t("contain.above"), 0.0, 1e9, 500.0, key="contain_above"))
        model = ""
        if verb == "rollback":
            model = st.text_input(t("contain.model"), key="contain_model", max_chars=100).strip()
    return verb, minutes, above, model


def _dry_run(here: Desk, what: Proposal) -> bool:
    """The button, and what it said of this very measure. True when it was said."""
    if what.verb == "rollback":
        st.caption(here.t("contain.radius_unknown"))
        return True
    if st.button(here.t("contain.dry_run"), key="contain_dry"):
        try:
            reading = here.response.dry_run(what)
        except IncidentError as error:
            st.warning(worded(here, error))
            return False
        if reading.value is None:
            st.warning(plain(reading.error or ""))
            return False
        st.session_state["contain_told"] = (what, reading.value)
    told = st.session_state.get("contain_told")
    if told is None or told[0] != what:
        st.caption(here.t("contain.dry_first"))
        return False
    where = f"{verb_of(here, what.verb, what.above_usd, '')} · {scope_of(here, what.scope)}"
    st.info(plain(f"{where}: {radius_text(here, told[1])}"))
    return True


def _propose(incident: str, what: Proposal, model: str) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here, reason = desk(), str(st.session_state.get("contain_reason") or "").strip()
    if not reason:
        return say("warning", here.t("contain.reason_missing"))
    try:
        made = here.response.propose(what, model, reason, incident, here.actor, here.role)
    except (StoreError, IncidentError) as error:
        return refused(here, error)
    st.session_state["contain_told"] = None
    st.session_state["contain_reason"] = ""
    key = "contain.done_in_force" if made.state == "in_force" else "contain.done_proposed"
    return say("success", here.t(key, id=made.id))
