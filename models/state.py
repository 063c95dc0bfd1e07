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
from models.ledger import Walk
from models.ledger_walk import ACT, LABEL, PAY, ROW
from models.memory import DEVIATE, PLACE, Hours, LastTimes, Profiles
from models.outcomes import Outcomes
from models.places import distance_km
from models.rows import Rows
from models.view import ACTS, DISTINCT, OUTCOMES, PROFILED, SERIES, SMALL_USD, SUMS, USD_SCALE, View
from models.windows import Int64, SumWindows, shape_of

_BAD_CREDENTIAL = frozenset({"invalid_account", "invalid_credential"})
_COLUMN_OF = {name: index for index, name in enumerate(ENTITIES)}


Part = EntityTable | SumWindows | DistinctWindows | Profiles | Outcomes | LastTimes | Hours


class Placed:
    """A batch with its slots: what windows of any kind need. Rows are those that take part, in order.

    outcomes (k, 6) as in models.ledger.Walk, before: the row before which each is known (k,), owners: entity → slot of
    the payment it speaks of, −1 where that is forgotten (k,).
    """

    def __init__(self, rows: Rows, outcomes: Int64, before: Int64) -> None:
        self.rows, self.outcomes, self.before = rows, outcomes, before
        self.slots: dict[str, Ints] = {}
        self.fresh: dict[str, Flags] = {}
        self.owners: dict[str, Ints] = {}
        self.sizes: dict[str, int] = {}
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
        self.outcomes = {name: Outcomes() for name in OUTCOMES}
        self.acts = LastTimes(len(ACTS))
        self.hours = Hours()

    def place(self, rows: Rows, part: Int64, walk: Walk) -> Placed:
        """Find or give slots to the rows at `part` of a batch, and find those of the outcomes it made known.

        Labels only look up: what is forgotten stays forgotten. Outcomes do not even count as seen.
        """
        sub = rows.part(part)
        before = np.searchsorted(part, walk.outcomes[:, ROW])
        placed = Placed(sub, walk.outcomes, before)
        n, k = part.shape[0], before.shape[0]
        # One order for both: an outcome comes before the row at which it became known.
        at_outcome = before + np.arange(k)
        at_row = np.arange(n) + np.searchsorted(before, np.arange(n), side="right")
        create, peek = np.zeros(n + k, dtype=np.bool_), np.zeros(n + k, dtype=np.bool_)
        create[at_row], peek[at_outcome] = sub.kinds != LABEL, True
        for name, table in self.tables.items():
            keys = np.empty(n + k, dtype=np.uint64)
            keys[at_row] = sub.entities[:, _COLUMN_OF[name]]
            keys[at_outcome] = walk.owners[:, _COLUMN_OF[name]] if name in OUTCOMES else 0
            slots, fresh = table.assign(keys, create, peek)
            placed.slots[name], placed.fresh[name] = slots[at_row], fresh[at_row]
            placed.owners[name] = slots[at_outcome]
            placed.sizes[name] = table.size
        return placed

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
        return View(rows.times[pay], sums, distinct, gaps, profiles, {}, since, hours, travel, columns)

    def recall(self, placed: Placed, view: View, deviates: Float) -> View:
        """The view with what is known of past payments; deviates (k,): `deviation_of` each outcome's payment."""
        rows = placed.rows
        recalled = {
            name: memory.advance(
                placed.slots[name], placed.fresh[name], rows.kinds == PAY, rows.times, placed.before,
                placed.owners[name], placed.outcomes, deviates, placed.sizes[name],
            )[placed.pay]
            for name, memory in self.outcomes.items()
        }  # fmt: skip
        return view._replace(outcomes=recalled)

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

    def parts(self) -> dict[str, Part]:
        """Every part that goes into a checkpoint, by a stable name."""
        return {
            **{f"table/{name}": table for name, table in self.tables.items()},
            **{f"sum/{entity}/{window}": group for (entity, window), group in self.sums.items()},
            **{
                f"distinct/{entity}/{window}/{what}": d for (entity, window, what), d in self.distinct.items()
            },
            **{f"profile/{name}": memory for name, memory in self.profiles.items()},
            **{f"outcomes/{name}": memory for name, memory in self.outcomes.items()},
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
    series["small"][pay] = usd < SMALL_USD
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


def deviation_of(view: View) -> Float:
    """How far each amount is from its payer's typical one: by the card, without one by the customer."""
    card, customer = view.profiles["card"][:, DEVIATE], view.profiles["customer"][:, DEVIATE]
    return np.where(np.isnan(card), customer, card)


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
