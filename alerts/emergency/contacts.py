"""The contact directory: who fills a role, whom to reach outside, and when somebody last checked that it works."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alerts.emergency.plan import Role
from alerts.emergency.reading import Words

Kind = Literal["person", "authority", "scheme", "partner", "supplier", "customers"]


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry. roles: what a person fills, the first holder of a role before its deputy.

    hours: when it is answered, in words. verified_on: day on which somebody last reached it by each way that stands here;
    verified_by: that person's role. placeholder: an example that has to be replaced, nobody is reached by it.
    """

    id: str
    kind: Kind
    name: Words
    timezone: str
    language: Literal["zh", "en"]
    phone: str = ""
    email: str = ""
    other: str = ""
    hours: str = ""
    roles: list[Role] = []
    verified_on: dt.date | None = None
    verified_by: Role | None = None
    placeholder: bool = False

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.id}: there is no time zone {self.timezone!r}") from None
        if self.roles and self.kind != "person":
            raise ValueError(f"{self.id}: only a person fills a role")

    @property
    def reachable(self) -> bool:
        """True when there is a way to reach it that nobody calls an example."""
        return bool(self.phone or self.email or self.other) and not self.placeholder


class Directory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """contacts.toml. verify_every_days: a contact that nobody checked for longer is not to be relied on."""

    version: str
    verify_every_days: int
    source: str
    contact: list[Contact]

    def __post_init__(self) -> None:
        ids = [one.id for one in self.contact]
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        if twice:
            raise ValueError(f"the id {twice[0]!r} is there twice")
        if self.verify_every_days < 1:
            raise ValueError("verify_every_days must be 1 or more")

    def named(self, id_: str) -> Contact | None:
        """The entry of an id."""
        return next((one for one in self.contact if one.id == id_), None)

    def holders(self, role: str) -> list[Contact]:
        """Who fills a role, the first one first."""
        return [one for one in self.contact if role in one.roles]
