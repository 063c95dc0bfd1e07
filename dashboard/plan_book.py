"""The book of emergency plans: each with version, digest, dates and deputies; what is not in order; one as it prints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.emergency.findings import Finding, findings
from alerts.emergency.plan import Plan, short_code
from alerts.emergency.plan_book import Book
from alerts.emergency.printing import printed
from alerts.emergency.relying import reliance
from alerts.response.kinds import KINDS
from alerts.tabletop.fitting import plan_trained
from alerts.tabletop.rules import day_of
from dashboard.desk import Desk
from dashboard.drill_names import role_name
from dashboard.formats import id_html, plain
from dashboard.plan_findings import draw_contacts, draw_findings

PAPER_HEIGHT = 900
SOON_DAYS = 14


def draw_plans(here: Desk) -> None:
    """The book on the left, one plan as it prints on the right. It is read from files, also while the store is down."""
    files, day = here.drills.files(), day_of(here.model.now())
    book = files.book
    if book is None:
        st.error(plain(files.wrong), icon="⚠️")
        return
    found = findings(book, day, tuple(kind.plan for kind in KINDS))
    left, right = st.columns([55, 45], gap="medium")
    with left:
        draw_findings(here, book, found)
        _book(here, book, found, day)
        draw_contacts(here, book, day)
    with right:
        _paper(here, book, day)


def _book(here: Desk, book: Book, found: Sequence[Finding], day: dt.date) -> None:
    t = here.t
    st.html(f'<div class="tg-head">{escape(t("plans.book", count=len(book.plans)))}</div>')
    rows = []
    for id_ in book.plans:
        plan = plan_trained(book, id_, day)
        mine = [one for one in found if one.subject == id_]
        state = (
            f'<span class="tg-done">✓ {escape(t("plans.in_order"))}</span>'
            if not mine
            else f'<span class="tg-late">✕ {escape(", ".join(t(f"finding.{one.code}") for one in mine))}</span>'
        )
        deputy = (
            escape(role_name(t, plan.deputy))
            if plan.deputy
            else f'<span class="tg-late">✕ {escape(t("plans.no_deputy"))}</span>'
        )
        rows.append(
            f"<tr><td><b>{escape(plan.title.in_(here.language))}</b><br>{id_html(plan.id)}</td>"
            f"<td>{escape(plan.version)}<br>{id_html(short_code(plan.digest))}</td>"
            f"<td>{_from(here, plan, day)}</td><td>{_review(here, plan, day)}</td>"
            f"<td>{escape(role_name(t, plan.owner))}<br>{deputy}</td><td>{_checked(here, book, plan, day)}</td>"
            f"<td>{state}</td></tr>"
        )
    names = ("plan", "version", "effective", "review", "people", "contacts", "state")
    heads = "".join(f"<th>{escape(t(f'plans.col.{name}'))}</th>" for name in names)
    st.html(f'<table class="tg-table"><tr>{heads}</tr>{"".join(rows)}</table>')


def _checked(here: Desk, book: Book, plan: Plan, day: dt.date) -> str:
    """How many of those it relies on were checked in time, and when the oldest of these was."""
    t, found = here.t, reliance(plan, book.contacts, day)
    whole = found.checked == found.contacts
    told = t("plans.checked", checked=found.checked, count=found.contacts)
    oldest = f"<br>{escape(t('plans.oldest', day=found.oldest))}" if found.oldest else ""
    return f'<span class="{"tg-done" if whole else "tg-late"}">{"✓" if whole else "✕"} {escape(told)}</span>{oldest}'


def _from(here: Desk, plan: Plan, day: dt.date) -> str:
    waits = (
        f'<br><span class="tg-soon">◷ {escape(here.t("plans.not_yet"))}</span>'
        if plan.effective_from > day
        else ""
    )
    return f"{plan.effective_from}{waits}"


def _review(here: Desk, plan: Plan, day: dt.date) -> str:
    """Overdue is a sign, a word and red."""
    t, days = here.t, (plan.review_by - day).days
    if days < 0:
        return f'<span class="tg-late">✕ {escape(t("drills.overdue"))}</span><br>{plan.review_by}'
    if days <= SOON_DAYS:
        return f'<span class="tg-soon">◷ {escape(t("plans.in_days", days=days))}</span><br>{plan.review_by}'
    return f'{plan.review_by}<br><span class="tg-muted">{escape(t("plans.in_days", days=days))}</span>'


def _paper(here: Desk, book: Book, day: dt.date) -> None:
    t = here.t
    asked = st.query_params.get("plan")
    if asked in book.plans and "plan_shown" not in st.session_state:
        st.session_state["plan_shown"] = asked
    left, right = st.columns([68, 32])
    id_ = left.selectbox(
        t("plans.col.plan"), [*book.plans], key="plan_shown",
        format_func=lambda id_: plan_trained(book, id_, day).title.in_(here.language),
    )  # fmt: skip
    st.query_params["plan"] = id_
    versions = [plan.version for plan in book.plans[id_]][::-1]
    shown = plan_trained(book, id_, day).version
    version = right.selectbox(
        t("plans.col.version"), versions, key=f"plan_version:{id_}", index=versions.index(shown)
    )
    plan = book.plan(id_, version)
    paper = printed(plan, book, here.language, "html", day)
    st.download_button(
        t("plans.print"), paper.encode(), f"{plan.id}-{plan.version}-{here.language}.html", "text/html",
        key="plan_print", on_click="ignore", icon=":material/print:", help=t("plans.print.help"),
    )  # fmt: skip
    # Everything the plan says is escaped there; nothing in it comes from a user of the console.
    st.iframe(paper, height=PAPER_HEIGHT, alt=plan.title.in_(here.language))
