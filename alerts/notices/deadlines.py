"""Whom a notice is owed, when, and what it must say: the rows of data/notice_deadlines.toml, checked."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from alerts.alert import Severity
from alerts.emergency.reading import Words, decoded
from alerts.notices.facts import MOMENTS, Entity, Flag, Scheme
from models.errors import PlanError

Unit = Literal["m", "h", "d", "bd", "mo"]
Roll = Literal["none", "next_working_day", "noon_next_working_day"]
_SPAN = re.compile(r"^([1-9][0-9]{0,3})(m|h|d|bd|mo)$")
QUANTITIES = ("customers", "records", "persons", "payments_failed", "outage_min", "loss_cny")
_STARTS = (*MOMENTS, "sent")


class Span(NamedTuple):
    """A length of time. m, h: elapsed; d, mo: calendar days and months; bd: working days."""

    number: int
    unit: Unit

    @property
    def elapsed(self) -> bool:
        """True for minutes and hours, which no calendar changes."""
        return self.unit in ("m", "h")


def span_of(text: str) -> Span:
    """`4h`, `30m`, `3d`, `10bd`, `1mo`. Raises ValueError."""
    found = _SPAN.match(text)
    if found is None:
        raise ValueError(f"a time limit is a number and m, h, d, bd (working days) or mo, not {text!r}")
    return Span(int(found[1]), found[2])  # type: ignore[arg-type]


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A trigger: all of it must hold. `*_over` is more than, `*_from` at least."""

    kinds: list[str] = []
    flags: list[Flag] = []
    severity: Severity | None = None
    customers_over: float | None = None
    records_over: float | None = None
    persons_from: float | None = None
    loss_cny_from: float | None = None
    outage_min_over: float | None = None
    outage_min_from: float | None = None
    payments_failed_over: float | None = None


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outer limit from another moment; it does not bind when the start itself came after it."""

    start: str
    within: str


class Deadline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One notice. when: any of these triggers (none: always). unless: flags that take it away.

    contact: id in the contact directory. start: one of MOMENTS, or `sent` with `after`, the notice it follows.
    immediately: the law gives no figure and `within` is our own line. content: ids in notice_content.toml.
    basis: the law or rule, as the notice cites it; source: where the figure was read.
    """

    id: str
    recipient: Words
    contact: str
    stage: Words
    start: str
    within: str
    content: list[str]
    basis: Words
    source: str
    confidence: Literal["A", "B", "C", "D", "M"]
    verified: bool
    effective_from: dt.date
    jurisdiction: str = ""
    scheme: Scheme | None = None
    entity: list[Entity] = []
    when: list[When] = []
    unless: list[Flag] = []
    after: str = ""
    immediately: bool = False
    cap: Cap | None = None
    rolls: Roll = "none"
    note: Words | None = None

    def __post_init__(self) -> None:
        span = span_of(self.within)
        if self.start not in _STARTS or (self.start == "sent") != bool(self.after):
            raise ValueError(
                f"{self.id}: start is one of {', '.join(_STARTS)}; `sent` and `after` go together"
            )
        if self.cap is not None:
            span_of(self.cap.within)
            if self.cap.start not in MOMENTS:
                raise ValueError(f"{self.id}: cap.start is one of {', '.join(MOMENTS)}")
        if span.elapsed and self.rolls != "none":
            raise ValueError(f"{self.id}: minutes and hours run on holidays too and do not roll")
        if self.confidence in ("C", "M") and self.verified:
            raise ValueError(f"{self.id}: confidence {self.confidence} needs verified = false")

    @property
    def span(self) -> Span:
        """`within`."""
        return span_of(self.within)


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where days are counted: IANA time zone, and the country code of the `holidays` library."""

    timezone: str
    calendar: str
    eu: bool = False


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something a notice must say. fact: the field of IncidentFacts or Profile it is taken from, if any."""

    id: str
    text: Words
    fact: str = ""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both data files. warn_at: share of the time after which a clock is `soon`."""

    version: str
    warn_at: float
    deadline: list[Deadline]
    place: dict[str, Place]
    item: list[Item]

    def __post_init__(self) -> None:
        ids, items = [one.id for one in self.deadline], {one.id for one in self.item}
        for one in self.deadline:
            if ids.count(one.id) > 1:
                raise ValueError(f"the id {one.id!r} is there twice")
            if one.after and one.after not in ids:
                raise ValueError(f"{one.id}: it follows {one.after!r}, which is not there")
            unknown = [item for item in one.content if item not in items]
            if unknown or not one.content:
                raise ValueError(
                    f"{one.id}: content {unknown or 'is empty'}: name items of notice_content.toml"
                )
            if one.jurisdiction not in ("", "EU") and one.jurisdiction not in self.place:
                raise ValueError(f"{one.id}: there is no place {one.jurisdiction!r}")
        if not 0.0 < self.warn_at < 1.0:
            raise ValueError("warn_at is a share between 0 and 1")

    def named(self, id_: str) -> Deadline | None:
        """The row of an id."""
        return next((one for one in self.deadline if one.id == id_), None)

    def home(self, jurisdictions: Sequence[str], jurisdiction: str) -> str | None:
        """The country where a row's days are counted; None when we are not under its law."""
        if not jurisdiction:
            return next((one for one in jurisdictions if one in self.place), "CN")
        if jurisdiction != "EU":
            return jurisdiction if jurisdiction in jurisdictions else None
        return next((one for one in jurisdictions if one in self.place and self.place[one].eu), None)


class _Deadlines(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    warn_at: float
    deadline: list[Deadline]
    place: dict[str, Place]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    item: list[Item]


def rules_of(deadlines: str, content: str) -> Rules:
    """Rules from the text of both files. Raises PlanError."""
    rows = decoded(deadlines, "notice_deadlines.toml", _Deadlines)
    items = decoded(content, "notice_content.toml", _Content)
    try:
        return Rules(rows.version, rows.warn_at, rows.deadline, rows.place, items.item)
    except ValueError as error:
        raise PlanError(f"notice_deadlines.toml: {error}") from None


def known(id_: str, rules: Rules | None = None) -> Deadline:
    """The row of an id. PlanError names the ids there are."""
    rules = shipped_rules() if rules is None else rules
    row = rules.named(id_)
    if row is None:
        raise PlanError(f"there is no notice {id_!r}: {', '.join(one.id for one in rules.deadline)}")
    return row


@cache
def shipped_rules() -> Rules:
    """The rules that come with Tidegate."""
    folder = files("alerts") / "data"
    return rules_of(
        (folder / "notice_deadlines.toml").read_text("utf-8"),
        (folder / "notice_content.toml").read_text("utf-8"),
    )
