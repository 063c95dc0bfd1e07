"""drills.toml: what is played, who answers how fast, what has to be reached, and when each drill is due."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from alerts.emergency.plan_book import Book
from alerts.emergency.presets import Proposal, proposal
from alerts.response.incident import Scope
from alerts.response.kinds import BY_ID
from alerts.response.measure import Verb
from alerts.routing.plan import PlanSpec
from models.errors import SettingsError

Positive = Annotated[float, msgspec.Meta(gt=0)]
DAY_MS = 86_400_000


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds, log-normal: the median, and the standard deviation of its logarithm."""

    median: Positive
    spread: Annotated[float, msgspec.Meta(ge=0)]


class People(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each step takes after the one before."""

    acknowledge: Delay
    declare: Delay
    propose: Delay
    approve: Delay
    notify: Delay
    verify: Delay


class Targets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds; see drills.toml."""

    mttd_s: Positive
    mttc_s: Positive
    mttr_s: Positive
    notification_lateness_s: Annotated[float, msgspec.Meta(ge=0)]


class Attacker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """gives_up_s: seconds after which it stops, once everything is refused."""

    gives_up_s: Positive


class Also(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measure besides the preset."""

    verb: Verb
    scope: Scope
    minutes: int


class Drill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One scenario. See drills.toml."""

    id: str
    kind: str
    preset: str
    every_days: Annotated[int, msgspec.Meta(ge=1)]
    text_en: str
    text_zh: str
    scope: Scope = {}
    also: Also | None = None


class DrillBook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """drills.toml, checked."""

    version: str
    targets: Targets
    people: People
    attacker: Attacker
    routing: PlanSpec
    drill: list[Drill]

    def named(self, id_: str) -> Drill:
        """The drill of this name. SettingsError names those there are."""
        found = next((one for one in self.drill if one.id == id_), None)
        if found is None:
            raise SettingsError(
                f"there is no drill {id_!r}: choose from {', '.join(d.id for d in self.drill)}"
            )
        return found


class DueDrill(msgspec.Struct, frozen=True):
    """When a drill is due. last: its last run, ms; None: never. due: day (YYYY-MM-DD). late: that day has passed."""

    drill: str
    last: int | None
    due: str
    late: bool


@cache
def drill_book() -> DrillBook:
    """The drills that ship. Raises SettingsError."""
    try:
        book = msgspec.convert(
            tomllib.loads((files("alerts.drills") / "drills.toml").read_text("utf-8")), DrillBook
        )
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"drills.toml: {error}") from None
    unknown = [one.kind for one in book.drill if one.kind not in BY_ID]
    if unknown:
        raise SettingsError(f"drills.toml: there is no kind of incident {unknown[0]!r}")
    return book


def measures_of(drill: Drill, plans: Book, scope: Mapping[str, str]) -> list[Proposal]:
    """What people propose in an incident of this scope, by the newest version of the plan.

    Raises SettingsError when the plan has no such preset, PlanError when nothing names what its scope lacks.
    """
    plan = plans.plan(drill.kind)
    preset = next((one for one in plan.containment if one.id == drill.preset), None)
    if preset is None:
        there = ", ".join(one.id for one in plan.containment)
        raise SettingsError(f"drill {drill.id}: plan {plan.id} has no preset {drill.preset!r}: {there}")
    out = [proposal(preset, {**scope, **drill.scope})]
    if drill.also is not None:
        out.append(Proposal(drill.also.verb, drill.also.scope, drill.also.minutes, None))
    return out


def due_drills(book: DrillBook, last: Mapping[str, int], now: int) -> list[DueDrill]:
    """When each drill is due, the first first. last: time of each one's last run, ms; what never ran is due today."""
    today = _day(now)
    out = []
    for one in book.drill:
        ran = last.get(one.id)
        due = today if ran is None else _day(ran + one.every_days * DAY_MS)
        out.append(DueDrill(one.id, ran, due, ran is not None and due < today))
    return sorted(out, key=lambda one: (one.due, one.drill))


def _day(at: int) -> str:
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).date().isoformat()
