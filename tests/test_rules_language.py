"""The rule language: texts and trees, places of errors, three-valued logic against a small reference."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.columns import Column, Interner, Kind
from models.errors import RuleError
from models.rules.canonical import canonical, to_text
from models.rules.check import Scope, check_condition
from models.rules.compile import compile_expression
from models.rules.origin import Origin
from models.rules.parser import parse_expression, parse_rule
from models.rules.syntax import (
    Among,
    And,
    Arithmetic,
    Call,
    Compare,
    Expr,
    Missing,
    Name,
    Negate,
    Not,
    Number,
    Or,
    Text,
    Velocity,
)
from models.rules.velocity import VelocitySpec, spec_of

SCOPE = Scope(features={"card_is_new": "flag", "amount_over_card_mean": "number"})
NUMBERS = ("amount_usd", "hour_local", "amount_over_card_mean", "risk")
FLAGS = ("declined", "cross_border", "card_is_new")
TEXTS = ("currency", "payer_country", "payee_country")
WORDS = ("CNY", "USD", "CN", "DE", 'a "b" \\ c')

# --- trees made at random ---

words = st.sampled_from(WORDS).map(Text)
values = st.one_of(
    st.integers(-20, 20).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0),
)
literals = values.map(Number)


def _numbers(flags: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    leaves = st.one_of(literals, st.sampled_from(NUMBERS).map(Name), flags)

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        not_literal = inner.filter(lambda node: not isinstance(node, Number))
        return st.one_of(
            st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner),
            st.builds(Negate, not_literal),
            st.builds(lambda x: Call("abs", (x,)), inner),
            st.builds(
                lambda f, x, y: Call(f, (x, y)), st.sampled_from(("min", "max", "coalesce")), inner, inner
            ),
        )

    return st.recursive(leaves, grow, max_leaves=4)


numbers = _numbers(st.sampled_from(FLAGS).map(Name))
text_columns = st.sampled_from(TEXTS).map(Name)
relations = st.one_of(
    st.builds(Compare, st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), numbers, numbers),
    st.builds(Compare, st.sampled_from(("==", "!=")), text_columns, st.one_of(words, text_columns)),
    st.builds(Compare, st.sampled_from(("==", "!=")), words, text_columns),
    st.builds(lambda x, c: Among(x, tuple(c)), text_columns, st.lists(words, min_size=1, max_size=4)),
    st.builds(lambda x, c: Among(x, tuple(c)), numbers, st.lists(literals, min_size=1, max_size=3)),
    st.builds(Missing, st.one_of(numbers, text_columns)),
    st.sampled_from(FLAGS).map(Name),
)


def _logic(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, several), st.builds(Or, several))


conditions = st.recursive(relations, _logic, max_leaves=6)
rows = st.fixed_dictionaries(
    {
        **{name: st.one_of(st.none(), values) for name in NUMBERS},
        **{name: st.sampled_from((None, True, False)) for name in FLAGS},
        **{name: st.sampled_from((None, *WORDS, "other")) for name in TEXTS},
    }
)

# --- the reference: one row, plain Python, None for what is not known ---

ORDER: dict[str, Any] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def say(node: Expr, row: dict[str, Any]) -> Any:
    match node:
        case Number(value) | Text(value):
            return value
        case Name(name):
            return row[name]
        case Negate(item):
            value = say(item, row)
            return None if value is None else -value
        case Arithmetic(sign, left, right):
            a, b = say(left, row), say(right, row)
            if a is None or b is None or (sign == "/" and b == 0):
                return None
            result = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[sign](
                float(a), float(b)
            )
            return None if math.isnan(result) else result
        case Call("coalesce", (first, second)):
            value = say(first, row)
            return say(second, row) if value is None else value
        case Call(function, arguments):
            found = [say(argument, row) for argument in arguments]
            return None if None in found else {"abs": abs, "min": min, "max": max}[function](*found)
        case Compare(ordering, left, right):
            a, b = say(left, row), say(right, row)
            return None if a is None or b is None else ORDER[ordering](a, b)
        case Among(item, choices):
            value = say(item, row)
            return None if value is None else value in [choice.value for choice in choices]
        case Missing(item):
            return say(item, row) is None
        case Not(item):
            value = say(item, row)
            return None if value is None else not value
        case And(items):
            found = [say(item, row) for item in items]
            return False if False in found else None if None in found else True
        case Or(items):
            found = [say(item, row) for item in items]
            return True if True in found else None if None in found else False
    raise AssertionError(node)


def columns_of(table: list[dict[str, Any]], interner: Interner) -> dict[str, Column]:
    nan = float("nan")
    columns: dict[str, Column] = {
        name: np.array([nan if row[name] is None else float(row[name]) for row in table])
        for name in (*NUMBERS, *FLAGS)
    }
    for name in TEXTS:
        columns[name] = interner.column([row[name] for row in table])
    return columns


@given(conditions, st.lists(rows, min_size=1, max_size=5))
@settings(max_examples=400, deadline=None)
def test_compiled_answers_equal_the_reference(node: Expr, table: list[dict[str, Any]]) -> None:
    interner = Interner()
    columns = columns_of(table, interner)
    compiled = compile_expression(node, interner, SCOPE)
    expected = [{True: 1, False: 0, None: -1}[say(node, row)] for row in table]
    answers = compiled.evaluate(columns, len(table))
    assert answers.dtype == np.int8
    assert answers.tolist() == expected
    assert [
        int(compiled.evaluate({k: v[i : i + 1] for k, v in columns.items()}, 1)[0]) for i in range(len(table))
    ] == expected


@given(conditions)
@settings(max_examples=300, deadline=None)
def test_a_written_tree_parses_to_itself(node: Expr) -> None:
    assert parse_expression(to_text(node)) == node


_TWICE = Not(Compare("==", Name("currency"), Name("currency")))


@given(conditions, rows)
@example(Not(And((_TWICE, _TWICE))), {"currency": "USD"})
@settings(max_examples=200, deadline=None)
def test_the_canonical_form_means_the_same_and_is_final(node: Expr, row: dict[str, Any]) -> None:
    form = canonical(node)
    assert say(form, row) == say(node, row)
    assert canonical(form) == form


def refusal(text: str) -> RuleError | None:
    """The error a text is refused with; any other exception fails the test."""
    try:
        check_condition(parse_rule(text).condition, SCOPE, Origin("<rule>", text))
    except RuleError as error:
        return error
    return None


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
@example("hold if " + "(" * 3000)
@example("hold if " + "not " * 900 + "declined")
@example("hold if " + "-" * 3000 + "1 > 2")
@example("hold if amount_usd" + " + 1" * 900 + " > 2")
@example("hold if " + "abs(" * 900)
@example("hold if 1e999 > 2")
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    refused = refusal(text)
    assert refused is None or str(refused).startswith("<rule>:")


PIECES = (
    *("hold", "if", "and", "or", "not", "in", "is", "missing", "(", ")", ",", "=", "==", "<", "-", "/", "5"),
    *("velocity", "count", "by=", "card", "window=", '"10m"', "where=", "declined", "amount_usd", "abs"),
    "currency",
)


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@settings(max_examples=400, deadline=None)
def test_any_words_of_the_language_are_a_rule_or_a_rule_error(pieces: list[str]) -> None:
    refused = refusal("hold if " + " ".join(pieces))
    assert refused is None or str(refused).startswith("<rule>:1:")


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("approve if declined", 1, "cannot approve"),
        ("hodl if declined", 1, "did you mean 'hold'"),
        ("hold when declined", 6, "expected 'if'"),
        ("hold if amount_usd = 5", 20, "write '=='"),
        ("hold if 1 < amount_usd < 5", 24, "cannot be chained"),
        ("hold if amount_usd > 5 declined", 24, "unexpected 'declined'"),
        ("hold if amount_us > 5", 9, "did you mean 'amount_usd'"),
        ("hold if amount_usd", 9, "needs a condition"),
        ("hold if amount_usd and declined", 9, "compare it"),
        ("hold if currency > \"CNY\"", 18, "texts have no order"),
        ("hold if currency == 5", 18, "cannot compare"),
        ("hold if currency in (5, \"CNY\")", 22, "is a text"),
        ("hold if currency + 1 > 2", 9, "a number is needed"),
        ("hold if sqrt(2) > 1", 9, "unknown function 'sqrt'"),
        ("hold if abs(1, 2) > 1", 9, "one argument"),
        ("hold if currency == \"CNY", 21, "no closing"),
        ("hold if amount_usd ≥ 5", 20, "write >="),
        ("hold if amount_usd > 5 and", 27, "the end of the rule"),
        ('hold if velocity(cuont, by=card, window="1h") > 5', 18, "did you mean 'count'"),
        ('hold if velocity(count, by=crd, window="1h") > 5', 28, "did you mean 'card'"),
        ('hold if velocity(count, by=card, window="1y") > 5', 41, "cannot read the window"),
        ('hold if velocity(count, by=card, window="401d") > 5', 41, "at most 400d"),
        ('hold if velocity(count, by=card, window="0m") > 5', 41, "longer than nothing"),
        ("hold if velocity(count, by=card) > 5", 9, "needs window="),
        ('hold if velocity(count, by=card, window="calendar day") > 5', 41, "time zone"),
        ('hold if velocity(count, by=card, window="calendar day", tz="UTCC") > 5', 60, "UTC"),
        ('hold if velocity(count, by=card, window="1h", tz="UTC") > 5', 50, "no time zone"),
        ('hold if velocity(sum, by=card, window="1h") > 5', 18, "needs a column"),
        ('hold if velocity(sum, currency, by=card, window="1h") > 5', 23, "needs a number"),
        ('hold if velocity(distinct, amount_usd, by=card, window="1h") > 5', 28, "cannot count"),
        ('hold if velocity(count, by=card, window="1h", where=risk > 1) > 5', 53, "of the transaction only"),
        ('hold if velocity(count, by=card, window="1h", wher=declined) > 5', 47, "did you mean 'where'"),
        ('hold if velocity(count, by=card, by=card, window="1h") > 5', 34, "given twice"),
    ],
)  # fmt: skip
def test_a_refusal_points_at_the_place_and_says_what_to_do(text: str, column: int, says: str) -> None:
    with pytest.raises(RuleError) as refused:
        check_condition(parse_rule(text).condition, SCOPE, Origin("<rule>", text))
    assert str(refused.value).startswith(f"<rule>:1:{column}: ")
    assert says in str(refused.value)


def spec(text: str) -> VelocitySpec:
    node = parse_expression(text)
    assert isinstance(node, Velocity)
    return spec_of(node)


def test_velocities_that_mean_the_same_are_one() -> None:
    plain = spec('velocity(count, by=card, window="10m", where=declined)')
    assert plain.column == "velocity(count,card,600000,declined)"
    assert spec('velocity(count, by=card, window="600s", where=not not declined)') == plain
    one = spec('velocity(count, by=card, window="1h", where=amount_usd < 5 and currency in ("B", "A"))')
    two = spec('velocity(count, by=card, window="60m", where=currency in ("A", "B", "A") and 5 > amount_usd)')
    assert one == two
    assert hash(one) == hash(two)
    assert one.column == two.column
    assert spec('velocity(count, by=device, window="10m", where=declined)') != plain


def test_a_calendar_velocity_carries_its_zone() -> None:
    year = spec('velocity(sum, amount_usd, by=customer, window="calendar year", tz="Asia/Shanghai")')
    assert (year.calendar, year.tz, year.field) == ("year", "Asia/Shanghai", "amount_usd")
    assert year.column == "velocity(sum,amount_usd,customer,calendar year,Asia/Shanghai)"


def test_missing_is_asked_for_and_never_guessed() -> None:
    interner = Interner()
    columns: dict[str, Column] = {
        "amount_usd": np.array([float("nan"), 3.0]),
        "currency": np.array([-1, interner.code("CNY")], dtype=np.int32),
    }

    def ask(text: str) -> list[int]:
        return compile_expression(parse_expression(text), interner).evaluate(columns, 2).tolist()

    assert ask("amount_usd < 5") == [-1, 1]
    assert ask("not amount_usd < 5") == [-1, 0]
    assert ask("amount_usd is missing") == [1, 0]
    assert ask('currency is not missing and currency != "USD"') == [0, 1]
    assert ask('currency not in ("USD", "EUR")') == [-1, 1]
    assert ask("coalesce(amount_usd, 0) < 1") == [1, 0]
    assert ask("amount_usd / 0 > 1") == [-1, -1]


def test_where_is_checked_when_it_is_compiled() -> None:
    for text in ("risk > 0.5", "amount_usd", 'velocity(count, by=card, window="1h") > 1'):
        with pytest.raises(RuleError):
            compile_expression(parse_expression(text), Interner())


KINDS: dict[str, Kind] = {"card_is_new": "flag"}


def test_a_flag_counts_as_one_or_nothing() -> None:
    node = parse_expression("declined + cross_border + card_is_new >= 2")
    columns: dict[str, Column] = {
        "declined": np.array([1.0, 1.0, 1.0]),
        "cross_border": np.array([1.0, 0.0, float("nan")]),
        "card_is_new": np.array([0.0, 0.0, 1.0]),
    }
    assert compile_expression(node, Interner(), Scope(KINDS)).evaluate(columns, 3).tolist() == [1, 0, -1]
