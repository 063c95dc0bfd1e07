"""Trust a source of labels again, from the page: what was held back is learnt; recorded, for roles that may."""

from __future__ import annotations

import streamlit as st

from alerts.champion_choice import MOST_REASON
from alerts.rights import may
from dashboard.desk import Desk, desk
from dashboard.formats import plain, utc
from dashboard.notices import refused, say
from dashboard.readings import Models, Reading
from dashboard.text import name_of
from models.errors import SettingsError, StoreError
from models.learner_report import Surge


def source_of(surge: Surge) -> str:
    """The source as the control lane names it: `actor:alice`."""
    return f"{surge.kind}:{surge.name}"


def surge_warnings(here: Desk, reading: Reading[Models]) -> None:
    """One warning a source that learning holds back, with the way to trust it."""
    t, zh = here.t, here.language == "zh"
    report = None if reading.value is None else reading.value.report
    if report is None:
        return
    asked: dict[str, int] = st.session_state.setdefault("trust_asked", {})
    for surge in report.surges:
        name = source_of(surge)
        text = surge.reason_zh if zh else surge.reason_en
        what = t(
            "models.surge",
            kind=name_of(t, "surge", surge.kind),
            name=plain(surge.name),
            weight=f"{surge.weight:.0%}",
        )
        left, right = st.columns([82, 18], vertical_alignment="center")
        left.warning(f"{what} {plain(text)}", icon="⚠️")
        if asked.get(name, -1) > surge.since:
            right.caption(t("trust.asked", time=utc(asked[name])))
            continue
        allowed = may(here.role, "model.trust")
        hint = t("trust.help") if allowed else t("trust.not_allowed", role=here.role)
        disabled = not allowed or reading.error is not None
        opened = right.popover(t("trust.open"), disabled=disabled, help=hint)
        if disabled:
            continue
        with opened, st.form(f"trust:{name}", border=False):
            st.text_input(t("pin.reason"), key=f"trust_reason:{name}", max_chars=MOST_REASON)
            st.caption(t("trust.effect"))
            st.form_submit_button(
                t("trust.do"), key=f"trust_do:{name}", type="primary", on_click=_trust, args=(name,)
            )


def _trust(name: str) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here = desk()
    reason = str(st.session_state.get(f"trust_reason:{name}") or "").strip()
    if not reason:
        say("warning", here.t("pin.reason_missing"))
        return
    try:
        here.model.trust_labels(name, reason, here.actor, here.role)
    except (StoreError, SettingsError) as error:
        refused(here, error)
        return
    st.session_state["trust_asked"][name] = here.model.now()
    say("success", here.t("trust.done", name=plain(name)))
