"""What is due, who owns it, and the way to play it now, as a job of the worker; its card is shown when it is done."""

from __future__ import annotations

import secrets
from html import escape

import msgspec
import streamlit as st

from alerts.drills.book import DueDrill
from alerts.drills.history import DrillRun
from alerts.job_requests import DrillRequest, decode_request
from alerts.jobs import FINISHED, Job
from dashboard import theme
from dashboard.desk import Desk, desk
from dashboard.drill_card import draw_card
from dashboard.drill_data import Drills, plan_of
from dashboard.drill_names import DAY_MS, drill_name, role_name
from dashboard.formats import moment, plain, utc
from dashboard.incident_names import barred
from dashboard.job_progress import ended_badly, running, worker_warning
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.errors import JobError, StoreError


def draw_schedule(here: Desk) -> None:
    """The schedule on the left; the form and the drill that is played on the right."""
    reading = here.drills.drills()
    left, right = st.columns([58, 42], gap="medium")
    found = reading.value
    with left:
        if found is None:
            st.caption(here.t("drills.none_read"))
        else:
            _schedule(here, found)
    with right:
        _form(here, reading.error is not None or found is None)
        if found is not None:
            _job(here, found)


def _schedule(here: Desk, found: Drills) -> None:
    t = here.t
    late = sum(one.late for one in found.due)
    never = sum(one.last is None for one in found.due)
    if late or never:
        st.html(f'<div class="tg-head tg-late">✕ {escape(t("drills.behind", late=late, never=never))}</div>')
    else:
        st.html(f'<div class="tg-head tg-done">✓ {escape(t("drills.in_time"))}</div>')
    files = here.drills.files()
    book = files.book
    if files.wrong:
        st.warning(plain(files.wrong), icon="⚠️")
    rows = []
    for one in found.due:
        drill = here.drills.book().named(one.drill)
        plan = plan_of(book, drill.kind)
        owner = (
            "–"
            if plan is None
            else f"{role_name(t, plan.owner)} ({t('drills.deputy', name=role_name(t, plan.deputy))})"
        )
        text = drill.text_zh if here.language == "zh" else drill.text_en
        rows.append(
            f"<tr><td>{_due(here, one)}</td><td><b>{escape(drill_name(here, one.drill))}</b><br>"
            f'<span class="tg-muted">{escape(text)}</span></td><td>{escape(owner)}</td>'
            f"<td>{_last(here, found.runs, one)}</td><td>{drill.every_days} {escape(t('drills.days'))}</td></tr>"
        )
    names = ("due", "scenario", "owner", "last", "every")
    heads = "".join(f"<th>{escape(t(f'drills.col.{name}'))}</th>" for name in names)
    st.html(f'<table class="tg-table"><tr>{heads}</tr>{"".join(rows)}</table>')


def _due(here: Desk, one: DueDrill) -> str:
    """Overdue is a sign, a word and red."""
    t = here.t
    if one.last is None:
        return f'<span class="tg-late">✕ {escape(t("drills.never"))}</span><br>{one.due}'
    if one.late:
        return f'<span class="tg-late">✕ {escape(t("drills.overdue"))}</span><br>{one.due}'
    if one.due == moment(here.model.now()).date().isoformat():
        return f'<span class="tg-soon">◷ {escape(t("drills.today"))}</span><br>{one.due}'
    return f'<span class="tg-done">✓ {escape(t("drills.planned"))}</span><br>{one.due}'


def _last(here: Desk, runs: list[DrillRun], one: DueDrill) -> str:
    t = here.t
    run = next((run for run in runs if run.drill == one.drill), None)
    if run is None:
        return "–"
    passed = run.card.passed
    mark = f"{'✓' if passed else '✕'} {t('drills.passed' if passed else 'drills.missed')}"
    ago = (here.model.now() - run.at) // DAY_MS
    return (
        f'<span class="{"tg-done" if passed else "tg-late"}">{escape(mark)}</span><br>'
        f"{utc(run.at, seconds=False)} UTC ({escape(t('drills.ago', days=ago))})"
    )


def _form(here: Desk, down: bool) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("drills.start"))}</div>')
    ids = [one.id for one in here.drills.book().drill]
    what, seed = st.columns([65, 35])
    what.selectbox(
        t("drills.col.scenario"), ids, key="drill_what", format_func=lambda id_: drill_name(here, id_)
    )
    seed.number_input(
        t("drills.seed"), min_value=0, max_value=2**31 - 1, value=1, step=1, key="drill_seed",
        help=t("drills.seed.help"),
    )  # fmt: skip
    st.session_state.setdefault("drill_key", secrets.token_hex(16))
    st.caption(t("drills.effect"))
    why = barred(here, "drill.request", down)
    st.button(
        t("drills.play"), key="drill_play", type="primary", disabled=bool(why), help=why or None, on_click=_ask,
    )  # fmt: skip


def _ask() -> None:
    """Queue what is chosen at this moment; the next press is another drill."""
    here, state = desk(), st.session_state
    try:
        request = DrillRequest(scenario=state["drill_what"], seed=int(state["drill_seed"]))
        job = here.model.request_job(request, here.actor, here.role, st.session_state["drill_key"])
    except (StoreError, JobError) as error:
        refused(here, error)
        return
    st.session_state["drill_key"] = secrets.token_hex(16)
    st.query_params["job"] = job.id
    say("success", here.t("drills.asked", number=job.number))


def _job(here: Desk, found: Drills) -> None:
    """The drill the address names, else the newest that was asked for."""
    t = here.t
    worker_warning(here, found.jobs, found.pulse)
    jobs = {job.id: job for job in found.jobs if job.kind == "drill"}
    if not jobs:
        st.info(t("drills.no_job"))
        return
    job = jobs.get(st.query_params.get("job", ""), next(iter(jobs.values())))
    st.html(f'<div class="tg-head">{escape(_line(here, job))}</div>')
    if job.state not in FINISHED:
        st.fragment(running, run_every=here.every(2))(here, job.id, "drill_cancel")
    elif not ended_badly(here, job):
        result = here.model.job_result(job.id).value
        if result:
            draw_card(here, msgspec.convert(result, DrillRun))
        else:
            st.info(t("bt.gone"))


def _line(here: Desk, job: Job) -> str:
    symbol, _ = theme.JOB[job.state]
    state = name_of(here.t, "job", job.state)
    try:
        request = decode_request(job.kind, job.request)
        what = drill_name(here, request.scenario) if isinstance(request, DrillRequest) else ""
    except JobError:
        what = here.t("bt.newer")
    return (
        f"{symbol} {job.number} · {state} · {what} · {job.actor} · {utc(job.requested_at, seconds=False)} UTC"
    )
