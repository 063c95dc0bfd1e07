"""The back-tests asked for: which one to look at, how far it is, how it ended, and the way to stop it."""

from __future__ import annotations

import streamlit as st

from alerts.job_requests import RETAINED, BacktestRequest, decode_request
from alerts.jobs import FINISHED, Job
from dashboard import theme
from dashboard.backtest_form import draw_form
from dashboard.backtest_result import draw_result
from dashboard.desk import Desk
from dashboard.formats import utc
from dashboard.job_progress import ended_badly, running, worker_warning
from dashboard.readings import Backtests
from dashboard.text import name_of
from models.errors import JobError


def draw_backtests(here: Desk) -> None:
    """The form on the left, one back-test on the right. What people type into stands outside what renews itself."""
    reading = here.model.backtests()
    left, right = st.columns([29, 71], gap="medium")
    with left:
        draw_form(here, reading)
    with right:
        found = reading.value
        if found is None:
            return
        worker_warning(here, found.jobs, found.pulse)
        job = _choice(here, found)
        if job is None:
            return
        if job.state in FINISHED:
            _ended(here, job)
        else:
            st.fragment(running, run_every=here.every(2))(here, job.id, "bt_cancel")


def _choice(here: Desk, found: Backtests) -> Job | None:
    """Which back-test to look at: the newest, or the one that the address names."""
    t = here.t
    jobs = {job.id: job for job in found.jobs if job.kind == "backtest"}
    if not jobs:
        st.info(t("bt.none"))
        return None
    asked = st.session_state.pop("bt_job", None) or st.session_state.get("bt_chosen")
    asked = asked or st.query_params.get("job")
    ids = [*jobs]
    if asked in jobs:
        st.session_state["bt_chosen"] = asked
    else:
        st.session_state.pop("bt_chosen", None)
    chosen = st.selectbox(
        t("bt.chosen"), ids, key="bt_chosen", format_func=lambda id_: _line(here, jobs[id_]), width="stretch"
    )
    st.query_params["job"] = chosen
    return jobs[chosen]


def _line(here: Desk, job: Job) -> str:
    symbol, _ = theme.JOB[job.state]
    state = name_of(here.t, "job", job.state)
    at = utc(job.requested_at, seconds=False)
    return f"{symbol} {job.number} · {state} · {_asked(here, job)} · {job.actor} · {at} UTC"


def _asked(here: Desk, job: Job) -> str:
    """What was asked for, in a few words."""
    t = here.t
    try:
        request = decode_request(job.kind, job.request)
    except JobError:
        return t("bt.newer")
    if not isinstance(request, BacktestRequest):
        return t("bt.newer")
    parts = []
    if request.pack:
        parts.append(("+ " if request.extends else "") + request.pack_name)
    if request.thresholds is not None:
        e = request.thresholds
        parts.append(f"{e.medium:g}/{e.high:g}/{e.critical:g}")
    if request.model:
        parts.append(request.model)
    where = t("bt.retained_short") if request.recording == RETAINED else request.recording
    return f"{' · '.join(parts) or t('bt.rules.same')} → {where}"


def _ended(here: Desk, job: Job) -> None:
    if ended_badly(here, job):
        return
    result = here.model.job_result(job.id).value
    if not result:
        st.info(here.t("bt.gone"))
        return
    draw_result(here, job, result)
