"""The back-tests asked for: which one to look at, how far it is, how it ended, and the way to stop it."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.job_requests import RETAINED, decode_request
from alerts.jobs import FINISHED, Job
from alerts.rights import may
from dashboard import theme
from dashboard.backtest_form import draw_form
from dashboard.backtest_result import draw_result
from dashboard.desk import Desk, desk
from dashboard.formats import age, plain, utc
from dashboard.measures import beat_time
from dashboard.notices import say
from dashboard.readings import Backtests
from dashboard.text import name_of
from models.errors import JobError, StoreError

SILENT_MS = 60_000
"""A worker that has said nothing for so long is taken to be gone."""


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
        _worker(here, found)
        job = _choice(here, found)
        if job is None:
            return
        if job.state in FINISHED:
            _ended(here, job)
        else:
            st.fragment(_running, run_every=here.every(2))(here, job.id)


def _worker(here: Desk, found: Backtests) -> None:
    """Say so when nobody does the jobs that wait."""
    waiting = [job for job in found.jobs if job.state not in FINISHED]
    at = beat_time(found.pulse.beats.get("jobs"))
    now = here.model.now()
    if waiting and not here.frozen and (at is None or now - at > SILENT_MS):
        st.warning(here.t("bt.no_worker", count=len(waiting)), icon="⚠️")


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


def _running(here: Desk, job_id: str) -> None:
    """How far it is; once it has ended the whole page is drawn anew."""
    t, reading = here.t, here.model.job(job_id)
    job = reading.value
    if job is None:
        return
    if job.state in FINISHED:
        st.rerun()
    now = here.model.now()
    if job.state == "queued":
        st.progress(0.0, t("bt.queued", waited=age(now - job.requested_at)))
    else:
        text = t("bt.running", share=f"{job.progress:.0%}", since=age(now - job.started_at))
        again = f" {t('bt.again', attempt=job.attempt)}" if job.attempt > 1 else ""
        st.progress(job.progress, text + again)
    allowed = may(here.role, "backtest.cancel") and reading.error is None
    st.button(t("bt.cancel"), key="bt_cancel", disabled=not allowed, on_click=_cancel, args=(job.id,))


def _cancel(job_id: str) -> None:
    here = desk()
    try:
        ended = here.model.cancel_job(job_id, here.actor, here.role)
    except (StoreError, JobError) as error:
        say("error", here.t("failed", reason=plain(str(error))))
        return
    if ended:
        say("success", here.t("bt.cancelled"))


def _ended(here: Desk, job: Job) -> None:
    t = here.t
    if job.state == "cancelled":
        st.info(t("bt.was_cancelled", actor=plain(job.ended_by), time=utc(job.finished_at)))
        return
    if job.state == "failed":
        st.html(
            f'<div class="tg-say tg-bad"><b>✕ {escape(t("bt.failed"))}</b><br>'
            f'<span class="tg-id">{escape(job.error)}</span></div>'
        )
        return
    result = here.model.job_result(job.id).value
    if not result:
        st.info(t("bt.gone"))
        return
    draw_result(here, job, result)
