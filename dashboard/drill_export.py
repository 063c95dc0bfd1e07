"""The record of a drill for one party of a joint drill: asked for here, sealed by the worker, taken down as a file."""

from __future__ import annotations

import secrets
from html import escape

import streamlit as st

from alerts.drills.history import DrillRun
from alerts.drills.parties import Party, plan_used, shipped_parties, takes_part
from alerts.emergency.plan_book import Book
from alerts.job_requests import DrillExportRequest, decode_request
from alerts.jobs import FINISHED, Job
from dashboard.desk import Desk, desk
from dashboard.drill_data import Drills
from dashboard.formats import plain
from dashboard.incident_names import barred
from dashboard.job_progress import ended_badly, running, worker_warning
from dashboard.notices import refused, say, worded
from models.errors import JobError, PlanError, StoreError


def draw_export(here: Desk, found: Drills, run: DrillRun, down: bool) -> None:
    """Choose a party, ask, take the file."""
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("export.title"))}</div>')
    files = here.drills.files()
    book = files.book
    if book is None:
        st.warning(plain(files.wrong), icon="⚠️")
        return
    try:
        parties = _parties(run, book)
    except PlanError as error:
        st.info(worded(here, error))
        return
    left, right = st.columns([64, 36], vertical_alignment="bottom")
    party = left.selectbox(
        t("export.party"), parties, key="export_party", format_func=lambda one: one.name.in_(here.language)
    )
    st.session_state.setdefault("export_key", secrets.token_hex(16))
    why = barred(here, "drill_export.request", down)
    right.button(
        t("export.do"), key="export_do", disabled=bool(why), help=why or None, on_click=_ask, width="stretch",
        args=(run.id,),
    )  # fmt: skip
    st.caption(t("export.effect"))
    job = _newest(found.jobs, run, party)
    if job is None:
        return
    worker_warning(here, [job], found.pulse)
    if job.state not in FINISHED:
        st.fragment(running, run_every=here.every(2))(here, job.id, "export_cancel")
    elif not ended_badly(here, job):
        _file(here, job)


def _parties(run: DrillRun, book: Book) -> list[Party]:
    """Those that have a part in it. Raises PlanError when the plan it followed is not in the book any more."""
    plan = plan_used(run, book)
    return [party for party in shipped_parties().party if takes_part(party, plan, run)]


def _newest(jobs: list[Job], run: DrillRun, party: Party) -> Job | None:
    wanted = DrillExportRequest(run=run.id, party=party.id)
    for job in jobs:
        try:
            if job.kind == "drill_export" and decode_request(job.kind, job.request) == wanted:
                return job
        except JobError:
            continue
    return None


def _file(here: Desk, job: Job) -> None:
    result = here.model.job_result(job.id).value
    if not result:
        st.info(here.t("bt.gone"))
        return
    st.download_button(
        here.t("export.take", file=result["file"]), str(result["text"]).encode(), result["file"],
        "application/jsonl", key="export_take", on_click="ignore", icon=":material/download:",
    )  # fmt: skip


def _ask(run: str) -> None:
    here = desk()
    request = DrillExportRequest(run=run, party=st.session_state["export_party"].id)
    try:
        here.model.request_job(request, here.actor, here.role, st.session_state["export_key"])
    except (StoreError, JobError) as error:
        refused(here, error)
        return
    st.session_state["export_key"] = secrets.token_hex(16)
    say("success", here.t("export.asked"))
