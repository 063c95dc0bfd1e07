"""Names and types: what a tree means, or why it means nothing.

Kinds are number, flag (true, false) and text. A flag may stand where a number is wanted (true 1, false 0);
a number is no flag, and a text is only compared for equality with texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.columns import ROW_COLUMNS, Kind
from models.rules.canonical import to_text
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
    Text,
    Velocity,
)
from models.rules.velocity import spec_of

RISK = "risk"


@dataclass(frozen=True)
class Scope:
    """The names an expression may use.

    features: the engine's catalogue, name → kind; None before it is known: then every name that is no column
    of the transaction passes as a number and is judged when the pack is compiled. inside_where: only the
    columns of the transaction count.
    """

    features: Mapping[str, Kind] | None = None
    inside_where: bool = False

    def kind(self, name: str) -> Kind | None:
        """The kind of column `name`, None when there is none."""
        kind = ROW_COLUMNS.get(name)
        if kind is not None or self.inside_where:
            return kind
        if name == RISK or self.features is None:
            return "number"
        return self.features.get(name)

    def names(self) -> list[str]:
        """Every name known here, for hints."""
        if self.inside_where:
            return list(ROW_COLUMNS)
        return list(dict.fromkeys((*ROW_COLUMNS, RISK, *(self.features or ()))))


def check_condition(node: Expr, scope: Scope, origin: Origin) -> None:
    """Raises RuleError unless `node` is a condition (a flag) over known names."""
    if (kind := kind_of(node, scope, origin)) != "flag":
        raise origin.error(_start(node), f"a rule needs a condition, {to_text(node)!r} is a {kind}")


def kind_of(node: Expr, scope: Scope, origin: Origin) -> Kind:
    """The kind of what `node` gives. Raises RuleError with the place of what does not fit."""
    match node:
        case Number():
            return "number"
        case Text():
            return "text"
        case Name(name):
            return _name(name, node.at, scope, origin)
        case Negate(item):
            return _number(item, scope, origin)
        case Arithmetic(_, left, right):
            _number(left, scope, origin)
            return _number(right, scope, origin)
        case Call(_, arguments):
            for argument in arguments:
                _number(argument, scope, origin)
            return "number"
        case Velocity():
            return _velocity(node, scope, origin)
        case Compare():
            return _compare(node, scope, origin)
        case Among(item, choices):
            kind = kind_of(item, scope, origin)
            for choice in choices:
                if (kind == "text") != isinstance(choice, Text):
                    message = f"{to_text(item)!r} is a {kind}, {to_text(choice)} is not"
                    raise origin.error(choice.at, message)
            return "flag"
        case Missing(item):
            kind_of(item, scope, origin)
            return "flag"
        case Not(item):
            return _flag(item, scope, origin)
        case And(items) | Or(items):
            for item in items:
                _flag(item, scope, origin)
            return "flag"


def _name(name: str, at: int, scope: Scope, origin: Origin) -> Kind:
    kind = scope.kind(name)
    if kind is not None:
        return kind
    hint = did_you_mean(name, scope.names())
    if scope.inside_where:
        raise origin.error(at, f"where= may use columns of the transaction only, {name!r} is none{hint}")
    raise origin.error(at, f"unknown name {name!r}{hint}")


def _number(node: Expr, scope: Scope, origin: Origin) -> Kind:
    if kind_of(node, scope, origin) == "text":
        raise origin.error(_start(node), f"a number is needed here, {to_text(node)} is a text")
    return "number"


def _flag(node: Expr, scope: Scope, origin: Origin) -> Kind:
    kind = kind_of(node, scope, origin)
    if kind != "flag":
        wanted = 'compare it, as in … == "x"' if kind == "text" else "compare it, as in … > 0"
        raise origin.error(_start(node), f"a condition is needed here, {to_text(node)} is a {kind}; {wanted}")
    return kind


def _compare(node: Compare, scope: Scope, origin: Origin) -> Kind:
    left, right = kind_of(node.left, scope, origin), kind_of(node.right, scope, origin)
    if (left == "text") != (right == "text"):
        raise origin.error(
            node.at, f"cannot compare {to_text(node.left)} ({left}) with {to_text(node.right)} ({right})"
        )
    if left == "text" and node.ordering not in ("==", "!="):
        raise origin.error(node.at, f"texts have no order; use == or != or in instead of {node.ordering}")
    return "flag"


def _velocity(node: Velocity, scope: Scope, origin: Origin) -> Kind:
    if scope.inside_where:
        raise origin.error(node.at, "a velocity cannot stand inside the where= of another")
    spec_of(node, origin)
    if node.where is not None:
        _flag(node.where, Scope(inside_where=True), origin)
    return "number"


def _start(node: Expr) -> int:
    """Position of the leftmost character of a node (operators point at themselves)."""
    match node:
        case Compare(left=left) | Arithmetic(left=left) | Among(item=left) | Missing(item=left):
            return _start(left)
    return node.at
