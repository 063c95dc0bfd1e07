"""An emergency plan as data: who does what, in which order, whom to tell, how to contain, recover and measure.

One file of alerts/plans a version (TOML). A plan is its content: its digest is SHA-256 over everything it says, whatever
the file's spacing, comments and order of keys. Of several versions of one id that one is in force which came into
effect last (`plan_book.py`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from typing import Annotated, Literal, get_args

import msgspec

from alerts.emergency.presets import Preset
from alerts.emergency.reading import Words, decoded

Role = Literal[
    "incident_commander", "deputy", "fraud_lead", "technical_lead", "compliance_mlro", "privacy_officer",
    "communications", "partner_liaison", "scribe", "legal",
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
Phase = Literal[
    "detect", "triage", "declare", "contain", "investigate", "notify", "recover", "review", "plan_update"
]
PHASES: tuple[Phase, ...] = get_args(Phase)
Audience = Literal["regulator", "scheme", "partner", "customer"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)
Medium = Literal["phone", "chat", "email", "portal", "letter", "in_app", "website", "in_person"]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=60 * 24 * 90)]
_PLACEHOLDER = re.compile(r"\{[{%#]")


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Something to be done. within: minutes after the declaration. verify: how another person sees that it worked."""

    id: str
    phase: Phase
    owner: Role
    within: Minutes
    text: Words
    verify: Words | None = None


class Recovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A way back to normal, with the check that has to pass before the next one; `data`: it restores data."""

    id: str
    owner: Role
    text: Words
    verify: Words
    data: bool = False


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How somebody is reached. contact: id in the directory. fallback: when the medium is down."""

    contact: str
    by: Medium
    fallback: Medium
    text: Words


class Collaboration(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """Who outside the team works on it, and what each gives the other. contact: id in the directory."""

    contact: str
    text: Words


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What tells afterwards how it went. at_most: target in `unit`."""

    name: Name
    at_most: float
    unit: Literal["s", "min", "h", "usd", "count", "share"]
    source: str
    confidence: Literal["A", "B", "C", "D", "M"]
    verified: bool

    def __post_init__(self) -> None:
        if self.confidence == "M" and self.verified:
            raise ValueError('a figure from memory (confidence = "M") needs verified = false')


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What this version changed. actions: those of the reviews that asked for it. approved_by: a role."""

    by: Role
    approved_by: Role
    text: Words
    actions: list[str] = []

    def __post_init__(self) -> None:
        if self.by == self.approved_by:
            raise ValueError("a plan is approved by another role than the one that wrote it")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """See the module's docstring. id: the kind of incident it is for. review_by: it has to be looked at until then.

    message: what is said to each audience in the letters (letters.py), besides what they say of every incident.
    """

    id: Name
    version: Version
    effective_from: dt.date
    review_by: dt.date
    owner: Role
    deputy: Role | None = None
    title: Words
    summary: Words
    trigger: Words
    source: str
    change: Change
    step: Annotated[list[Step], msgspec.Meta(min_length=3)]
    channel: Annotated[list[Channel], msgspec.Meta(min_length=2)]
    collaboration: Annotated[list[Collaboration], msgspec.Meta(min_length=1)]
    message: dict[Audience, Words]
    containment: Annotated[list[Preset], msgspec.Meta(min_length=1)]
    recovery: Annotated[list[Recovery], msgspec.Meta(min_length=1)]
    metric: Annotated[list[Metric], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        if self.review_by <= self.effective_from:
            raise ValueError("review_by must lie after effective_from")
        for name in ("step", "containment", "recovery"):
            ids = [one.id for one in getattr(self, name)]
            twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
            if twice:
                raise ValueError(f"{name}: the id {twice[0]!r} is there twice")
        order = [PHASES.index(step.phase) for step in self.step]
        if order != sorted(order):
            raise ValueError(f"step: the phases follow one another: {', '.join(PHASES)}")
        for audience, words in self.message.items():
            if _PLACEHOLDER.search(words.en + words.zh):
                raise ValueError(f"message.{audience}: placeholders belong into the letters, not here")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything the plan says."""
        return digest_of(self)

    @property
    def number(self) -> tuple[int, int]:
        """The version, to be compared."""
        major, minor = self.version.split(".")
        return int(major), int(minor)


def digest_of(struct: msgspec.Struct) -> str:
    """SHA-256 (hex) over a struct's content as JSON with sorted keys.

    Defaults are left out (`omit_defaults`), so that a digest outlives a new optional field of the format.
    """
    content = json.dumps(
        msgspec.to_builtins(struct), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(content.encode()).hexdigest()


def short_code(digest: str) -> str:
    """The digest's first 12 digits in groups, to be read out over a telephone."""
    return "-".join(digest[at : at + 4] for at in (0, 4, 8))


def load_plan(text: str, name: str) -> Plan:
    """Read a plan's TOML text; `name` is what errors call it. Raises PlanError."""
    return decoded(text, name, Plan)
