"""Trees → closures over numpy columns, in three-valued (Kleene) logic.

A condition is a pair of masks (true, false); a row in neither is "not assessed". Missing numbers are NaN and
compare as neither, so missing data spreads by itself. Sub-expressions that occur more than once are computed
once a batch, and `and` stops as soon as it is false on every row: most rules are false for a whole batch
after their first comparison.

Nothing here evaluates text: a tree turns into closures written in this file, and into nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.columns import Column, Interner
from models.rules.check import Scope, check_condition, kind_of
from models.rules.operations import (
    Frame,
    Logic,
    Mask,
    Run,
    all_of,
    any_of,
    arithmetic,
    as_number,
    call,
    column,
    equal,
    flag,
    listed,
    remembered,
    swapped,
    told,
)
from models.rules.origin import Origin
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
    walk,
)
from models.rules.velocity import spec_of

_ORDER: dict[str, Any] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Predicate:
    """A compiled condition."""

    run: Run
    shared: int

    def evaluate(self, columns: Mapping[str, Column], n: int) -> npt.NDArray[np.int8]:
        """int8[n]: 1 true, 0 false, -1 not assessed. KeyError when a column it needs is not there."""
        with np.errstate(all="ignore"):
            true, false = self.run(Frame(columns, self.shared))
        return np.broadcast_to(judged(true, false), (n,)).copy()

    def holds(self, columns: Mapping[str, Column]) -> Mask:
        """Where `evaluate` says 1; one answer where it is the same for all rows."""
        true: Mask = self.run(Frame(columns, self.shared))[0]
        return true


def judged(true: Mask, false: Mask) -> npt.NDArray[np.int8]:
    """1, 0 or -1 from the two masks, in one pass over any shape."""
    return 2 * true.astype(np.int8) + false.astype(np.int8) - np.int8(1)


def compile_expression(expr: Expr, interner: Interner, scope: Scope | None = None) -> Predicate:
    """A condition over the transaction's columns (or those of `scope`), checked and compiled.

    Texts in it get their codes from `interner`. Raises RuleError when it does not fit the columns.
    """
    scope = scope or Scope(inside_where=True)
    check_condition(expr, scope, Origin("<expression>", ""))
    compiler = Compiler(interner, scope, [expr])
    return Predicate(compiler.condition(expr), compiler.shared)


class Compiler:
    """Compiles the conditions of one pack; equal sub-expressions become one closure with one memory place."""

    def __init__(self, interner: Interner, scope: Scope, conditions: Iterable[Expr]) -> None:
        self.interner = interner
        self.scope = scope
        self.shared = 0
        self._uses = Counter(node for root in conditions for node in walk(root, into_velocity=False))
        self._done: dict[tuple[str, Expr], Run] = {}

    def condition(self, node: Expr) -> Run:
        """A closure Frame → (true mask, false mask)."""
        return self._once("condition", node, self._condition)

    def number(self, node: Expr) -> Run:
        """A closure Frame → float64 values, NaN where missing. Flags give 1 and 0."""
        return self._once("number", node, self._number)

    def codes(self, node: Expr) -> Run:
        """A closure Frame → int32 codes of a text, -1 where missing."""
        if isinstance(node, Text):
            code = np.array(self.interner.code(node.value), dtype=np.int32)
            return lambda _: code
        assert isinstance(node, Name)
        return column(node.name)

    def is_text(self, node: Expr) -> bool:
        """True when the node gives texts."""
        return self._kind(node) == "text"

    def _kind(self, node: Expr) -> str:
        return kind_of(node, self.scope, Origin("<expression>", ""))

    def _once(self, form: str, node: Expr, build: Callable[[Expr], Run]) -> Run:
        found = self._done.get((form, node))
        if found is None:
            found = build(node)
            if self._uses[node] > 1 and not isinstance(node, (Number, Text)):
                found = remembered(found, self.shared)
                self.shared += 1
            self._done[form, node] = found
        return found

    def _condition(self, node: Expr) -> Run:
        match node:
            case Compare():
                return self._compare(node)
            case Among(item, choices):
                if self.is_text(item):
                    return listed(self.codes(item), self._literals(choices))
                return any_of([self.condition(Compare("==", item, choice)) for choice in choices])
            case Missing(item):
                return self._missing(item)
            case Not(item):
                inner = self.condition(item)
                return lambda frame: swapped(*inner(frame))
            case And(items):
                return all_of([self.condition(item) for item in items])
            case Or(items):
                return any_of([self.condition(item) for item in items])
            case Name(name):
                values = column(name)
                return lambda frame: flag(values(frame))
        raise AssertionError(f"{node!r} is no condition; check_condition refuses it before")

    def _compare(self, node: Compare) -> Run:
        test, opposite = _ORDER[node.ordering], _ORDER[_OPPOSITE[node.ordering]]
        if not self.is_text(node.left):
            left, right = self.number(node.left), self.number(node.right)
            # Written as two comparisons, because x != c holds for NaN but x == c or x < c never do.
            if node.ordering in ("==", "!="):
                equal_first = node.ordering == "=="
                return lambda frame: equal(left(frame), right(frame), equal_first)

            def ordered(frame: Frame) -> Logic:
                a, b = left(frame), right(frame)
                return test(a, b), opposite(a, b)

            return ordered
        if isinstance(node.right, Text):
            chosen = listed(self.codes(node.left), self._literals((node.right,)))
            return chosen if node.ordering == "==" else lambda frame: swapped(*chosen(frame))
        left, right = self.codes(node.left), self.codes(node.right)

        def same(frame: Frame) -> Logic:
            a, b = left(frame), right(frame)
            present = (a >= 0) & (b >= 0)
            return test(a, b) & present, opposite(a, b) & present

        return same

    def _literals(self, choices: Iterable[Expr]) -> list[int]:
        return [self.interner.code(choice.value) for choice in choices if isinstance(choice, Text)]

    def _missing(self, item: Expr) -> Run:
        kind = self._kind(item)
        if kind == "text":
            codes = self.codes(item)
            return lambda frame: told(codes(frame) < 0)
        number = self.number(item)
        return lambda frame: told(np.isnan(number(frame)))

    def _number(self, node: Expr) -> Run:
        match node:
            case Number(value):
                constant = np.array(value)
                return lambda _: constant
            case Name(name):
                return column(name)
            case Velocity():
                return column(spec_of(node).column)
            case Negate(item):
                inner = self.number(item)
                return lambda frame: -inner(frame)
            case Arithmetic(sign, left, right):
                return arithmetic(sign, self.number(left), self.number(right))
            case Call(function, arguments):
                return call(function, [self.number(argument) for argument in arguments])
        truth = self.condition(node)
        return lambda frame: as_number(*truth(frame))
