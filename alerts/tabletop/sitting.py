"""One person at one exercise: a pure state machine. Begun, answered question by question, then done; or abandoned.

    running → running   answered: the question that is put, once, in order
    running → done      the last answer; the score is fixed
    running → abandoned by the person, or when its time is over

An ended sitting never changes. Every change gives a new sitting of the next version; the one before stays as it was.
Times are ms since the epoch and come from outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from alerts.tabletop.fitting import Fitted, Option, Table
from alerts.tabletop.rules import TrainingRules
from alerts.tabletop.scoring import scored
from models.errors import IncidentError, RefusedError

State = Literal["running", "done", "abandoned"]
MOST_NAME = 64


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """chosen: ids of options, none: "I do not know". ms: from the question to the answer. points: 0 to 1."""

    question: str
    chosen: list[str]
    at: int
    ms: int
    points: float
    late: bool = False
    critical: bool = False


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring. asked_at: when the question that is put was put. plan: id and version.

    score: 0 to 1, once it is done. expires_on: day (YYYY-MM-DD) until which a passed one counts.
    """

    id: str
    version: int
    exercise: str
    exercise_digest: str
    plan: str
    plan_digest: str
    person: str
    role: str
    started_at: int
    asked_at: int
    state: State = "running"
    answers: list[Answer] = []
    ended_at: int | None = None
    score: float | None = None
    passed: bool = False
    expires_on: str = ""


def begun(table: Table, person: str, role: str, now: int) -> Sitting:
    """A new sitting. Raises IncidentError for what is no name."""
    if not 0 < len(person) <= MOST_NAME or not person.isprintable():
        raise IncidentError(
            f"a name is one line of 1 to {MOST_NAME} characters, not {person!r:.80}",
            zh=f"姓名须为一行，1 至 {MOST_NAME} 个字符",
        )
    seed = f"{table.exercise.id}\x1f{person}\x1f{now}"
    return Sitting(
        id="tt_" + hashlib.sha256(seed.encode()).hexdigest()[:16], version=1, exercise=table.exercise.id,
        exercise_digest=table.exercise.digest, plan=f"{table.plan.id} {table.plan.version}",
        plan_digest=table.plan.digest, person=person, role=role, started_at=now, asked_at=now,
    )  # fmt: skip


def put(sitting: Sitting, table: Table) -> Fitted | None:
    """The question that is put; None once it has ended. IncidentError when the exercise or its plan has changed since."""
    if (sitting.exercise_digest, sitting.plan_digest) != (table.exercise.digest, table.plan.digest):
        raise IncidentError(
            f"the exercise {sitting.exercise} or its plan was changed since this sitting began: begin again",
            zh=f"推演 {sitting.exercise} 或其预案在开始后已变更：请重新开始",
        )
    return table.questions[len(sitting.answers)] if sitting.state == "running" else None


def shuffled(sitting: Sitting, question: Fitted) -> list[Option]:
    """The options in an order of this sitting's own, the same each time, so that places are not learnt by heart."""
    return sorted(
        question.options,
        key=lambda one: hashlib.sha256(
            f"{sitting.id}\x1f{question.question.id}\x1f{one.id}".encode()
        ).digest(),
    )


def answered(
    sitting: Sitting, table: Table, rules: TrainingRules, question: str, chosen: Sequence[str], person: str, now: int
) -> Sitting:  # fmt: skip
    """The sitting with an answer to the question that is put.

    Raises RefusedError for another person, IncidentError for an ended or lapsed sitting, another question, or options
    that are not among its own.
    """
    _of(sitting, person)
    asked = _open(sitting, table, rules, now)
    if question != asked.question.id:
        raise IncidentError(
            f"the question {question!r} is not put now: it is {asked.question.id!r}",
            zh=f"当前不是问题 {question!r}，而是 {asked.question.id!r}",
        )
    picked = list(dict.fromkeys(chosen))
    known = {option.id: option for option in asked.options}
    strange = [id_ for id_ in picked if id_ not in known]
    if strange:
        raise IncidentError(
            f"question {question}: {strange[0]!r:.80} is not among its options",
            zh=f"问题 {question}：{strange[0]!r:.80} 不是其选项",
        )
    if len(picked) > 1 and not asked.many:
        raise IncidentError(f"question {question}: choose one option", zh=f"问题 {question}：请只选一项")
    took = max(now - sitting.asked_at, 0)
    late = took > asked.question.seconds * 1000
    points = scored(asked, picked) * (rules.late_factor if late else 1.0)
    answer = Answer(
        question=question, chosen=picked, at=now, ms=took, points=points, late=late,
        critical=any(known[id_].critical for id_ in picked),
    )  # fmt: skip
    after = msgspec.structs.replace(
        sitting, version=sitting.version + 1, answers=[*sitting.answers, answer], asked_at=now
    )
    return after if len(after.answers) < len(table.questions) else _done(after, rules, now)


def abandoned(sitting: Sitting, person: str, now: int) -> Sitting:
    """The sitting, given up. Raises RefusedError for another person, IncidentError for one that has ended."""
    _of(sitting, person)
    if sitting.state != "running":
        raise IncidentError(
            f"the sitting {sitting.id} has ended: it is {sitting.state}",
            zh=f"推演 {sitting.id} 已结束：{sitting.state}",
        )
    return msgspec.structs.replace(sitting, version=sitting.version + 1, state="abandoned", ended_at=now)


def lapsed(sitting: Sitting, rules: TrainingRules, now: int) -> bool:
    """True for one that nobody finished in time."""
    return sitting.state == "running" and now - sitting.started_at > rules.lapses_after_min * 60_000


def _done(sitting: Sitting, rules: TrainingRules, now: int) -> Sitting:
    score = sum(answer.points for answer in sitting.answers) / len(sitting.answers)
    passed = score >= rules.pass_mark and not any(answer.critical for answer in sitting.answers)
    return msgspec.structs.replace(
        sitting, state="done", ended_at=now, score=round(score, 4), passed=passed,
        expires_on=rules.expires_on(now) if passed else "",
    )  # fmt: skip


def _open(sitting: Sitting, table: Table, rules: TrainingRules, now: int) -> Fitted:
    asked = put(sitting, table)
    if asked is None:
        raise IncidentError(
            f"the sitting {sitting.id} has ended: it is {sitting.state}",
            zh=f"推演 {sitting.id} 已结束：{sitting.state}",
        )
    if lapsed(sitting, rules, now):
        raise IncidentError(
            f"the sitting {sitting.id} began more than {rules.lapses_after_min} minutes ago: begin again",
            zh=f"推演 {sitting.id} 开始已超过 {rules.lapses_after_min} 分钟：请重新开始",
        )
    return asked


def _of(sitting: Sitting, person: str) -> None:
    if person != sitting.person:
        raise RefusedError(
            f"the sitting {sitting.id} is {sitting.person}'s: nobody answers for another",
            zh=f"推演 {sitting.id} 属于 {sitting.person}：不能代他人作答",
        )
