"""Pin a candidate as champion, or end the pin, from the page: says what it does before, is recorded, can be undone."""

from __future__ import annotations

import streamlit as st

from alerts.champion_choice import MOST_REASON, right
from alerts.rights import may
from dashboard.desk import Desk, desk
from dashboard.formats import plain
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.champions import AUTOMATIC, COLUMNS, KNOWN_GOOD
from models.errors import SettingsError, StoreError
from models.learner_report import LearnerReport
from models.snapshot import BASE


def pin_control(here: Desk) -> None:
    """The button that opens the form; disabled while the store is down or nothing has been learnt."""
    t = here.t
    reading = here.model.models()
    report = None if reading.value is None else reading.value.report
    pinned = report is not None and report.pinned is not None
    allowed = may(here.role, right(COLUMNS[0]))
    disabled = reading.error is not None or report is None or not allowed
    hint = t("pin.help") if allowed else t("pin.not_allowed", role=here.role)
    with st.popover(t("pin.open_pinned" if pinned else "pin.open"), disabled=disabled, help=hint):
        if report is not None and not disabled:
            if pinned:
                _release(here, report)
            _pin(here, report)


def _pin(here: Desk, report: LearnerReport) -> None:
    t = here.t
    told = {standing.name for standing in report.standings}
    names = [name for name in COLUMNS if name in told or name in (BASE, KNOWN_GOOD)]
    with st.form("pin", border=False):
        st.selectbox(
            t("pin.name"), names, key="pin_name", format_func=lambda name: name_of(t, "candidate", name)
        )
        st.text_input(
            t("pin.reason"), key="pin_reason", max_chars=MOST_REASON, placeholder=t("pin.reason_eg")
        )
        st.caption(t("pin.effect"))
        st.form_submit_button(t("pin.do"), key="pin_do", type="primary", on_click=_choose, args=(False,))


def _release(here: Desk, report: LearnerReport) -> None:
    t = here.t
    with st.form("unpin", border=False):
        st.markdown(t("pin.now", by=plain(report.pinned or "")))
        st.text_input(t("pin.reason"), key="unpin_reason", max_chars=MOST_REASON)
        st.caption(t("pin.release_effect"))
        st.form_submit_button(
            t("pin.release"), key="pin_release", type="primary", on_click=_choose, args=(True,)
        )
    st.divider()


def _choose(release: bool) -> None:
    """Write the choice; what came of it is said once the page is drawn."""
    here = desk()
    key = "unpin_reason" if release else "pin_reason"
    name = AUTOMATIC if release else str(st.session_state["pin_name"])
    reason = str(st.session_state.get(key) or "").strip()
    if not reason:
        say("warning", here.t("pin.reason_missing"))
        return
    try:
        here.model.choose_champion(name, reason, here.actor, here.role)
    except (StoreError, SettingsError) as error:
        refused(here, error)
        return
    st.session_state[key] = ""
    st.session_state["pin_asked"] = (name, here.model.now())
    say("success", here.t("pin.done", name=name_of(here.t, "candidate", name)))
