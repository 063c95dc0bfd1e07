"""Everything the engine remembers of its entities, advanced one batch at a time.

Tables, window groups, profiles and habits are declared by models.view and by the rule pack's velocities; a rule's
velocity uses the same windows as the features do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.columns import ENTITIES, Column, Float, Interner
from models.distinct import DistinctWindows, column_or
from models.entities import Arrays, EntityTable, Flags, Ints
from models.events import AnyEvent, Behaviour, Transaction
from models.hashing import Hashes, hash_texts
from models.ledger import ACT, LABEL, PAY
from models.memory import PLACE, Hours, LastTimes, Profiles
from models.places import distance_km
from models.rows import Rows
from models.view import ACTS, DISTINCT, PROFILED, SERIES, SUMS, USD_SCALE, View
from models.windows import Int64, SumWindows, shape_of

_SMALL_USD = 5.0
_BAD_CREDENTIAL = frozenset({"invalid_account", "invalid_credential"})
_COLUMN_OF = {name: index for index, name in enumerate(ENTITIES)}


class Placed:
    """A batch with its slots: what windows of any kind need. Rows are those that take part, in order."""

    def __init__(
        self, rows: Rows, slots: dict[str, Ints], fresh: dict[str, Flags], sizes: dict[str, int]
    ) -> None:
        self.rows, self.slots, self.fresh, self.sizes = rows, slots, fresh, sizes
        self.pay = np.flatnonzero(rows.kinds == PAY)
        self._buckets: dict[int, Int64] = {}

    def buckets(self, length: int) -> Int64:
        """Bucket numbers of the rows' times for a bucket length in ms."""
        found = self._buckets.get(length)
        if found is None:
            found = self._buckets[length] = self.rows.times if length == 1 else self.rows.times // length
        return found


class EntityState:
    """See the module's docstring. capacities: most entities kept, by entity."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.tables = {name: EntityTable(capacities[name]) for name in ENTITIES}
        self.sums = {key: SumWindows(len(series), *shape_of(key[1])[1:]) for key, series in SUMS.items()}
        self.distinct = {key: DistinctWindows(*shape_of(key[1])[1:]) for key in DISTINCT}
        self.profiles = {name: Profiles() for name in PROFILED}
        self.acts = LastTimes(len(ACTS))
        self.hours = Hours()

    def place(self, rows: Rows) -> Placed:
        """Find or give slots. Labels only look up: what is forgotten stays forgotten."""
        create = rows.kinds != LABEL
        slots, fresh, sizes = {}, {}, {}
        for name, table in self.tables.items():
            slots[name], fresh[name] = table.assign(
                np.ascontiguousarray(rows.entities[:, _COLUMN_OF[name]]), create
            )
            sizes[name] = table.size
        return Placed(rows, slots, fresh, sizes)

    def advance(
        self,
        placed: Placed,
        events: Sequence[AnyEvent],
        columns: dict[str, Column],
        deltas: Ints,
        interner: Interner,
    ) -> View:
        """Add the rows to every window and memory; answer for the transactions among them.

        events: of the rows. columns: of the transactions. deltas (n,): fraud count changes of label rows.
        """
        rows, pay, sizes = placed.rows, placed.pay, placed.sizes
        series = _series(placed, events, columns, deltas)
        sums: dict[tuple[str, int, str], Float] = {}
        for (entity, window), group in self.sums.items():
            names = SUMS[entity, window]
            values = np.stack([series[name] for name in names], axis=1)
            out = group.advance(
                placed.slots[entity],
                placed.fresh[entity],
                placed.buckets(shape_of(window)[0]),
                values,
                sizes[entity],
            )[pay]
            for index, name in enumerate(names):
                sums[entity, window, name] = column_or(out[:, index])
        counted = self._counted(placed, events)
        distinct, gaps = {}, {}
        for (entity, window, what), windows in self.distinct.items():
            count, gap = windows.advance(
                placed.slots[entity], placed.fresh[entity], placed.buckets(shape_of(window)[0]), rows.times,
                counted[what], sizes[entity],
            )  # fmt: skip
            distinct[entity, window, what] = column_or(count[pay])
            gaps[entity, window, what] = np.where(
                gap[pay] > 0, column_or(gap[pay]) / 1000.0, column_or(gap[pay])
            )
        return self._remember(placed, events, columns, interner, sums, distinct, gaps)

    def _remember(
        self, placed: Placed, events: Sequence[AnyEvent], columns: dict[str, Column], interner: Interner,
        sums: dict[tuple[str, int, str], Float], distinct: dict[tuple[str, int, str], Float],
        gaps: dict[tuple[str, int, str], Float],
    ) -> View:  # fmt: skip
        rows, pay, n = placed.rows, placed.pay, placed.rows.kinds.shape[0]
        is_pay = rows.kinds == PAY
        usd = np.zeros(n)
        usd[pay] = columns["amount_usd"]
        here = np.full(n, -1, dtype=np.int32)
        ip, issuer = columns["ip_country"], columns["issuer_country"]
        here[pay] = np.where(ip >= 0, ip, issuer)
        profiles = {}
        for name, memory in self.profiles.items():
            profiles[name] = memory.advance(
                placed.slots[name], placed.fresh[name], is_pay, rows.times, usd, here, placed.sizes[name]
            )[pay]
        kinds = np.full(n, -1, dtype=np.int32)
        for i in np.flatnonzero(rows.kinds == ACT).tolist():
            event = events[i]
            if isinstance(event, Behaviour) and event.kind in ACTS:
                kinds[i] = ACTS.index(event.kind)
        customer = placed.slots["customer"], placed.fresh["customer"]
        since = self.acts.advance(*customer, kinds, rows.times, placed.sizes["customer"])[pay]
        hour = np.full(n, np.nan)
        hour[pay] = columns["hour_local"]
        hours = self.hours.advance(*customer, hour, placed.sizes["customer"])[pay]
        travel = _travel(profiles["card"][:, PLACE], here[pay], interner)
        return View(rows.times[pay], sums, distinct, gaps, profiles, since, hours, travel, columns)

    def _counted(self, placed: Placed, events: Sequence[AnyEvent]) -> dict[str, Hashes]:
        """Hashes of what distinct windows count; only transactions are counted."""
        is_pay = placed.rows.kinds == PAY
        counted = {
            name: np.where(is_pay, placed.rows.entities[:, index], np.uint64(0))
            for name, index in _COLUMN_OF.items()
        }
        counted["ship"] = hash_texts([e.ship_token or "" if type(e) is Transaction else "" for e in events])
        return counted

    def pin(self, entity: str, key: str, pinned: bool) -> None:
        """Keep (or no longer keep) one entity from eviction."""
        self.tables[entity].pin(int(hash_texts([key])[0]), pinned)

    @property
    def evicted(self) -> int:
        """Entities forgotten for want of room."""
        return sum(table.evicted for table in self.tables.values())

    def parts(self) -> dict[str, EntityTable | SumWindows | DistinctWindows | Profiles | LastTimes | Hours]:
        """Every part that goes into a checkpoint, by a stable name."""
        return {
            **{f"table/{name}": table for name, table in self.tables.items()},
            **{f"sum/{entity}/{window}": group for (entity, window), group in self.sums.items()},
            **{
                f"distinct/{entity}/{window}/{what}": d for (entity, window, what), d in self.distinct.items()
            },
            **{f"profile/{name}": memory for name, memory in self.profiles.items()},
            "acts": self.acts,
            "hours": self.hours,
        }


def _series(
    placed: Placed, events: Sequence[AnyEvent], columns: dict[str, Column], deltas: Ints
) -> dict[str, npt.NDArray[np.int64]]:
    n, pay = placed.rows.kinds.shape[0], placed.pay
    series = {name: np.zeros(n, dtype=np.int64) for name in SERIES}
    usd = np.asarray(columns["amount_usd"], dtype=np.float64)
    series["pay"][pay] = 1
    series["usd"][pay] = np.rint(usd * USD_SCALE).astype(np.int64)
    series["declined"][pay] = columns["declined"] == 1.0
    series["small"][pay] = usd < _SMALL_USD
    series["fraud"][:] = deltas
    for i in pay[columns["decline_code"] >= 0].tolist():
        event = events[i]
        if isinstance(event, Transaction) and event.decline_code in _BAD_CREDENTIAL:
            series["bad_credential"][i] = 1
    for i in np.flatnonzero(placed.rows.kinds == ACT).tolist():
        event = events[i]
        if isinstance(event, Behaviour) and event.kind in ("login", "login_failed", "refund"):
            series[event.kind][i] = 1
    return series


def _travel(last: Float, here: Ints, interner: Interner) -> Float:
    """Kilometres from the last place to this one, NaN when either is unknown."""
    out = np.full(here.shape[0], np.nan)
    texts: list[str] | None = None
    for i in np.flatnonzero((here >= 0) & ~np.isnan(last)).tolist():
        before = int(last[i])
        if before == here[i]:
            out[i] = 0.0
            continue
        texts = texts or interner.texts()
        out[i] = distance_km(texts[before], texts[here[i]])
    return out


def arrays_of(parts: dict[str, object]) -> Arrays:
    """One flat dictionary of all parts' arrays, `part:array`."""
    return {
        f"{name}:{key}": array
        for name, part in parts.items()
        for key, array in part.arrays().items()  # type: ignore[attr-defined]
    }


def restore_into(parts: dict[str, object], arrays: Arrays) -> None:
    """The way back from `arrays_of`."""
    grouped: dict[str, Arrays] = {name: {} for name in parts}
    for full, array in arrays.items():
        name, _, key = full.rpartition(":")
        if name in grouped:
            grouped[name][key] = array
    for name, part in parts.items():
        part.restore(grouped[name])  # type: ignore[attr-defined]
