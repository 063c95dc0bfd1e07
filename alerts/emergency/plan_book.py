"""The plan book: a folder with every version of every plan, the directory of contacts, the letters and the register.

    alerts/plans/*.toml               plans, one file a version
    alerts/plans/shared/contacts.toml, letters.toml, register.toml

The register holds the digest of each version that was put into the book, so that a version cannot be changed unseen:
what is to be changed becomes a new version. An installation keeps its own folder (`emergency.plans` of the settings).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from alerts.emergency.contacts import Directory
from alerts.emergency.letters import Letters
from alerts.emergency.plan import Plan, Role, load_plan
from alerts.emergency.reading import Words, read_as, read_text
from alerts.emergency.settings import SHIPPED
from models.errors import PlanError

SHARED = "shared"


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version as it was put into the book."""

    id: str
    version: str
    digest: str
    effective_from: dt.date
    recorded_on: dt.date
    by: Role
    approved_by: Role
    what: Words


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """register.toml."""

    plan: list[Recorded] = []

    def of(self, id_: str, version: str) -> Recorded | None:
        """What was recorded of a version."""
        return next((one for one in self.plan if (one.id, one.version) == (id_, version)), None)


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in the folder; plans by id, each id's versions oldest first."""

    plans: dict[str, list[Plan]]
    contacts: Directory
    letters: Letters
    register: Register

    def in_force(self, id_: str, day: dt.date) -> Plan | None:
        """The version of a plan in force on a day (UTC), None where there is none yet."""
        found = [plan for plan in self.plans.get(id_, []) if plan.effective_from <= day]
        return found[-1] if found else None

    def plan(self, id_: str, version: str = "", day: dt.date | None = None) -> Plan:
        """A version of a plan, or the one in force on `day`. PlanError names what there is."""
        versions = self.plans.get(id_)
        if versions is None:
            raise PlanError(f"there is no plan {id_!r}: {', '.join(self.plans)}")
        if version:
            found = next((plan for plan in versions if plan.version == version), None)
            if found is None:
                there = ", ".join(plan.version for plan in versions)
                raise PlanError(f"plan {id_} has no version {version}: {there}")
            return found
        found = self.in_force(id_, day) if day is not None else versions[-1]
        if found is None:
            raise PlanError(
                f"plan {id_} is not in force yet: it comes into effect on {versions[0].effective_from}"
            )
        return found


def book_of(plans: Iterable[Plan], contacts: Directory, letters: Letters, register: Register) -> Book:
    """Put plans in order. PlanError: one version twice, or a later version that comes into effect earlier."""
    by_id: dict[str, list[Plan]] = {}
    for plan in sorted(plans, key=lambda one: (one.id, one.number)):
        versions = by_id.setdefault(plan.id, [])
        if versions and versions[-1].version == plan.version:
            raise PlanError(f"plan {plan.id}: version {plan.version} is there twice")
        if versions and versions[-1].effective_from > plan.effective_from:
            raise PlanError(
                f"plan {plan.id}: version {plan.version} comes into effect before version {versions[-1].version}; "
                "a later version has a later date"
            )
        versions.append(plan)
    return Book(plans=by_id, contacts=contacts, letters=letters, register=register)


def load_book(folder: Path) -> Book:
    """Read the folder. Raises PlanError with the file's place."""
    if not folder.is_dir():
        raise PlanError(f"{folder}: no such folder of plans")
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise PlanError(f"{folder}: there is no plan (*.toml) in it")
    plans = [load_plan(read_text(path), path.name) for path in paths]
    shared = folder / SHARED
    register = shared / "register.toml"
    return book_of(
        plans,
        read_as(shared / "contacts.toml", Directory),
        read_as(shared / "letters.toml", Letters),
        read_as(register, Register) if register.exists() else Register(),
    )


@cache
def shipped_book() -> Book:
    """The book that comes with Tidegate."""
    return load_book(SHIPPED)


def register_line(plan: Plan, today: dt.date) -> str:
    """The register's entry of a version, as TOML."""
    what = (
        msgspec.json.encode(plan.change.text.en).decode(),
        msgspec.json.encode(plan.change.text.zh).decode(),
    )
    return (
        f'\n[[plan]]\nid = "{plan.id}"\nversion = "{plan.version}"\ndigest = "{plan.digest}"\n'
        f"effective_from = {plan.effective_from}\nrecorded_on = {today}\n"
        f'by = "{plan.change.by}"\napproved_by = "{plan.change.approved_by}"\n'
        f"what = {{ en = {what[0]}, zh = {what[1]} }}\n"
    )


def unrecorded(book: Book) -> list[Plan]:
    """Versions that the register does not know. PlanError for one that was changed after it was recorded."""
    new = []
    for plan in (one for versions in book.plans.values() for one in versions):
        kept = book.register.of(plan.id, plan.version)
        if kept is None:
            new.append(plan)
        elif kept.digest != plan.digest:
            raise PlanError(
                f"plan {plan.id} {plan.version} was changed after it was recorded on {kept.recorded_on}: "
                "put the file back and write a new version"
            )
    return new
