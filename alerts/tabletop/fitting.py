"""An exercise fitted to the plan that is in force: every question with its options, in words, and which are right. Pure.

What is right is taken from the plan (time and owner of a step), from the deadlines (which clocks run), or named in the
exercise and checked against the plan: a step, preset or contact that the plan no longer has is refused, so that nobody is
trained for a plan that has changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.emergency.plan import ROLES, Plan
from alerts.emergency.plan_book import Book
from alerts.emergency.presets import Preset
from alerts.emergency.printing import scope_in_words, span_in_words
from alerts.emergency.reading import Words
from alerts.emergency.words import WORDS
from alerts.notices.clocks import notices_of
from alerts.notices.deadlines import Deadline, shipped_rules
from alerts.notices.facts import IncidentFacts, Profile
from alerts.tabletop.exercise import MANY, Exercise, Question
from models.errors import PlanError

US = Profile(
    jurisdictions=("CN",), entity=("payment_institution", "controller"), schemes=("visa", "mastercard")
)
"""Whom the story is about: a payment institution in China that takes cards of both schemes. The briefings say so."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """points: 1 right, 0.5 partly, 0 wrong. why: of a wrong one, where it has a reason of its own."""

    id: str
    text: Words
    points: float
    why: Words | None = None
    critical: bool = False


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it is put. scene: number of its scene. many: several options may be chosen."""

    scene: int
    question: Question
    options: list[Option]
    many: bool

    @property
    def right(self) -> list[str]:
        """Ids of the right options."""
        return [one.id for one in self.options if one.points == 1.0]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """An exercise that can be played."""

    exercise: Exercise
    plan: Plan
    questions: list[Fitted]


def fitted(exercise: Exercise, book: Book, day: dt.date) -> Table:
    """The exercise with its plan as of a day. Raises PlanError naming what the plan does not have."""
    plan = plan_trained(book, exercise.plan, day)
    questions = []
    for scene, question in exercise.questions():
        options = [*_options(exercise, question, plan, book, day), *_wrong(question)]
        one = Fitted(scene=scene, question=question, options=options, many=question.asks in MANY)
        ids = [option.id for option in options]
        if len(ids) != len(set(ids)):
            raise PlanError(
                f"exercise {exercise.id}: question {question.id}: an option is there twice",
                zh=f"推演科目 {exercise.id} 的问题 {question.id}：选项重复",
            )
        if not one.right or len(one.right) == len(options) or (len(one.right) > 1 and not one.many):
            raise PlanError(
                f"exercise {exercise.id}: question {question.id}: by plan {plan.id} {plan.version} it has "
                f"{len(one.right)} right options of {len(options)}: mend the exercise",
                zh=f"推演科目 {exercise.id} 的问题 {question.id}：按预案 {plan.id} {plan.version}，"
                f"{len(options)} 个选项中有 {len(one.right)} 个正确：请修正科目",
            )
        questions.append(one)
    return Table(exercise=exercise, plan=plan, questions=questions)


def plan_trained(book: Book, id_: str, day: dt.date) -> Plan:
    """The version in force on a day, the newest while none is yet: people are trained before it comes into effect.

    Raises PlanError when there is no such plan.
    """
    return book.in_force(id_, day) or book.plan(id_)


def _wrong(question: Question) -> list[Option]:
    return [
        Option(id=one.id, text=one.text, points=0.0, why=one.why, critical=one.critical)
        for one in question.wrong
    ]


def _options(exercise: Exercise, question: Question, plan: Plan, book: Book, day: dt.date) -> list[Option]:
    def lacking(what: str, what_zh: str, id_: str) -> PlanError:
        return PlanError(
            f"exercise {exercise.id}: question {question.id}: plan {plan.id} {plan.version} has no {what} {id_!r}",
            zh=f"推演科目 {exercise.id} 的问题 {question.id}：预案 {plan.id} {plan.version} 没有{what_zh} {id_!r}",
        )

    def named(words: Mapping[str, Words], what: str, what_zh: str) -> list[Option]:
        out = []
        for id_ in question.options:
            if id_ not in words:
                raise lacking(what, what_zh, id_)
            points = 1.0 if id_ in question.right else 0.5 if id_ in question.partly else 0.0
            out.append(Option(id=id_, text=words[id_], points=points))
        return out

    match question.asks:
        case "step":
            return named({step.id: step.text for step in plan.step}, "step", "步骤")
        case "preset":
            return named({one.id: _preset(one) for one in plan.containment}, "preset", "预设")
        case "contact":
            in_plan = {one.contact for one in plan.channel} | {one.contact for one in plan.collaboration}
            missing = [id_ for id_ in question.right if id_ not in in_plan]
            if missing:
                raise lacking("channel to", "渠道通往", missing[0])
            return named({one.id: one.name for one in book.contacts.contact}, "contact", "联系人")
        case "within" | "owner":
            step = next((step for step in plan.step if step.id == question.step), None)
            if step is None:
                raise lacking("step", "步骤", question.step)
            if question.asks == "within":
                return [
                    Option(id=str(most), text=_span(most), points=float(most == step.within))
                    for most in question.minutes
                ]
            found = named({role: WORDS[role] for role in ROLES}, "role", "角色")
            return [msgspec.structs.replace(one, points=float(one.id == step.owner)) for one in found]
        case "deadline":
            rows = {row.id: _deadline(row) for row in shipped_rules().deadline}
            run = _running(exercise, question, day)
            found = named(rows, "deadline", "时限")
            return [msgspec.structs.replace(one, points=float(one.id in run)) for one in found]


def _running(exercise: Exercise, question: Question, day: dt.date) -> set[str]:
    """Deadlines that are owed for certain by what is known, for an incident of that day."""
    at = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1000)
    told: dict[str, Any] = {"incident": exercise.id, "kind": exercise.plan, "severity": "S2"}
    told |= msgspec.to_builtins(question.facts)
    known = IncidentFacts(**told, occurred=at, known=at)
    return {notice.id for notice in notices_of(known, US, at) if notice.owed == "yes"}


def _deadline(row: Deadline) -> Words:
    return Words(
        en=f"{row.recipient.en}: {row.stage.en} – {row.within}",
        zh=f"{row.recipient.zh}：{row.stage.zh} – {row.within}",
    )


def _preset(one: Preset) -> Words:
    verb, whole = WORDS[one.verb], WORDS["whole"]
    above = "" if one.above_usd is None else f" > {one.above_usd:,.0f} USD"
    return Words(
        en=f"{verb.en}{above} ({scope_in_words(one, whole.en)}; {one.minutes} min): {one.text.en}",
        zh=f"{verb.zh}{above}（{scope_in_words(one, whole.zh)}；{one.minutes} 分钟）：{one.text.zh}",
    )


def _span(minutes: int) -> Words:
    en, zh = (span_in_words(minutes, language) for language in ("en", "zh"))
    return Words(en=f"within {en}", zh=f"{zh}内") if minutes else Words(en=en, zh=zh)
