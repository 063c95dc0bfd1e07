"""`tidegate drill tabletop` and `training`: take an exercise at the terminal, or from a file; who is trained in what."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from alerts.emergency.words import WORDS
from alerts.tabletop.core import Tabletop
from alerts.tabletop.debrief import debriefed
from alerts.tabletop.exercise import load_exercises
from alerts.tabletop.fitting import Fitted, Option, Table
from alerts.tabletop.sitting import Sitting, put, shuffled
from dataflow.commands import options, showing
from dataflow.store_access import opened
from models.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataflow.settings import Settings

Answers = Callable[[Fitted, list[Option]], list[str]]


def tabletop(args: argparse.Namespace, settings: Settings) -> int:
    """List the exercises, or take the one that is named: 1 when it was not passed."""
    with _training(settings) as training:
        if not args.name:
            return _listed(training, args)
        actor, role = options.who_of(args, settings)
        language = settings.console.language
        given = None if args.answers is None else _read(args)
        table = training.table(args.name, _now())
        one = training.begin(args.name, actor, role, _now())
        if given is not None and one.answers:
            raise SettingsError(
                f"{actor} has begun {args.name} elsewhere: finish it there, or take it without --answers"
            )
        how = _asked(language) if given is None else _given(given)
        scene = -1
        while (question := put(one, table)) is not None:
            if given is None and question.scene != scene:
                scene = question.scene
                _scene(table, scene, language)
            one = training.answer(
                one.id, question.question.id, how(question, shuffled(one, question)), actor, role, _now()
            )
        return _ended(one, table, args, language)


def trained(args: argparse.Namespace, settings: Settings) -> int:
    """Who is current, expiring, outdated, lapsed, or has failed."""
    with _training(settings) as training:
        found = training.standings(_now())
    if args.json:
        showing.show({"training": msgspec.to_builtins(found)}, "", as_json=True)
        return 0
    for one in found:
        until = f"until {one.expires_on} ({one.days} d)" if one.expires_on else "not passed"
        print(
            f"{one.state} {one.person} {one.exercise}: {one.score:.0%}, {until}, {one.tries} tries, plan {one.plan}"
        )
    if not found:
        print("nobody has finished an exercise yet: `tidegate drill tabletop` lists them")
    return 0


@contextmanager
def _training(settings: Settings) -> Iterator[Tabletop]:
    exercises = load_exercises(settings.emergency.folder)
    with opened(settings) as store:
        yield Tabletop(store, exercises, settings.emergency.book())


def _listed(training: Tabletop, args: argparse.Namespace) -> int:
    rows = []
    for one in training.exercises.values():
        try:
            training.table(one.id, _now())
            wrong = ""
        except PlanError as error:
            wrong = str(error)
        rows.append(
            {
                "id": one.id, "plan": one.plan, "version": one.version, "title_en": one.title.en,
                "title_zh": one.title.zh, "questions": len(list(one.questions())), "wrong": wrong,
            }
        )  # fmt: skip
    if args.json:
        showing.show({"exercises": rows}, "", as_json=True)
        return 0
    for row in rows:
        state = f"does not fit: {row['wrong']}" if row["wrong"] else f"{row['questions']} questions"
        print(
            f"{row['id']} {row['version']} (plan {row['plan']}): {row['title_en']} / {row['title_zh']}, {state}"
        )
    return 0


def _read(args: argparse.Namespace) -> dict[str, list[str]]:
    try:
        return msgspec.json.decode(args.answers.read_bytes(), type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise SettingsError(f"{args.answers}: {error}; it is JSON: question → list of options") from None


def _given(answers: dict[str, list[str]]) -> Answers:
    return lambda question, _: answers.get(question.question.id, [])


def _asked(language: str) -> Answers:
    """By numbers at the terminal; an empty line is "I do not know"."""

    def ask(question: Fitted, order: list[Option]) -> list[str]:
        many = " (several: 1,3)" if question.many else ""
        print(f"\n{question.question.ask.in_(language)}{many} [{question.question.seconds} s]")
        for number, option in enumerate(order, 1):
            print(f"  {number}  {option.text.in_(language)}")
        while True:
            print("> ", end="", flush=True)
            line = sys.stdin.readline()
            if not line:
                raise SettingsError("the answers end here: take it at a terminal, or give --answers FILE")
            words = [word for word in line.replace(",", " ").split() if word]
            try:
                picked = [order[int(word) - 1].id for word in words if int(word) > 0]
                if len(picked) == len(words) and (question.many or len(picked) < 2):
                    return picked
            except (ValueError, IndexError):
                pass
            print(f"give {'numbers' if question.many else 'one number'} from 1 to {len(order)}")

    return ask


def _scene(table: Table, number: int, language: str) -> None:
    exercise = table.exercise
    if number == 0:
        seat = WORDS[exercise.seat].in_(language)
        print(f"{exercise.title.in_(language)} ({seat})\n{exercise.briefing.in_(language)}")
    scene = exercise.scene[number]
    print(f"\n[+{scene.at_min} min] {scene.sees.in_(language)}")


def _ended(one: Sitting, table: Table, args: argparse.Namespace, language: str) -> int:
    lines = debriefed(one, table)
    told = {
        "sitting": one.id, "exercise": one.exercise, "person": one.person, "score": one.score, "passed": one.passed,
        "expires_on": one.expires_on, "plan": one.plan, "answers": msgspec.to_builtins(one.answers),
    }  # fmt: skip
    if args.json:
        showing.show(told, "", as_json=True)
        return 0 if one.passed else 1
    for line in lines:
        mark = "✓" if line.answer.points == 1.0 else "◐" if line.answer.points else "✕"
        late = " (late)" if line.answer.late else ""
        print(f"\n{mark} {line.question.question.ask.in_(language)}{late}")
        for option in line.chosen:
            print(
                f"  - {option.text.in_(language)}" + (f": {option.why.in_(language)}" if option.why else "")
            )
        if line.answer.points < 1.0:
            print("  → " + "; ".join(option.text.in_(language) for option in line.right))
        print(f"  {line.question.question.why.in_(language)}")
    state = f"passed, until {one.expires_on}" if one.passed else "not passed"
    print(f"\n{one.exercise}: {one.score:.0%}, {state}")
    return 0 if one.passed else 1


def _now() -> int:
    return time.time_ns() // 1_000_000
