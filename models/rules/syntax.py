"""The tree a rule's text becomes. Nodes are values: equal and hashable by meaning, wherever they stand.

`at` is the position of the node's first character (for a comparison: of its operator) and takes no part in
equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Ordering = Literal["<", "<=", ">", ">=", "==", "!="]
Sign = Literal["+", "-", "*", "/"]


@dataclass(frozen=True)
class Number:
    value: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Text:
    value: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Name:
    """A column: of the transaction, a feature, or `risk`."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Negate:
    item: Expr
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Arithmetic:
    sign: Sign
    left: Expr
    right: Expr
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Call:
    """abs, min, max or coalesce of numbers."""

    function: str
    arguments: tuple[Expr, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Velocity:
    """`velocity(agg, column, by=entity, window="…", tz="…", where=…)` as written; check.py judges it."""

    agg: Name
    column: Name | None
    by: Name
    window: Text
    tz: Text | None = None
    where: Expr | None = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Compare:
    ordering: Ordering
    left: Expr
    right: Expr
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Among:
    """`item in (…)`; the choices are literals of one kind."""

    item: Expr
    choices: tuple[Number | Text, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Missing:
    """`item is missing`: the one question that always has an answer."""

    item: Expr
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    item: Expr
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class And:
    items: tuple[Expr, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Or:
    items: tuple[Expr, ...]
    at: int = field(default=0, compare=False)


Expr = (
    Number | Text | Name | Negate | Arithmetic | Call | Velocity | Compare | Among | Missing | Not | And | Or
)


@dataclass(frozen=True)
class RuleText:
    """`action if condition`; the action as written, in lower case."""

    action: str
    condition: Expr


def children(node: Expr) -> tuple[Expr, ...]:
    """The operands of a node in reading order; a velocity's `where` counts, its other arguments do not."""
    match node:
        case Negate(item) | Missing(item) | Not(item) | Among(item):
            return (item,)
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Call(_, items) | And(items) | Or(items):
            return items
        case Velocity(where=where) if where is not None:
            return (where,)
    return ()


def walk(node: Expr, *, into_velocity: bool = True) -> Iterator[Expr]:
    """The node and everything below it, without recursion."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        if into_velocity or not isinstance(here, Velocity):
            stack.extend(reversed(children(here)))


def depth(node: Expr) -> int:
    """Levels of the tree, measured without recursion so that a hostile text cannot exhaust the stack."""
    deepest = 0
    stack = [(node, 1)]
    while stack:
        here, level = stack.pop()
        deepest = max(deepest, level)
        stack.extend((child, level + 1) for child in children(here))
    return deepest
