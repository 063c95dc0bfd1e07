"""Why a rule was true on one row: the comparisons that made it so, with what was observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np

from models.columns import Column, Interner
from models.rules.canonical import MIRRORED, number_text, to_text
from models.rules.compile import Compiler
from models.rules.operations import Frame
from models.rules.syntax import Among, And, Compare, Expr, Missing, Not, Number, Or, Text

Value = float | str | None
_DENIED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Cause(NamedTuple):
    """One comparison that held: `expression` was `observed`, which is `operator` `threshold`.

    observed is None for something missing, threshold None for "is missing" and "is not missing"; the choices
    of `in` are one text.
    """

    expression: str
    observed: Value
    operator: str
    threshold: Value


class RowColumns(Mapping[str, Column]):
    """Columns seen as if the batch had one row only."""

    def __init__(self, columns: Mapping[str, Column], row: int) -> None:
        self._columns = columns
        self._row = row

    def __getitem__(self, name: str) -> Column:
        return self._columns[name][self._row : self._row + 1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def causes(node: Expr, compiler: Compiler, columns: Mapping[str, Column], row: int) -> list[Cause]:
    """The comparisons that made `node` true on `row`; none when it was not true there."""
    reader = _Reader(compiler, RowColumns(columns, row))
    with np.errstate(all="ignore"):
        return list(reader.causes(node, True)) if reader.holds(node, True) else []


class _Reader:
    def __init__(self, compiler: Compiler, columns: RowColumns) -> None:
        self.compiler = compiler
        self.columns = columns

    def frame(self) -> Frame:
        return Frame(self.columns, self.compiler.shared)

    def holds(self, node: Expr, wanted: bool) -> bool:
        run = self.compiler.condition(node)
        true, false = run(self.frame())
        return bool((true if wanted else false).item())

    def causes(self, node: Expr, wanted: bool) -> Iterator[Cause]:
        match node:
            case Not(item):
                yield from self.causes(item, not wanted)
            case And(items) | Or(items):
                for item in items:
                    if self.holds(item, wanted):
                        yield from self.causes(item, wanted)
            case Compare(ordering, left, right):
                if isinstance(left, (Number, Text)) and not isinstance(right, (Number, Text)):
                    ordering, left, right = MIRRORED[ordering], right, left
                operator = ordering if wanted else _DENIED[ordering]
                yield Cause(to_text(left), self.value(left), operator, self.value(right))
            case Among(item, choices):
                operator = "in" if wanted else "not in"
                listed = ", ".join(c.value if isinstance(c, Text) else number_text(c.value) for c in choices)
                yield Cause(to_text(item), self.value(item), operator, listed)
            case Missing(item):
                operator = "is missing" if wanted else "is not missing"
                yield Cause(to_text(item), self.value(item), operator, None)
            case _:
                yield Cause(to_text(node), float(wanted), "==", float(wanted))

    def value(self, node: Expr) -> Value:
        if isinstance(node, Text):
            return node.value
        if self.compiler.is_text(node):
            code = int(self.compiler.codes(node)(self.frame()).item())
            return None if code < 0 else text_of(self.compiler.interner, code)
        number = float(self.compiler.number(node)(self.frame()).item())
        return None if np.isnan(number) else number


def text_of(interner: Interner, code: int) -> str:
    """The text of a code: the dictionary is in code order. A walk, for single look-ups only."""
    return next(islice(interner.codes, code, None))
