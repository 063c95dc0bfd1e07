"""Trees → text, and trees brought to one form.

`to_text` writes a tree so that parsing gives the same tree again. `canonical` puts what means the same into
the same form (order of `and`/`or`, doubled `not`, a literal on the right), so that two rules share one
window.
"""

from __future__ import annotations

from dataclasses import replace

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
    Text,
    Velocity,
)

# Binding strength, weakest first; an operand weaker than its place needs parentheses.
_OR, _AND, _NOT, _RELATION, _SUM, _PRODUCT, _SIGNED, _ATOM = range(8)
MIRRORED: dict[Ordering, Ordering] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def number_text(value: float) -> str:
    """A number as people write it: 5 instead of 5.0."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def to_text(node: Expr) -> str:
    """The node in the rule language."""
    return _written(node)[0]


def _written(node: Expr) -> tuple[str, int]:
    match node:
        case Number(value):
            return number_text(value), _SIGNED if value < 0 else _ATOM
        case Text(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"', _ATOM
        case Name(name):
            return name, _ATOM
        case Negate(item):
            return f"-{_at_least(item, _SIGNED)}", _SIGNED
        case Arithmetic(sign, left, right):
            level = _SUM if sign in "+-" else _PRODUCT
            return f"{_at_least(left, level)} {sign} {_at_least(right, level + 1)}", level
        case Call(function, arguments):
            return f"{function}({', '.join(map(to_text, arguments))})", _ATOM
        case Velocity():
            return _velocity(node), _ATOM
        case Compare(ordering, left, right):
            return f"{_at_least(left, _SUM)} {ordering} {_at_least(right, _SUM)}", _RELATION
        case Among(item, choices):
            return f"{_at_least(item, _SUM)} in ({', '.join(map(to_text, choices))})", _RELATION
        case Missing(item):
            return f"{_at_least(item, _SUM)} is missing", _RELATION
        case Not(Among() | Missing() as item):
            word = "not in" if isinstance(item, Among) else "is not missing"
            plain = "in" if isinstance(item, Among) else "is missing"
            subject = _at_least(item.item, _SUM)
            rest = to_text(item)[len(subject) + 1 + len(plain) :]
            return f"{subject} {word}{rest}", _RELATION
        case Not(item):
            return f"not {_at_least(item, _NOT)}", _NOT
        case And(items):
            return " and ".join(_at_least(item, _NOT) for item in items), _AND
        case Or(items):
            return " or ".join(_at_least(item, _AND) for item in items), _OR


def _at_least(node: Expr, level: int) -> str:
    text, own = _written(node)
    return text if own >= level else f"({text})"


def _velocity(node: Velocity) -> str:
    parts = [node.agg.name]
    if node.column is not None:
        parts.append(node.column.name)
    parts += [f"by={node.by.name}", f"window={to_text(node.window)}"]
    if node.tz is not None:
        parts.append(f"tz={to_text(node.tz)}")
    if node.where is not None:
        parts.append(f"where={to_text(node.where)}")
    return f"velocity({', '.join(parts)})"


def canonical(node: Expr) -> Expr:
    """The node in the one form that all spellings of it share as far as order and doubling go."""
    match node:
        case And(items) | Or(items):
            return _series(type(node), items)
        case Not(item):
            # The inside may turn into a `not` only now: `not (not a and not a)` means a.
            inside = canonical(item)
            return inside.item if isinstance(inside, Not) else Not(inside)
        case Missing(item) | Negate(item):
            return type(node)(canonical(item))
        case Compare(ordering, left, right):
            if isinstance(left, (Number, Text)) and not isinstance(right, (Number, Text)):
                ordering, left, right = MIRRORED[ordering], right, left
            return Compare(ordering, canonical(left), canonical(right))
        case Among(item, choices):
            unique = tuple(sorted(set(choices), key=to_text))
            if len(unique) == 1:
                return Compare("==", canonical(item), unique[0])
            return Among(canonical(item), unique)
        case Arithmetic(sign, left, right):
            return Arithmetic(sign, canonical(left), canonical(right))
        case Call(function, arguments):
            return Call(function, tuple(map(canonical, arguments)))
        case Velocity(where=where) if where is not None:
            return replace(node, where=canonical(where), at=0)
    return replace(node, at=0)


def _series(kind: type[And] | type[Or], items: tuple[Expr, ...]) -> Expr:
    flat: set[Expr] = set()
    for item in map(canonical, items):
        flat.update(item.items if isinstance(item, kind) else (item,))
    ordered = tuple(sorted(flat, key=to_text))
    return ordered[0] if len(ordered) == 1 else kind(ordered)
