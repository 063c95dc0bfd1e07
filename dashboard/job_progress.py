"""Jobs that people wait for, whatever their kind: nobody does them, how far one is, the way to stop it, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.jobs import FINISHED, Job
from alerts.rights import may
from dashboard.desk import Desk, desk
from dashboard.formats import age, plain, utc
from dashboard.measures import beat_time
from dashboard.notices import refused, say
from dashboard.readings import Pulse
from models.errors import JobError, StoreError

SILENT_MS = 60_000
"""A worker that has said nothing for so long is taken to be gone."""


def worker_warning(here: Desk, jobs: Sequence[Job], pulse: Pulse) -> None:
    """Say so when nobody does the jobs that wait."""
    waiting = [job for job in jobs if job.state not in FINISHED]
    at = beat_time(pulse.beats.get("jobs"))
    now = here.model.now()
    if waiting and not here.frozen and (at is None or now - at > SILENT_MS):
        st.warning(here.t("bt.no_worker", count=len(waiting)), icon="⚠️")


def running(here: Desk, job_id: str, key: str) -> None:
    """How far it is, in a fragment; once it has ended the whole page is drawn anew. key: of the button that cancels."""
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
    allowed = may(here.role, f"{job.kind}.cancel") and reading.error is None
    st.button(t("bt.cancel"), key=key, disabled=not allowed, on_click=_cancel, args=(job.id,))


def _cancel(job_id: str) -> None:
    here = desk()
    try:
        ended = here.model.cancel_job(job_id, here.actor, here.role)
    except (StoreError, JobError) as error:
        refused(here, error)
        return
    if ended:
        say("success", here.t("bt.cancelled"))


def ended_badly(here: Desk, job: Job) -> bool:
    """Say how a job ended that was cancelled or failed; False for one that is done."""
    t = here.t
    if job.state == "cancelled":
        st.info(t("bt.was_cancelled", actor=plain(job.ended_by), time=utc(job.finished_at)))
    elif job.state == "failed":
        st.html(
            f'<div class="tg-say tg-bad"><b>✕ {escape(t("bt.failed"))}</b><br>'
            f'<span class="tg-id">{escape(job.error)}</span></div>'
        )
    return job.state in ("cancelled", "failed")
