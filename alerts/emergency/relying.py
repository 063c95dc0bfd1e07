"""Whom a plan relies on: roles that act in it, the people who fill them, and desks outside. Pure."""

from __future__ import annotations

import datetime as dt

import msgspec

from alerts.emergency.contacts import Contact, Directory
from alerts.emergency.plan import Plan, Role


class Reliance(msgspec.Struct, frozen=True):
    """checked: contacts that somebody reached within the time allowed, of how many. oldest: of those checks."""

    checked: int
    contacts: int
    oldest: dt.date | None


def roles_of(plan: Plan) -> list[Role]:
    """Owner, deputy, and who has a step or a recovery, each once."""
    relied = [plan.owner, *([plan.deputy] if plan.deputy else []), *(step.owner for step in plan.step)]
    return list(dict.fromkeys([*relied, *(one.owner for one in plan.recovery)]))


def outside(plan: Plan, contacts: Directory) -> list[Contact]:
    """Desks the plan tells or works with, each once; those that fill a role are people of ours."""
    named = [*(one.contact for one in plan.channel), *(one.contact for one in plan.collaboration)]
    found = [contacts.named(id_) for id_ in dict.fromkeys(named)]
    return [one for one in found if one is not None and not one.roles]


def reliance(plan: Plan, contacts: Directory, today: dt.date) -> Reliance:
    """How many of the contacts a plan relies on were checked."""
    people = [one for role in roles_of(plan) for one in contacts.holders(role)]
    all_ = {one.id: one for one in [*people, *outside(plan, contacts)]}
    days = [one.verified_on for one in all_.values() if one.reachable and one.verified_on is not None]
    valid = [day for day in days if 0 <= (today - day).days <= contacts.verify_every_days]
    return Reliance(len(valid), len(all_), min(valid, default=None))
