"""The velocities of a rule pack, kept in the same windows as the features.

Each different velocity has windows of its own, so a reloaded pack keeps the history of those it shares with the
one before. A velocity that is new in a reloaded pack is "not assessed" until it has seen its whole window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from models.columns import ENTITIES, Column, Float, Interner
from models.distinct import DistinctWindows, column_or
from models.events import AnyEvent, Transaction
from models.hashing import Hashes, hash_texts
from models.places import civil_buckets
from models.rules.compile import Predicate, compile_expression
from models.rules.velocity import VelocitySpec
from models.state import Placed
from models.windows import Int64, SumWindows, shape_of

_SCALE = 10_000
_TEXT_COLUMNS = ("issuer_country", "ip_country", "ship_country", "currency")


class Velocities:
    """Windows of the velocities in force. `since` is the stream time a late-comer began at (0: from the start)."""

    def __init__(self, interner: Interner) -> None:
        self._interner = interner
        self.specs: dict[str, VelocitySpec] = {}
        self.windows: dict[str, SumWindows | DistinctWindows] = {}
        self.since: dict[str, int] = {}
        self._where: dict[str, Predicate] = {}

    def load(self, specs: Iterable[VelocitySpec], now: int) -> None:
        """Take the velocities of a pack; those already kept go on, those no longer asked for are dropped."""
        wanted = {spec.column: spec for spec in specs}
        for name in set(self.specs) - set(wanted):
            del self.specs[name], self.windows[name], self.since[name]
            self._where.pop(name, None)
        for name, spec in wanted.items():
            if name in self.specs:
                continue
            self.specs[name] = spec
            _, span, slack = (1, 1, 1) if spec.calendar else shape_of(spec.window_ms)
            self.windows[name] = (
                DistinctWindows(span, slack) if spec.agg == "distinct" else SumWindows(2, span, slack)
            )
            self.since[name] = now
            if spec.where is not None:
                self._where[name] = compile_expression(spec.where, self._interner)

    def advance(
        self, placed: Placed, events: Sequence[AnyEvent], columns: dict[str, Column]
    ) -> dict[str, Float]:
        """Values (m,) by column name for the m transactions of a batch, NaN where not assessed."""
        n, pay = placed.rows.kinds.shape[0], placed.pay
        out: dict[str, Float] = {}
        for name, spec in self.specs.items():
            where = self._where.get(name)
            taken = np.zeros(n, dtype=np.bool_)
            taken[pay] = True if where is None else where.evaluate(columns, pay.shape[0]) == 1
            slots, fresh, size = (
                placed.slots[spec.entity],
                placed.fresh[spec.entity],
                placed.sizes[spec.entity],
            )
            buckets = self._buckets(placed, spec)
            windows = self.windows[name]
            if isinstance(windows, DistinctWindows):
                counted = np.where(
                    taken, self._counted(placed, events, columns, spec.field or ""), np.uint64(0)
                )
                count, _ = windows.advance(slots, fresh, buckets, placed.rows.times, counted, size)
                value = column_or(count[pay])
            else:
                value = self._summed(
                    windows.advance(slots, fresh, buckets, _amounts(placed, columns, spec, taken), size)[pay],
                    spec,
                )
            began = self.since[name]
            if began:
                value = np.where(placed.rows.times[pay] >= began + spec.window_ms, value, np.nan)
            out[name] = value
        return out

    def _summed(self, totals: Int64, spec: VelocitySpec) -> Float:
        count, total = column_or(totals[:, 0]), column_or(totals[:, 1]) / _SCALE
        if spec.agg == "count":
            return count
        if spec.agg == "sum":
            return total
        out = np.full(count.shape[0], np.nan)
        np.divide(total, count, out=out, where=count > 0)
        return out

    def _buckets(self, placed: Placed, spec: VelocitySpec) -> Int64:
        if spec.calendar:
            return civil_buckets(placed.rows.times, spec.calendar, spec.tz)
        return placed.buckets(shape_of(spec.window_ms)[0])

    def _counted(
        self, placed: Placed, events: Sequence[AnyEvent], columns: dict[str, Column], field: str
    ) -> Hashes:
        if field in ENTITIES:
            return np.ascontiguousarray(placed.rows.entities[:, ENTITIES.index(field)])
        if field == "ship":
            return hash_texts([e.ship_token or "" if type(e) is Transaction else "" for e in events])
        counted = np.zeros(placed.rows.kinds.shape[0], dtype=np.uint64)
        if field in _TEXT_COLUMNS:
            counted[placed.pay] = np.asarray(columns[field]).astype(np.int64).astype(np.uint64) + np.uint64(1)
        return counted


def _amounts(placed: Placed, columns: dict[str, Column], spec: VelocitySpec, taken: np.ndarray) -> Int64:
    """Counts and scaled amounts of the rows that count, (n, 2)."""
    values = np.zeros((placed.rows.kinds.shape[0], 2), dtype=np.int64)
    values[:, 0] = taken
    if spec.field is not None:
        amount = np.zeros(taken.shape[0])
        amount[placed.pay] = columns[spec.field]
        known = taken & ~np.isnan(amount)
        values[:, 0] = known
        values[known, 1] = np.rint(amount[known] * _SCALE).astype(np.int64)
    return values
