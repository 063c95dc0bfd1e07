"""The record of a drill for one party of a joint drill: what parties.toml lets it see, and nothing else. Pure.

The record is a list of parts that is sealed as the evidence of incidents is (alerts/response/evidence.py): SHA-256 of
every line under an Ed25519 signature. It names the plan by version and digest and the drill by its id, so that two
parties can tell that they played the same one; no digest covers what was withheld, since a value that is one of a few
could be found by trying them all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec

from alerts.drills.book import Drill
from alerts.drills.card import Measured
from alerts.drills.history import DrillRun
from alerts.emergency.plan import Audience, Plan
from alerts.emergency.plan_book import Book
from alerts.emergency.reading import Words
from alerts.response.evidence import Part
from models.errors import PlanError, SettingsError

PURPOSE = b"tidegate drill record 1\n"
"""What the seal signs besides the record, so that it is never taken for the evidence of an incident."""
Step = Literal["detected", "acknowledged", "declared", "contained", "recovered"]


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See parties.toml."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    name: Words
    contacts: Annotated[list[str], msgspec.Meta(min_length=1)]
    audience: Audience | None = None
    always: bool = False
    steps: list[Step] = []
    measured: list[str] = []
    measures: bool = False
    passed: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.measured if name not in Measured.__struct_fields__]
        if unknown:
            raise ValueError(f"{self.id}: a score card has no {unknown[0]!r}")


class Parties(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """parties.toml."""

    version: str
    party: list[Party]

    def named(self, id_: str) -> Party:
        """The party of an id. SettingsError names those there are."""
        found = next((one for one in self.party if one.id == id_), None)
        if found is None:
            raise SettingsError(
                f"there is no party {id_!r}: choose from {', '.join(p.id for p in self.party)}"
            )
        return found


@cache
def shipped_parties() -> Parties:
    """The parties that ship. Raises SettingsError."""
    try:
        text = (files("alerts.drills") / "parties.toml").read_text("utf-8")
        return msgspec.convert(tomllib.loads(text), Parties)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"parties.toml: {error}") from None


def plan_used(run: DrillRun, book: Book) -> Plan:
    """The version of the plan that a drill followed. PlanError when the book no longer has it."""
    id_, _, version = run.plan.partition(" ")
    return book.plan(id_, version)


def takes_part(party: Party, plan: Plan, run: DrillRun) -> bool:
    """True when the plan, or a notice that the drill owed, gives one of the party's contacts a part."""
    addressed = {one.contact for one in plan.channel} | {one.contact for one in plan.collaboration}
    addressed |= {one.contact for one in run.card.course.notices}
    return party.always or not addressed.isdisjoint(party.contacts)


def record_for(party: Party, run: DrillRun, drill: Drill, plan: Plan) -> Iterator[Part]:
    """The parts for a party, in order. PlanError for one that has no part in this drill."""
    if not takes_part(party, plan, run):
        raise PlanError(
            f"{party.id} has no part in {run.drill}: plan {plan.id} {plan.version} gives none of "
            f"{', '.join(party.contacts)} a task, and no notice was owed to them"
        )
    card, course = run.card, run.card.course
    yield (
        "drill",
        {
            "simulated": True, "party": party.id, "run": run.id, "drill": run.drill, "played_at": run.at,
            "scenario": {"en": drill.text_en, "zh": drill.text_zh}, "drills_version": run.book,
            "plan": {"id": plan.id, "version": plan.version, "sha256": plan.digest},
        },
    )  # fmt: skip
    if party.passed:
        yield "result", {"passed": card.passed, "severity": course.severity}
    for name in party.measured:
        if name in card.measured:
            value, most = card.measured[name], card.targets.get(name)
            met = None if most is None else value is not None and value <= most
            yield "measured", {"name": name, "value": value, "target": most, "met": met}
    for step, at in course.steps.items():
        if step in party.steps:
            yield "step", {"step": step, "seconds_after_first_bad_event": at}
    if party.measures:
        for measure in course.measures:
            yield "containment", msgspec.to_builtins(measure)
    for notice in course.notices:
        if notice.contact in party.contacts:
            yield "notice", msgspec.to_builtins(notice)
    for channel in plan.channel:
        if channel.contact in party.contacts:
            yield (
                "channel",
                {"contact": channel.contact, "by": channel.by, "fallback": channel.fallback, "text": _both(channel.text)},
            )  # fmt: skip
    for task in plan.collaboration:
        if task.contact in party.contacts:
            yield "task", {"contact": task.contact, "text": _both(task.text)}
    if party.audience is not None and party.audience in plan.message:
        yield "message", {"audience": party.audience, "text": _both(plan.message[party.audience])}


def _both(words: Words) -> dict[str, str]:
    return {"en": words.en, "zh": words.zh}
