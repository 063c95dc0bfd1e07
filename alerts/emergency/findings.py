"""What is not in order about a plan book on a day: a pure function that gives findings, each with its remedy.

An `alarm` means that the plan could fail when it is needed; a `warning` that it soon could.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Literal, NamedTuple

from alerts.emergency.contacts import Contact
from alerts.emergency.plan import AUDIENCES, Plan
from alerts.emergency.plan_book import Book
from alerts.emergency.presets import tried
from alerts.emergency.relying import roles_of
from models.containment import SCOPES
from models.errors import IncidentError, PlanError

WARN_DAYS = 14
Level = Literal["alarm", "warning"]
_PROBE = dict.fromkeys(SCOPES, "probe") | {"channel": "transfer", "corridor": "CN>US"}


class Finding(NamedTuple):
    """code: stable, for routing and tests. subject: the plan, contact or role it is about."""

    level: Level
    code: str
    subject: str
    text: str


def findings(book: Book, today: dt.date, kinds: tuple[str, ...] = ()) -> list[Finding]:
    """Everything that is not in order, alarms first. kinds: incidents that there must be a plan for."""
    found = [*_uncovered(book, today, kinds), *_contacts(book, today), *_roles(book, today), *_register(book)]
    for id_ in book.plans:
        plan = book.in_force(id_, today)
        for one in book.plans[id_]:
            if one is plan or one.effective_from > today:
                found += [*_plan(book, one), *_review(one, today)]
    return sorted(dict.fromkeys(found))


def _uncovered(book: Book, today: dt.date, kinds: tuple[str, ...]) -> Iterator[Finding]:
    for kind in kinds:
        if book.in_force(kind, today) is None:
            yield Finding("alarm", "no_plan", kind, f"no plan is in force for {kind}: write one")


def _review(plan: Plan, today: dt.date) -> Iterator[Finding]:
    days = (plan.review_by - today).days
    if days < 0:
        text = (
            f"its review was due on {plan.review_by}, {-days} days ago: look at it and record a new version"
        )
        yield Finding("alarm", "review_overdue", plan.id, text)
    elif days <= WARN_DAYS:
        yield Finding("warning", "review_due_soon", plan.id, f"its review is due on {plan.review_by}")


def _plan(book: Book, plan: Plan) -> Iterator[Finding]:
    if plan.deputy is None:
        yield Finding(
            "alarm", "deputy_missing", plan.id, "it names no deputy: say who acts when the owner is away"
        )
    elif plan.deputy == plan.owner:
        yield Finding("alarm", "deputy_is_owner", plan.id, "owner and deputy are one role: name another")
    else:
        owners, deputies = book.contacts.holders(plan.owner), book.contacts.holders(plan.deputy)
        if owners and deputies and owners[0].id == deputies[0].id:
            text = f"{owners[0].id} is owner ({plan.owner}) and deputy ({plan.deputy}) at once: name another"
            yield Finding("alarm", "deputy_is_owner", plan.id, text)
    silent = [audience for audience in AUDIENCES if audience not in plan.message]
    if silent:
        text = f"it has no words for {', '.join(silent)}: write a message"
        yield Finding("alarm", "message_missing", plan.id, text)
    named = [*(one.contact for one in plan.channel), *(one.contact for one in plan.collaboration)]
    for id_ in dict.fromkeys(named):
        if book.contacts.named(id_) is None:
            text = f"contact {id_!r} is not in the directory: add it or name another"
            yield Finding("alarm", "contact_unknown", plan.id, text)
    for preset in plan.containment:
        try:
            tried(preset, _PROBE, 0)
        except (PlanError, IncidentError) as error:
            yield Finding("alarm", "preset_unusable", plan.id, f"preset {preset.id}: {error}")
    if not any(step.verify for step in plan.step):
        yield Finding("alarm", "nothing_verified", plan.id, "no step says how it is verified: add one")
    for phase in ("contain", "notify", "review"):
        if not any(step.phase == phase for step in plan.step):
            yield Finding("alarm", "phase_missing", plan.id, f"no step for phase {phase}: add one")


def _contacts(book: Book, today: dt.date) -> Iterator[Finding]:
    longest = book.contacts.verify_every_days
    for one in book.contacts.contact:
        if one.placeholder:
            yield Finding(
                "alarm", "contact_placeholder", one.id, "an example: put the real contact in its place"
            )
            continue
        if not one.reachable:
            yield Finding(
                "alarm", "contact_unreachable", one.id, "no way to reach it: give a phone or an address"
            )
        yield from _verification(one, today, longest)


def _verification(one: Contact, today: dt.date, longest: int) -> Iterator[Finding]:
    if one.verified_on is None:
        yield Finding("alarm", "contact_unverified", one.id, "nobody has ever checked it: call, then date it")
        return
    if one.verified_on > today:
        yield Finding(
            "alarm", "contact_unverified", one.id, f"checked on {one.verified_on}, which is yet to come"
        )
        return
    age = (today - one.verified_on).days
    if age > longest:
        text = f"last checked {age} days ago, {longest} are allowed: call, then date it"
        yield Finding("alarm", "contact_unverified", one.id, text)
    elif age > longest - WARN_DAYS:
        text = f"last checked {age} days ago, {longest} are allowed"
        yield Finding("warning", "contact_due_soon", one.id, text)


def _roles(book: Book, today: dt.date) -> Iterator[Finding]:
    """Roles that plans in force rely on and that nobody, or nobody but one, fills."""
    relied: set[str] = set()
    for id_ in book.plans:
        plan = book.in_force(id_, today)
        if plan is not None:
            relied |= {*roles_of(plan)}
    for role in sorted(relied):
        holders = book.contacts.holders(role)
        if not holders:
            yield Finding("alarm", "role_unfilled", role, "plans rely on this role and nobody fills it")
        elif len(holders) == 1:
            text = f"only {holders[0].id} fills it: name a deputy in the directory"
            yield Finding("alarm", "role_without_deputy", role, text)


def _register(book: Book) -> Iterator[Finding]:
    for plan in (one for versions in book.plans.values() for one in versions):
        kept = book.register.of(plan.id, plan.version)
        if kept is None:
            text = f"version {plan.version} is not in the register: `tidegate plan record` puts it there"
            yield Finding("alarm", "version_unrecorded", plan.id, text)
        elif kept.digest != plan.digest:
            text = (
                f"version {plan.version} was changed after it was recorded: put it back, write a new version"
            )
            yield Finding("alarm", "version_changed", plan.id, text)
    known = {(plan.id, plan.version) for versions in book.plans.values() for plan in versions}
    for kept in book.register.plan:
        if (kept.id, kept.version) not in known:
            text = f"version {kept.version} is in the register, but not in the folder: put its file back"
            yield Finding("alarm", "version_lost", kept.id, text)
