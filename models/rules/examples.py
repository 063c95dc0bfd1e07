"""The examples of a pack are its tests: hits must make their rule true, misses must not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.columns import ROW_COLUMNS, Column, Interner, Kind
from models.errors import RuleError
from models.rules.check import RISK, Scope
from models.rules.compile import compile_expression
from models.rules.origin import did_you_mean
from models.rules.parser import parse_expression
from models.rules.rule import Example, Pack, Rule
from models.rules.syntax import Name, Velocity, walk
from models.rules.velocity import spec_of

_SAID = {1: "is true", 0: "is false", -1: "cannot be assessed (a column it needs is missing)"}


def check_examples(pack: Pack, features: Mapping[str, Kind] | None = None) -> None:
    """Run every example of every rule. Raises RuleError at the first that does not come out as promised.

    A column that an example does not give is missing, velocities included.
    """
    for rule in pack.rules:
        for wanted, examples in ((True, rule.hits), (False, rule.misses)):
            for example in examples:
                answer = _answer(rule, example, Scope(features))
                if (answer == 1) != wanted:
                    kind = "hit" if wanted else "miss"
                    message = f"this {kind} of rule {rule.id} fails: on these values the rule {_SAID[answer]}"
                    raise rule.file.error(example.at, message)


def _answer(rule: Rule, example: Example, scope: Scope) -> int:
    velocities = {spec_of(node).column for node in walk(rule.condition) if isinstance(node, Velocity)}
    used = {node.name for node in walk(rule.condition) if isinstance(node, Name)}
    interner = Interner()
    columns: dict[str, Column] = {name: np.array([np.nan]) for name in velocities}
    for name in used | set(ROW_COLUMNS):
        text = scope.kind(name) == "text"
        columns[name] = np.array([-1], dtype=np.int32) if text else np.array([np.nan])
    for key, value in example.values.items():
        name = _named(key, rule, example, velocities, used, scope)
        kind: Kind = "number" if name in velocities else scope.kind(name) or "number"
        if (kind == "text") != isinstance(value, str):
            raise _fail(rule, example, key, f"{key} is a {kind}, {value!r} is not")
        columns[name] = _column(value, kind, interner)
    predicate = compile_expression(rule.condition, interner, scope)
    return int(predicate.evaluate(columns, 1)[0])


def _column(value: float | str | bool, kind: Kind, interner: Interner) -> Column:
    if kind == "text":
        return np.array([interner.code(str(value))], dtype=np.int32)
    return np.array([float(value)])


def _named(key: str, rule: Rule, example: Example, velocities: set[str], used: set[str], scope: Scope) -> str:
    """The column that an example's key speaks of."""
    if not key.startswith("velocity"):
        features = scope.features or {}
        if key in used or key in ROW_COLUMNS or key == RISK or key in features:
            return key
        raise _fail(rule, example, key, f"unknown column {key!r}{did_you_mean(key, [*used, *ROW_COLUMNS])}")
    try:
        node = parse_expression(key)
        name = spec_of(node).column if isinstance(node, Velocity) else key
    except RuleError as error:
        raise _fail(rule, example, key, str(error).partition(": ")[2]) from None
    if name not in velocities:
        has = f"it has {', '.join(sorted(velocities))}" if velocities else "it has none"
        raise _fail(rule, example, key, f"rule {rule.id} does not use {name}; {has}")
    return name


def _fail(rule: Rule, example: Example, key: str, message: str) -> RuleError:
    return rule.file.error(example.key_at.get(key, example.at), message)
