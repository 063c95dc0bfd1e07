"""An exercise as data: scenes a person sees, and questions on each whose options come from the emergency plan.

One file of alerts/tabletop/exercises an exercise (TOML). An installation that keeps its own plans puts its own into the
folder `tabletop` beside them; one of the same id takes the place of the one that ships.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from alerts.alert import Severity
from alerts.emergency.plan import Name, Role, Version, digest_of
from alerts.emergency.reading import Words, read_as
from alerts.notices.facts import Flag

Asks = Literal["step", "within", "owner", "preset", "contact", "deadline"]
MANY: tuple[Asks, ...] = ("contact", "deadline")
"""Kinds of question to which several options may be right; to the others it is one."""
SHIPPED = Path(str(files("alerts.tabletop") / "exercises"))
FOLDER = "tabletop"


class Wrong(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """An option that is in no plan, in its own words. critical: who chooses it has not passed, whatever else."""

    id: Name
    text: Words
    why: Words
    critical: bool = False


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is known of the incident when a question on deadlines is asked (alerts/notices/facts.py)."""

    severity: Severity = "S2"
    customers: int | None = None
    records: int | None = None
    persons: int | None = None
    payments_failed: int | None = None
    outage_min: float | None = None
    loss_cny: float | None = None
    flags: dict[Flag, bool] = {}


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is asked, by kind:

    step      what is done now: `options` are ids of the plan's steps, `right` is the one
    within    by when a step has to be done: `step`, and `minutes` to choose from; the plan says which is right
    owner     who does a step: `step`, and roles as `options`; the plan says which is right
    preset    which containment, and how wide: ids of the plan's presets as `options`, `right` is the one, `partly` half
    contact   who is told now: ids of the plan's contacts as `options`, `right` those
    deadline  which clocks run: ids of deadlines as `options`; which are right follows from `facts` and the deadlines

    seconds: time to answer in. why: told afterwards, whatever was chosen.
    """

    id: Name
    asks: Asks
    ask: Words
    seconds: Annotated[int, msgspec.Meta(ge=10, le=900)]
    why: Words
    options: list[str] = []
    right: list[str] = []
    partly: list[str] = []
    step: str = ""
    minutes: list[int] = []
    facts: Facts | None = None
    wrong: list[Wrong] = []

    def __post_init__(self) -> None:
        wanted = {
            "step": self.options and self.right, "preset": self.options and self.right,
            "contact": self.options and self.right, "within": self.step and self.minutes,
            "owner": self.step and self.options, "deadline": self.options and self.facts is not None,
        }[self.asks]  # fmt: skip
        if not wanted:
            raise ValueError(f"question {self.id}: a question on {self.asks} lacks what its kind takes")
        if self.asks in ("step", "preset") and len(self.right) != 1:
            raise ValueError(f"question {self.id}: one option is right")
        strange = [id_ for id_ in (*self.right, *self.partly) if id_ not in self.options]
        if strange:
            raise ValueError(f"question {self.id}: {strange[0]!r} is not among its options")


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens at a time of the story. at_min: minutes since its beginning. sees: what the person is shown."""

    at_min: Annotated[int, msgspec.Meta(ge=0)]
    sees: Words
    question: Annotated[list[Question], msgspec.Meta(min_length=1)]


class Exercise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See the module's docstring. plan: id of the emergency plan it trains; seat: the role the person plays."""

    id: Name
    plan: Name
    version: Version
    seat: Role
    title: Words
    briefing: Words
    scene: Annotated[list[Scene], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        times = [one.at_min for one in self.scene]
        if times != sorted(times):
            raise ValueError("scene: the times of the story run forward")
        ids = [question.id for _, question in self.questions()]
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        if twice:
            raise ValueError(f"the question {twice[0]!r} is there twice")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything it says."""
        return digest_of(self)

    def questions(self) -> Iterator[tuple[int, Question]]:
        """Every question with the number of its scene, in the order in which they are asked."""
        for number, scene in enumerate(self.scene):
            for question in scene.question:
                yield number, question


def load_exercises(plans: Path | None = None) -> dict[str, Exercise]:
    """Those that ship, and those in `tabletop` beside an installation's own plans. Raises PlanError with the place."""
    folders = [SHIPPED] if plans is None else [SHIPPED, plans / FOLDER]
    found = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            one = read_as(path, Exercise)
            found[one.id] = one
    return found
