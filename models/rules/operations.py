"""The operations closures are made of: masks for conditions, float64 arrays for numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from models.columns import Column

Mask = npt.NDArray[np.bool_]
Logic = tuple[Mask, Mask]
Numbers = npt.NDArray[np.float64]


class Frame:
    """One batch under evaluation: its columns, and the shared sub-expressions computed so far."""

    __slots__ = ("columns", "known")

    def __init__(self, columns: Mapping[str, Column], shared: int) -> None:
        self.columns = columns
        self.known: list[Any] = [None] * shared


Run = Callable[[Frame], Any]
_ARITHMETIC: dict[str, Any] = {"+": np.add, "-": np.subtract, "*": np.multiply}


def remembered(run: Run, place: int) -> Run:
    def remembered(frame: Frame) -> Any:
        value = frame.known[place]
        if value is None:
            value = frame.known[place] = run(frame)
        return value

    return remembered


def column(name: str) -> Run:
    return lambda frame: frame.columns[name]


def all_of(parts: list[Run]) -> Run:
    first, rest = parts[0], parts[1:]

    def all_(frame: Frame) -> Logic:
        true, false = first(frame)
        for part in rest:
            # False on every row stays false whatever comes: a search for a zero byte is the cheapest test for
            # it.
            if b"\0" not in false.tobytes():
                return true, false
            also, but = part(frame)
            true, false = true & also, false | but
        return true, false

    return all_


def any_of(parts: list[Run]) -> Run:
    first, rest = parts[0], parts[1:]

    def any_(frame: Frame) -> Logic:
        true, false = first(frame)
        for part in rest:
            also, but = part(frame)
            true, false = true | also, false & but
        return true, false

    return any_


def equal(a: Numbers, b: Numbers, equal_first: bool) -> Logic:
    equal, other = np.equal(a, b), np.less(a, b) | np.greater(a, b)
    return (equal, other) if equal_first else (other, equal)


def listed(codes: Run, chosen: list[int]) -> Run:
    """Text in a list: one look-up in a table by code instead of a comparison a choice."""
    if len(chosen) == 1:
        only = np.array(chosen[0], dtype=np.int32)

        def same(frame: Frame) -> Logic:
            here = codes(frame)
            true = here == only
            return true, (here >= 0) ^ true

        return same
    # Place 0 stands for missing (-1), the last place for all texts with a later code than any in the list.
    table = np.zeros(max(chosen) + 3, dtype=np.bool_)
    table[np.array(chosen) + 1] = True

    def among(frame: Frame) -> Logic:
        here = codes(frame)
        true = table.take(here + 1, mode="clip")
        return true, (here >= 0) ^ true

    return among


def flag(values: Numbers) -> Logic:
    return values == 1.0, values == 0.0


def told(mask: Mask) -> Logic:
    return mask, ~mask


def swapped(true: Mask, false: Mask) -> Logic:
    return false, true


def as_number(true: Mask, false: Mask) -> Numbers:
    number: Numbers = np.where(true | false, true.astype(np.float64), np.nan)
    return number


def arithmetic(sign: str, left: Run, right: Run) -> Run:
    operation = _ARITHMETIC.get(sign)
    if operation is not None:
        return lambda frame: operation(left(frame), right(frame))

    def divided(frame: Frame) -> Numbers:
        a, b = left(frame), right(frame)
        # Nothing divided by nothing says nothing: a quotient by zero is missing, never infinite.
        quotient: Numbers = np.where(b == 0.0, np.nan, np.true_divide(a, b))
        return quotient

    return divided


def call(function: str, arguments: list[Run]) -> Run:
    if function == "abs":
        return lambda frame: np.abs(arguments[0](frame))
    if function == "coalesce":
        value, instead = arguments

        def coalesced(frame: Frame) -> Numbers:
            values = value(frame)
            fallback: Numbers = instead(frame)
            chosen: Numbers = np.where(np.isnan(values), fallback, values)
            return chosen

        return coalesced
    choose = np.minimum if function == "min" else np.maximum
    return lambda frame: reduce(choose, [argument(frame) for argument in arguments])
