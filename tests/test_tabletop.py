"""Training at the table: exercises fit their plans, the state machine keeps its rules, scores and expiry are right."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.emergency.plan import load_plan
from alerts.emergency.plan_book import Book, shipped_book
from alerts.emergency.settings import SHIPPED as PLANS
from alerts.tabletop.exercise import SHIPPED, load_exercises
from alerts.tabletop.fitting import Table, fitted
from alerts.tabletop.rules import TrainingRules, training_rules
from alerts.tabletop.sitting import Sitting, abandoned, answered, begun, lapsed, put, shuffled
from alerts.tabletop.standing import standings
from models.errors import IncidentError, PlanError, RefusedError

BOOK, RULES = shipped_book(), training_rules()
DAY = dt.date(2026, 11, 25)
T0 = int(dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC).timestamp() * 1000)
EXERCISES = load_exercises()
TABLES = {id_: fitted(one, BOOK, DAY) for id_, one in EXERCISES.items()}
DAY_MS = 86_400_000


def played(table: Table, person: str = "lin", at: int = T0, wrong: int = 0, seconds: float = 5.0) -> Sitting:
    """A whole sitting; the first `wrong` questions are answered "I do not know"."""
    one = begun(table, person, "senior", at)
    for number, question in enumerate(table.questions):
        at += int(seconds * 1000)
        chosen = [] if number < wrong else question.right
        one = answered(one, table, RULES, question.question.id, chosen, person, at)
    return one


@pytest.mark.parametrize("id_", EXERCISES)
def test_every_exercise_fits_its_plan_and_can_be_passed(id_: str) -> None:
    table = TABLES[id_]
    assert len(table.questions) >= 6
    assert {"step", "preset", "contact", "within"} <= {one.question.asks for one in table.questions}
    assert any(option.critical for one in table.questions for option in one.options)
    done = played(table)
    assert (done.state, done.score, done.passed, done.expires_on) == ("done", 1.0, True, "2027-11-25")
    assert all(one.question.asks != "deadline" or one.question.facts for one in table.questions)


def test_there_are_enough_and_each_plan_of_a_gallery_is_trained() -> None:
    assert {"card_testing", "data_leak", "account_takeover", "partner_compromise"} <= {
        one.plan for one in EXERCISES.values()
    }


picks = st.lists(st.integers(0, 9), max_size=4)
moves = st.lists(
    st.tuples(
        st.sampled_from(
            ["answer", "answer", "answer", "answer", "other question", "other person", "abandon"]
        ),
        picks,
        st.integers(0, 400_000),
    ),
    max_size=16,
)


@settings(max_examples=150, deadline=None)
@given(id_=st.sampled_from(sorted(TABLES)), steps=moves)
def test_the_state_machine_keeps_its_rules(id_: str, steps: list[tuple[str, list[int], int]]) -> None:
    table, at = TABLES[id_], T0
    one = begun(table, "lin", "senior", at)
    for move, numbers, later in steps:
        at += later
        before = msgspec.msgpack.encode(one)
        asked = put(one, table)
        ended = one.state != "running"
        assert (asked is None) == ended
        question = table.questions[0] if asked is None else asked
        chosen = [question.options[n % len(question.options)].id for n in numbers]
        chosen = chosen if question.many else chosen[:1]
        try:
            if move == "abandon":
                after = abandoned(one, "lin", at)
            else:
                wrong = move == "other question"
                person = "mei" if move == "other person" else "lin"
                name = "none" if wrong else question.question.id
                after = answered(one, table, RULES, name, chosen, person, at)
        except (IncidentError, RefusedError):
            assert ended or move in ("other question", "other person") or lapsed(one, RULES, at)
            assert msgspec.msgpack.encode(one) == before
            continue
        assert not ended, "an ended sitting never changes"
        assert move in ("answer", "abandon")
        assert msgspec.msgpack.encode(one) == before, "the one before stays as it was"
        assert after.version == one.version + 1
        assert after.answers[: len(one.answers)] == one.answers
        assert len(after.answers) - len(one.answers) == (move == "answer")
        assert (after.state == "done") == (len(after.answers) == len(table.questions))
        for answer in after.answers:
            assert 0.0 <= answer.points <= 1.0
            assert not answer.late or answer.points <= RULES.late_factor
        if after.state == "done":
            assert after.score is not None
            assert 0.0 <= after.score <= 1.0
            critical = any(answer.critical for answer in after.answers)
            assert after.passed == (after.score >= RULES.pass_mark and not critical)
            assert bool(after.expires_on) == after.passed
        else:
            assert after.score is None
            assert not after.passed
        one = after


@given(id_=st.sampled_from(sorted(TABLES)), now=st.integers(0, 10**12))
def test_options_stand_in_an_order_of_each_sitting_the_same_each_time(id_: str, now: int) -> None:
    table = TABLES[id_]
    one = begun(table, "lin", "senior", now)
    for question in table.questions:
        order = shuffled(one, question)
        assert sorted(option.id for option in order) == sorted(option.id for option in question.options)
        assert order == shuffled(one, question)


def test_late_answers_count_half_and_choosing_everything_gains_nothing() -> None:
    table = TABLES["data_leak"]
    slow = played(table, seconds=1000)
    assert (slow.score, slow.passed) == (RULES.late_factor, False)
    clocks = next(one for one in table.questions if one.question.id == "clocks")
    one = begun(table, "lin", "senior", T0)
    for question in table.questions[: table.questions.index(clocks)]:
        one = answered(one, table, RULES, question.question.id, [], "lin", T0 + 1)
    every = answered(one, table, RULES, "clocks", [option.id for option in clocks.options], "lin", T0 + 2)
    some = answered(one, table, RULES, "clocks", clocks.right[:1], "lin", T0 + 2)
    assert every.answers[-1].points == (4 - 2) / 4
    assert some.answers[-1].points == 1 / 4


def test_one_critical_mistake_fails_whatever_else_is_known() -> None:
    table = TABLES["data_leak"]
    one, first = begun(table, "lin", "senior", T0), table.questions[0]
    one = answered(one, table, RULES, first.question.id, ["wait_until_sure"], "lin", T0 + 1)
    for question in table.questions[1:]:
        one = answered(one, table, RULES, question.question.id, question.right, "lin", T0 + 2)
    assert one.score is not None
    assert one.score >= RULES.pass_mark
    assert (one.passed, one.expires_on) == (False, "")


def test_what_is_refused_says_why() -> None:
    table = TABLES["card_testing"]
    one = begun(table, "lin", "senior", T0)
    with pytest.raises(IncidentError, match="choose one option"):
        answered(one, table, RULES, "first", ["1", "4"], "lin", T0)
    with pytest.raises(IncidentError, match="'9' is not among its options"):
        answered(one, table, RULES, "first", ["9"], "lin", T0)
    with pytest.raises(RefusedError, match="is lin's: nobody answers for another"):
        answered(one, table, RULES, "first", ["1"], "mei", T0)
    with pytest.raises(IncidentError, match="more than 240 minutes ago"):
        answered(one, table, RULES, "first", ["1"], "lin", T0 + 241 * 60_000)
    with pytest.raises(IncidentError, match="a name is one line"):
        begun(table, "a\nb", "senior", T0)
    other = msgspec.structs.replace(table, plan=msgspec.structs.replace(table.plan, source="another"))
    with pytest.raises(IncidentError, match="was changed since this sitting began"):
        put(one, other)


def changed(book: Book, id_: str, old: str, new: str) -> Book:
    """A book whose plan says something else."""
    text = (PLANS / f"{id_}.toml").read_text("utf-8")
    assert old in text
    plan = load_plan(text.replace(old, new), "changed.toml")
    return msgspec.structs.replace(book, plans={**book.plans, id_: [plan]})


def test_the_plan_says_what_is_right_and_an_exercise_it_no_longer_fits_is_refused() -> None:
    told = 'within = {}, text = {{ en = "Tell the acquirer'
    sooner = changed(BOOK, "card_testing", told.format(60), told.format(15))
    table = fitted(EXERCISES["card_testing"], sooner, DAY)
    assert next(one.right for one in table.questions if one.question.id == "tell_by") == ["15"]
    never = changed(BOOK, "card_testing", told.format(60), told.format(7))
    with pytest.raises(PlanError, match=r"question tell_by: .* has 0 right options of 4: mend the exercise"):
        fitted(EXERCISES["card_testing"], never, DAY)
    renamed = changed(BOOK, "card_testing", 'id = "challenge_bin"', 'id = "challenge_issuer"')
    with pytest.raises(PlanError, match=r"plan card_testing 1\.0 has no preset 'challenge_bin'"):
        fitted(EXERCISES["card_testing"], renamed, DAY)
    early = fitted(EXERCISES["card_testing"], BOOK, dt.date(2026, 1, 1))
    assert early.plan.version == "1.0", "people are trained before a plan comes into effect"
    none = msgspec.structs.replace(BOOK, plans={})
    with pytest.raises(PlanError, match="there is no plan 'card_testing'"):
        fitted(EXERCISES["card_testing"], none, DAY)


def test_an_installation_brings_exercises_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "tabletop")
    own = tmp_path / "tabletop" / "card_testing.toml"
    own.write_text(own.read_text("utf-8").replace("Four hundred cards", "Nine hundred cards"), "utf-8")
    found = load_exercises(tmp_path)
    assert found["card_testing"].title.en.startswith("Nine hundred")
    own.write_text(own.read_text("utf-8").replace("seconds = 90", "seconds = 1"), "utf-8")
    with pytest.raises(PlanError, match=r"card_testing\.toml:\d+:\d+: .*>= 10"):
        load_exercises(tmp_path)


@pytest.mark.parametrize(
    ("passed", "until"),
    [
        ("2026-11-25", "2027-11-25"), ("2028-02-29", "2029-02-28"), ("2027-12-31", "2028-12-31"),
        ("2027-01-01", "2028-01-01"),
    ],
)  # fmt: skip
def test_a_training_counts_for_twelve_months(passed: str, until: str) -> None:
    at = int(dt.datetime.fromisoformat(f"{passed}T23:00:00+00:00").timestamp() * 1000)
    assert RULES.expires_on(at) == until
    short = msgspec.structs.replace(RULES, valid_months=1)
    assert TrainingRules.expires_on(
        short, int(dt.datetime(2027, 1, 31, tzinfo=dt.UTC).timestamp() * 1000)
    ) == ("2027-02-28")


def test_who_is_current_expiring_outdated_lapsed_or_has_failed() -> None:
    table, leak = TABLES["card_testing"], TABLES["data_leak"]
    now = T0 + 400 * DAY_MS
    long_ago = played(table, "ana", T0)
    again = played(table, "ana", T0 + 380 * DAY_MS, wrong=7)
    soon, fresh = played(table, "bo", now - 340 * DAY_MS), played(table, "cem", now - DAY_MS)
    failed = played(leak, "cem", now - DAY_MS, wrong=7)
    retried = [played(leak, "dan", now - 2 * DAY_MS, wrong=7), played(leak, "dan", now - DAY_MS)]
    running = begun(leak, "eve", "senior", now)
    plans = {id_: one.plan.digest for id_, one in TABLES.items()}
    found = standings([long_ago, again, soon, fresh, failed, *retried, running], plans, RULES, now)
    assert [(one.person, one.exercise, one.state, one.tries) for one in found] == [
        ("ana", "card_testing", "lapsed", 2), ("cem", "data_leak", "failed", 1),
        ("bo", "card_testing", "expiring", 1), ("cem", "card_testing", "current", 1), ("dan", "data_leak", "current", 2),
    ]  # fmt: skip
    assert found[0].days < 0 < found[2].days <= RULES.warn_days
    newer = standings([fresh], {**plans, "card_testing": "another"}, RULES, now)
    assert newer[0].state == "outdated"
    assert standings([fresh], {}, RULES, now)[0].state == "current"
