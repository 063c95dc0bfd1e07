"""What is not in order about the book of plans, kind by kind with its remedy; and the directory of contacts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

import streamlit as st

from alerts.emergency.contacts import Contact
from alerts.emergency.filling_in import filling_in
from alerts.emergency.findings import WARN_DAYS, Finding
from alerts.emergency.plan_book import Book
from dashboard.desk import Desk
from dashboard.drill_names import role_name
from dashboard.formats import plain

PLACEHOLDER = "contact_placeholder"


def draw_findings(here: Desk, book: Book, found: Sequence[Finding]) -> None:
    """Alarms and warnings; the placeholders that ship are explained, not only counted."""
    t = here.t
    alarms = sum(one.level == "alarm" for one in found)
    if not found:
        st.success(t("plans.all_in_order"))
        return
    st.html(
        f'<div class="tg-head"><span class="{"tg-late" if alarms else "tg-soon"}">{"✕" if alarms else "◷"} '
        f"{escape(t('plans.findings', alarms=alarms, warnings=len(found) - alarms))}</span></div>"
    )
    _filling_in(here, book)
    codes = dict.fromkeys(one.code for one in found if one.code != PLACEHOLDER)
    for code in codes:
        mine = [one for one in found if one.code == code]
        symbol, css = ("✕", "tg-late") if mine[0].level == "alarm" else ("◷", "tg-soon")
        rows = "".join(
            f"<dt>{escape(_subject(here, book, one))}</dt><dd>{escape(one.text if here.language == 'en' else '')}</dd>"
            for one in mine
        )
        st.html(
            f'<div class="tg-card"><b class="{css}">{symbol} {escape(t(f"finding.{code}"))} ({len(mine)})</b> '
            f'{escape(t(f"finding.{code}.remedy"))}<dl class="tg-facts">{rows}</dl></div>'
        )


def _subject(here: Desk, book: Book, one: Finding) -> str:
    """A contact, a role or a plan by its name."""
    contact = book.contacts.named(one.subject)
    if contact is not None:
        return contact.name.in_(here.language)
    if one.subject in book.plans:
        return book.plans[one.subject][-1].title.in_(here.language)
    return role_name(here.t, one.subject)


def _filling_in(here: Desk, book: Book) -> None:
    about = filling_in(book, here.drills.emergency.folder)
    if about is None:
        return
    st.warning(plain(about.text.in_(here.language)), icon="⚠️")
    with st.expander(here.t("plans.fill_in")):
        for number, step in enumerate(about.steps, 1):
            st.markdown(f"{number}\\. {plain(step.text.in_(here.language))}")
            if step.lines:
                st.code("\n".join(step.lines), language=None)


def draw_contacts(here: Desk, book: Book, day: dt.date) -> None:
    """Whom the plans rely on, and when somebody last checked that they answer."""
    t, contacts = here.t, book.contacts.contact
    checked = sum(_state(one, day, book.contacts.verify_every_days) == "verified" for one in contacts)
    with st.expander(t("plans.contacts", checked=checked, count=len(contacts))):
        rows = []
        for one in contacts:
            state = _state(one, day, book.contacts.verify_every_days)
            symbol, css = {
                "verified": ("✓", "tg-done"), "due_soon": ("◷", "tg-soon"), "placeholder": ("○", "tg-late"),
            }.get(state, ("✕", "tg-late"))  # fmt: skip
            by = f" ({role_name(t, one.verified_by)})" if one.verified_by else ""
            roles = ", ".join(role_name(t, role) for role in one.roles) or t(f"contact.kind_{one.kind}")
            rows.append(
                f"<tr><td><b>{escape(one.name.in_(here.language))}</b><br>"
                f'<span class="tg-muted">{escape(roles)}</span></td>'
                f'<td><span class="{css}">{symbol} {escape(t(f"contact.{state}"))}</span></td>'
                f"<td>{escape(str(one.verified_on or '–') + by)}</td></tr>"
            )
        heads = "".join(
            f"<th>{escape(t(f'contact.col.{name}'))}</th>" for name in ("who", "state", "checked")
        )
        st.html(f'<table class="tg-table"><tr>{heads}</tr>{"".join(rows)}</table>')


def _state(one: Contact, day: dt.date, longest: int) -> str:
    if one.placeholder:
        return "placeholder"
    if not one.reachable:
        return "unreachable"
    if one.verified_on is None or one.verified_on > day:
        return "unverified"
    age = (day - one.verified_on).days
    return "overdue" if age > longest else "due_soon" if age > longest - WARN_DAYS else "verified"
