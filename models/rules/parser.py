"""Tokens → tree, by recursive descent.

rule        := action "if" either
either      := both ("or" both)*
both        := denial ("and" denial)*
denial      := "not" denial | relation
relation    := sum [ordering sum | ["not"] "in" "(" literal ("," literal)* ")" | "is" ["not"] "missing"]
sum         := product (("+" | "-") product)*
product     := signed (("*" | "/") signed)*
signed      := "-" signed | atom
atom        := number | text | column | function "(" either ("," either)* ")" | velocity | "(" either ")"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, cast

from models.errors import RuleError
from models.rules.lexer import Token, tokens
from models.rules.origin import Origin, did_you_mean
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
    Ordering,
    RuleText,
    Sign,
    Text,
    Velocity,
    depth,
)

RULE_ACTIONS = ("step_up", "hold", "decline", "freeze")
FUNCTIONS = ("abs", "min", "max", "coalesce")
MAX_DEPTH = 40
_ORDERINGS = ("<", "<=", ">", ">=", "==", "!=")
_ALONE = {"=": "==", "&&": "and", "||": "or"}


def parse_rule(text: str, origin: Origin | None = None) -> RuleText:
    """The tree of `action if condition`. Raises RuleError with the place."""
    parser = _Parser(text, origin)
    rule = parser.rule()
    parser.finish()
    parser.bound(rule.condition)
    return rule


def parse_expression(text: str, origin: Origin | None = None) -> Expr:
    """The tree of an expression alone. Raises RuleError with the place."""
    parser = _Parser(text, origin)
    node = parser.either()
    parser.finish()
    parser.bound(node)
    return node


class _Parser:
    def __init__(self, text: str, origin: Origin | None) -> None:
        self.origin = origin or Origin("<rule>", text)
        self.tokens = tokens(text, self.origin)
        self.next = 0
        self.nested = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.next]

    def error(self, message: str) -> RuleError:
        return self.origin.error(self.here.at, message)

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise self.error(message) if at is None else self.origin.error(at, message)

    def found(self) -> str:
        here = self.here
        return "the end of the rule" if here.kind == "end" else repr(here.text)

    def take(self, *texts: str) -> Token | None:
        here = self.here
        if here.kind in ("sign", "keyword") and here.text in texts:
            self.next += 1
            return here
        return None

    def expect(self, text: str, why: str) -> Token:
        token = self.take(text)
        if token is None:
            self.fail(f"expected {text!r} {why}, found {self.found()}")
        return token

    def finish(self) -> None:
        if self.here.kind == "end":
            return
        if self.here.text in _ORDERINGS:
            self.fail("comparisons cannot be chained; write 'a < b and b < c'")
        if self.here.text in _ALONE:
            self.fail(f"unexpected {self.found()}; write {_ALONE[self.here.text]!r} to compare")
        self.fail(f"unexpected {self.found()}; expected 'and', 'or' or the end of the rule")

    def bound(self, node: Expr) -> None:
        if depth(node) > MAX_DEPTH:
            self.fail(f"the rule is nested more than {MAX_DEPTH} levels deep; split it", at=0)

    def rule(self) -> RuleText:
        action = self.here
        if action.kind != "name" or action.text not in RULE_ACTIONS:
            if action.text == "approve":
                self.fail("a rule cannot approve: it only adds caution, and the strictest action wins")
            hint = did_you_mean(action.text, RULE_ACTIONS)
            self.fail(f"a rule starts with one of {', '.join(RULE_ACTIONS)}, found {self.found()}{hint}")
        self.next += 1
        self.expect("if", f"after {action.text!r}")
        return RuleText(action.text, self.either())

    def either(self) -> Expr:
        self.nested += 1
        if self.nested > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} levels of nesting; split the rule")
        node = self.series("or", self.both)
        self.nested -= 1
        return node

    def both(self) -> Expr:
        return self.series("and", self.denial)

    def series(self, word: str, part: Callable[[], Expr]) -> Expr:
        at = self.here.at
        items = [part()]
        while self.take(word):
            items.append(part())
        if len(items) == 1:
            return items[0]
        return Or(tuple(items), at) if word == "or" else And(tuple(items), at)

    def denial(self) -> Expr:
        # A loop instead of recursion: `not not not …` may be as long as the text allows.
        denials = []
        while token := self.take("not"):
            denials.append(token.at)
        node = self.relation()
        for at in reversed(denials):
            node = Not(node, at)
        return node

    def relation(self) -> Expr:
        left = self.sum()
        token = self.here
        if self.take(*_ORDERINGS):
            return Compare(cast(Ordering, token.text), left, self.sum(), token.at)
        if self.take("is"):
            denied = self.take("not")
            self.expect("missing", "after 'is'")
            return self.denied(Missing(left, token.at), denied)
        denied = self.take("not")
        if self.take("in"):
            return self.denied(Among(left, self.choices(), token.at), denied)
        if denied:
            self.fail(f"expected 'in' after 'not', found {self.found()}")
        return left

    def denied(self, node: Expr, denied: Token | None) -> Expr:
        return Not(node, denied.at) if denied else node

    def choices(self) -> tuple[Number | Text, ...]:
        self.expect("(", "after 'in'")
        found: list[Number | Text] = []
        while True:
            at = self.here.at
            node = self.signed()
            if not isinstance(node, (Number, Text)):
                self.fail("only numbers and quoted texts may stand in the list after 'in'", at)
            found.append(node)
            if not self.take(","):
                break
        self.expect(")", "to close the list")
        return tuple(found)

    def sum(self) -> Expr:
        return self.chain(("+", "-"), self.product)

    def product(self) -> Expr:
        return self.chain(("*", "/"), self.signed)

    def chain(self, signs: tuple[str, ...], part: Callable[[], Expr]) -> Expr:
        node = part()
        while token := self.take(*signs):
            node = Arithmetic(cast(Sign, token.text), node, part(), token.at)
        return node

    def signed(self) -> Expr:
        minuses = []
        while token := self.take("-"):
            minuses.append(token.at)
        node = self.atom()
        for at in reversed(minuses):
            node = Number(-node.value, at) if isinstance(node, Number) else Negate(node, at)
        return node

    def atom(self) -> Expr:
        token = self.here
        if token.kind == "number":
            self.next += 1
            return Number(token.number, token.at)
        if token.kind == "text":
            self.next += 1
            return Text(token.text, token.at)
        if token.kind == "name":
            self.next += 1
            return self.call(token) if self.take("(") else Name(token.text, token.at)
        if self.take("("):
            node = self.either()
            self.expect(")", "to close the parenthesis")
            return node
        raise self.error(f"expected a column, number, quoted text, function or '(', found {self.found()}")

    def call(self, name: Token) -> Expr:
        if name.text == "velocity":
            return self.velocity(name)
        if name.text not in FUNCTIONS:
            known = (*FUNCTIONS, "velocity")
            hint = did_you_mean(name.text, known) or f"; there are {', '.join(known)}"
            self.fail(f"unknown function {name.text!r}{hint}", name.at)
        arguments = [self.either()]
        while self.take(","):
            arguments.append(self.either())
        self.expect(")", f"to close {name.text}(")
        right = len(arguments) == 1 if name.text == "abs" else len(arguments) >= 2
        if name.text == "coalesce":
            right = len(arguments) == 2
        if not right:
            wanted = {"abs": "one argument", "coalesce": "two arguments"}
            many = wanted.get(name.text, "two or more arguments")
            self.fail(f"{name.text} takes {many}, not {len(arguments)}", name.at)
        return Call(name.text, tuple(arguments), name.at)

    def velocity(self, start: Token) -> Velocity:
        plain: list[Name] = []
        named: dict[str, Expr] = {}
        while True:
            key = self.here
            if key.kind != "name":
                self.fail(f"expected an argument of velocity, found {self.found()}")
            self.next += 1
            if not self.take("="):
                if named or len(plain) == 2:
                    self.fail("velocity takes (agg[, column], by=…, window=…[, tz=…][, where=…])", key.at)
                plain.append(Name(key.text, key.at))
            elif key.text not in ("by", "window", "tz", "where"):
                hint = did_you_mean(key.text, ("by", "window", "tz", "where"))
                self.fail(f"velocity has no argument {key.text!r}{hint}", key.at)
            elif key.text in named:
                self.fail(f"the argument {key.text!r} is given twice", key.at)
            else:
                named[key.text] = self.velocity_argument(key.text)
            if not self.take(","):
                break
        self.expect(")", "to close velocity(")
        for needed in ("by", "window"):
            if needed not in named:
                self.fail(f'velocity needs {needed}=, as in velocity(count, by=card, window="10m")', start.at)
        if not plain:
            self.fail("velocity needs what to compute first: count, sum, mean or distinct", start.at)
        column = plain[1] if len(plain) == 2 else None
        return Velocity(plain[0], column, at=start.at, **named)  # type: ignore[arg-type]

    def velocity_argument(self, key: str) -> Expr:
        if key == "where":
            return self.either()
        token = self.here
        self.next += 1
        if key == "by" and token.kind == "name":
            return Name(token.text, token.at)
        if key in ("window", "tz") and token.kind == "text":
            return Text(token.text, token.at)
        self.next -= 1
        wanted = "an entity" if key == "by" else "a quoted text"
        raise self.error(f"expected {wanted} after {key}=, found {self.found()}")
