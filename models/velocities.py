"""The velocities of a rule pack, kept in the same windows as the features.

Each different velocity has windows of its own, so a reloaded pack keeps the history of those it shares with the
one before. A velocity that is new in a reloaded pack is "not assessed" until it has seen its whole window.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.columns import ENTITIES, Column, Float, Interner
from models.distinct import DistinctWindows
from models.facts import Facts
from models.hashing import Hashes, hash_texts
from models.rules.compile import Predicate, compile_expression
from models.rules.velocity import VelocitySpec
from models.state import Placed
from models.windows import Int64, SumWindows, shape_of

_SCALE = 10_000
_TEXT_COLUMNS = ("issuer_country", "ip_country", "ship_country", "currency")


class Velocities:
    """Windows of the velocities in force. `since` is the stream time a late-comer began at (0: from the start).

    entities: those whose velocities are advanced here; any may be asked for.
    """

    def __init__(self, interner: Interner, entities: Collection[str] = ENTITIES) -> None:
        self._interner, self._entities = interner, entities
        self.specs: dict[str, VelocitySpec] = {}
        self.windows: dict[str, SumWindows | DistinctWindows] = {}
        self.since: dict[str, int] = {}
        self._where: dict[str, Predicate] = {}
        self._hashes: Hashes = np.zeros(0, dtype=np.uint64)

    def load(self, specs: Iterable[VelocitySpec], now: int) -> None:
        """Take the velocities of a pack; those already kept go on, those no longer asked for are dropped."""
        wanted = {spec.column: spec for spec in specs}
        self._hashes = self._hashes[:0]
        for name in set(self.specs) - set(wanted):
            del self.specs[name], self.windows[name], self.since[name]
            self._where.pop(name, None)
        for name, spec in wanted.items():
            if name in self.specs:
                continue
            self.specs[name] = spec
            _, span, slack = (1, 1, 1) if spec.calendar else shape_of(spec.window_ms)
            self.windows[name] = (
                DistinctWindows(span, slack) if spec.agg == "distinct" else SumWindows((0, 1), span, slack)
            )
            self.since[name] = now
            if spec.where is not None:
                self._where[name] = compile_expression(spec.where, self._interner)

    @property
    def kept(self) -> dict[str, SumWindows | DistinctWindows]:
        """The windows that are advanced here, by column."""
        return {
            name: self.windows[name] for name, spec in self.specs.items() if spec.entity in self._entities
        }

    def ask(self, facts: Facts, columns: Mapping[str, Column]) -> dict[str, npt.NDArray[Any]]:
        """What each row adds to the velocities, by column, as in Facts. columns: one element a payment, in order."""
        n, pay = facts.usd.shape[0], facts.pay
        asked: dict[str, npt.NDArray[Any]] = {}
        with np.errstate(all="ignore"):
            holds = {name: where.holds(columns) for name, where in self._where.items()}
        for name, spec in self.specs.items():
            taken = np.zeros(n, dtype=np.bool_)
            taken[pay] = holds.get(name, True)
            if spec.agg == "distinct":
                asked[name] = np.where(taken, self._counted(facts, columns, spec.field or ""), np.uint64(0))
            else:
                asked[name] = _amounts(pay, columns, spec, taken)
        return asked

    def advance(self, placed: Placed, asked: Mapping[str, npt.NDArray[Any]]) -> dict[str, Float]:
        """Values (m,) by column name for the m transactions of a batch, NaN where not assessed; asked: as of `ask`."""
        pay, times = placed.pay, placed.rows.times
        out: dict[str, Float] = {}
        for name, spec in self.specs.items():
            if spec.entity not in self._entities:
                continue
            at = placed.slots[spec.entity], placed.fresh[spec.entity], self._buckets(placed, spec)
            size, windows = placed.sizes[spec.entity], self.windows[name]
            if isinstance(windows, DistinctWindows):
                value = windows.advance(*at, times, asked[name], placed.asks, size)[0, : len(pay)]
            else:
                value = _summed(windows.advance(*at, asked[name], placed.asks, size)[:, : len(pay)], spec)
            began = self.since[name]
            if began:
                value = np.where(times[pay] >= began + spec.window_ms, value, np.nan)
            out[name] = value
        return out

    def _buckets(self, placed: Placed, spec: VelocitySpec) -> Int64:
        if spec.calendar:
            return placed.civil(spec.calendar, spec.tz)
        return placed.buckets(shape_of(spec.window_ms)[0])

    def _counted(self, facts: Facts, columns: Mapping[str, Column], field: str) -> Hashes:
        """Hashes of what is counted (n,); of texts too, because their codes differ from process to process."""
        if field in ENTITIES:
            return np.ascontiguousarray(facts.rows.entities[:, ENTITIES.index(field)])
        if field == "ship":
            return facts.ship
        counted = np.zeros(facts.usd.shape[0], dtype=np.uint64)
        if field in _TEXT_COLUMNS:
            codes = np.asarray(columns[field], dtype=np.int64)
            if codes.size and codes.max() >= self._hashes.shape[0]:
                self._hashes = hash_texts(self._interner.texts())
            counted[facts.pay[codes >= 0]] = self._hashes[codes[codes >= 0]]
        return counted


def _summed(totals: Float, spec: VelocitySpec) -> Float:
    count: Float = totals[0]
    total: Float = totals[1] / _SCALE
    if spec.agg == "count":
        return count
    if spec.agg == "sum":
        return total
    out = np.full(count.shape[0], np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out


def _amounts(pay: Int64, columns: Mapping[str, Column], spec: VelocitySpec, taken: np.ndarray) -> Int64:
    """Counts and scaled amounts of the rows that count, (n, 2)."""
    values = np.zeros((taken.shape[0], 2), dtype=np.int64)
    values[:, 0] = taken
    if spec.field is not None:
        amount = np.zeros(taken.shape[0])
        amount[pay] = columns[spec.field]
        known = taken & ~np.isnan(amount)
        values[:, 0] = known
        values[known, 1] = np.rint(amount[known] * _SCALE).astype(np.int64)
    return values
