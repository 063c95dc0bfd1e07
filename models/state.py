"""Everything the engine remembers of its entities, advanced one batch at a time.

Tables, window groups, profiles and habits are declared by models.view and by the rule pack's velocities; a rule's
velocity uses the same windows as the features do.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from models.columns import ENTITIES, Float
from models.distinct import DistinctWindows
from models.entities import Arrays, EntityTable, Flags, Ints
from models.facts import Facts
from models.hashing import Hashes, hash_texts
from models.ledger_walk import LABEL, PAY
from models.memory import DEVIATE, PLACE, Hours, LastTimes, Profiles
from models.outcomes import Outcomes
from models.places import civil_buckets, distance_km, place_of
from models.view import ACTS, DISTINCT, OUTCOMES, PROFILED, SERIES, SUMS, View
from models.windows import Int64, SumWindows, bucket_ms, shape_of

_COLUMN_OF = {name: index for index, name in enumerate(ENTITIES)}
_SERIES = {name: index for index, name in enumerate(SERIES)}

Part = EntityTable | SumWindows | DistinctWindows | Profiles | Outcomes | LastTimes | Hours


class Placed:
    """A batch with its slots: what windows of any kind need. Rows are those that take part, in order.

    outcomes (k, 6) as in models.ledger.Walk, before: the row before which each is known (k,), owners: entity → slot of
    the payment it speaks of, −1 where that is forgotten (k,).
    """

    def __init__(self, facts: Facts, outcomes: Int64, before: Int64) -> None:
        self.facts, self.rows, self.outcomes, self.before = facts, facts.rows, outcomes, before
        self.slots: dict[str, Ints] = {}
        self.fresh: dict[str, Flags] = {}
        self.owners: dict[str, Ints] = {}
        self.sizes: dict[str, int] = {}
        self.pay, self.asks = facts.pay, self.rows.kinds == PAY
        self._buckets: dict[int, Int64] = {}
        self._civil: dict[tuple[str, str], Int64] = {}

    def at(self, entity: str, length: int) -> tuple[Ints, Flags, Int64]:
        """Slots of the rows, which of them begin anew, and bucket numbers for a bucket length in ms."""
        return self.slots[entity], self.fresh[entity], self.buckets(length)

    def buckets(self, length: int) -> Int64:
        """Bucket numbers of the rows' times for a bucket length in ms."""
        found = self._buckets.get(length)
        if found is None:
            found = self._buckets[length] = self.rows.times if length == 1 else self.rows.times // length
        return found

    def civil(self, period: str, zone: str) -> Int64:
        """Numbers of the rows' civil days, months or years in a zone."""
        found = self._civil.get((period, zone))
        if found is None:
            found = self._civil[period, zone] = civil_buckets(self.rows.times, period, zone)
        return found


class EntityState:
    """See the module's docstring. capacities: most entities kept, by entity. entities: the ones remembered here."""

    def __init__(self, capacities: dict[str, int], entities: Collection[str] = ENTITIES) -> None:
        self.tables = {name: EntityTable(capacities[name]) for name in ENTITIES if name in entities}
        self.sums = {
            key: SumWindows([_SERIES[name] for name in series], *shape_of(key[1])[1:])
            for key, series in SUMS.items()
            if key[0] in entities
        }
        self.distinct = {
            key: DistinctWindows(*shape_of(key[1])[1:]) for key in DISTINCT if key[0] in entities
        }
        self.profiles = {name: Profiles() for name in PROFILED if name in entities}
        self.outcomes = {name: Outcomes() for name in OUTCOMES if name in entities}
        self.habits = (LastTimes(len(ACTS)), Hours()) if "customer" in entities else None

    def place(self, facts: Facts, before: Int64, outcomes: Int64, owners: Hashes) -> Placed:
        """Find or give slots to the rows, and find those of the outcomes that became known.

        outcomes (k, 6), owners (k, E): as in models.ledger.Walk; before (k,): the row before which each is known. Labels
        only look up: what is forgotten stays forgotten. Outcomes do not even count as seen.
        """
        placed = Placed(facts, outcomes, before)
        rows = facts.rows
        n, k = rows.kinds.shape[0], before.shape[0]
        # One order for both: an outcome comes before the row at which it became known.
        at_outcome = before + np.arange(k)
        at_row = np.arange(n) + np.searchsorted(before, np.arange(n), side="right")
        create, peek = np.zeros(n + k, dtype=np.bool_), np.zeros(n + k, dtype=np.bool_)
        create[at_row], peek[at_outcome] = rows.kinds != LABEL, True
        for name, table in self.tables.items():
            keys = np.empty(n + k, dtype=np.uint64)
            keys[at_row] = rows.entities[:, _COLUMN_OF[name]]
            keys[at_outcome] = owners[:, _COLUMN_OF[name]] if name in OUTCOMES else 0
            slots, fresh = table.assign(keys, create, peek)
            placed.slots[name], placed.fresh[name] = slots[at_row], fresh[at_row]
            placed.owners[name] = slots[at_outcome]
            placed.sizes[name] = table.size
        return placed

    def advance(self, placed: Placed, deltas: Ints) -> View:
        """Add the rows to every window and memory; answer for the transactions among them.

        deltas (n,): fraud count changes of label rows. The view's columns stay empty.
        """
        rows, sizes, asks = placed.rows, placed.sizes, placed.asks
        values = np.empty((rows.kinds.shape[0], len(SERIES)), dtype=np.int64)
        for name, column in _SERIES.items():
            values[:, column] = deltas if name == "fraud" else placed.facts.series[name]
        m = placed.pay.shape[0]
        sums: dict[tuple[str, int, str], Float] = {}
        for (entity, window), group in self.sums.items():
            out = group.advance(*placed.at(entity, bucket_ms(window)), values, asks, sizes[entity])
            for name, answers in zip(SUMS[entity, window], out[:, :m], strict=True):
                sums[entity, window, name] = answers
        counted = _counted(placed)
        distinct, gaps = {}, {}
        for key, windows in self.distinct.items():
            entity, window, what = key
            at = placed.at(entity, bucket_ms(window))
            out = windows.advance(*at, rows.times, counted[what], asks, sizes[entity])[:, :m]
            distinct[key], gap = out
            gaps[key] = np.where(gap > 0, gap / 1000.0, gap)
        return self._remember(placed, View(rows.times[placed.pay], sums, distinct, gaps, {}, {}, {}))

    def _remember(self, placed: Placed, view: View) -> View:
        facts, rows, pay = placed.facts, placed.rows, placed.pay
        profiles = {}
        for name, memory in self.profiles.items():
            profiles[name] = memory.advance(
                placed.slots[name], placed.fresh[name], placed.asks, rows.times, facts.usd, facts.here,
                placed.sizes[name],
            )  # fmt: skip
        view = view._replace(profiles=profiles)
        if "card" in profiles:
            view = view._replace(travel_km=_travel(profiles["card"][:, PLACE], facts.here[pay]))
        if self.habits is None:
            return view
        acts, hours = self.habits
        customer, size = (placed.slots["customer"], placed.fresh["customer"]), placed.sizes["customer"]
        return view._replace(
            since=acts.advance(*customer, facts.acts, rows.times, size)[pay],
            hours=hours.advance(*customer, facts.hour, size)[pay],
        )

    def recall(self, placed: Placed, view: View, deviates: Float) -> View:
        """The view with what is known of past payments; deviates (k,): `deviation_of` each outcome's payment."""
        rows = placed.rows
        recalled = {
            name: memory.advance(
                placed.slots[name], placed.fresh[name], placed.asks, rows.times, placed.before,
                placed.owners[name], placed.outcomes, deviates, placed.sizes[name],
            )
            for name, memory in self.outcomes.items()
        }  # fmt: skip
        return view._replace(outcomes=recalled)

    def pin(self, entity: str, key: str, pinned: bool) -> None:
        """Keep (or no longer keep) one entity from eviction; those of other shards are passed over."""
        if entity in self.tables:
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
            **({} if self.habits is None else {"acts": self.habits[0], "hours": self.habits[1]}),
        }


def _counted(placed: Placed) -> dict[str, Hashes]:
    """Hashes of what distinct windows count; only transactions are counted."""
    counted = {
        name: np.where(placed.asks, placed.rows.entities[:, index], np.uint64(0))
        for name, index in _COLUMN_OF.items()
    }
    counted["ship"] = placed.facts.ship
    return counted


def deviation_of(view: View) -> Float:
    """How far each amount is from its payer's typical one: by the card, without one by the customer."""
    card, customer = view.profiles["card"][:, DEVIATE], view.profiles["customer"][:, DEVIATE]
    return np.where(np.isnan(card), customer, card)


def _travel(last: Float, here: Int64) -> Float:
    """Kilometres from the last place to this one, NaN when either is unknown."""
    out = np.full(here.shape[0], np.nan)
    for i in np.flatnonzero((here >= 0) & ~np.isnan(last)).tolist():
        before, now = int(last[i]), int(here[i])
        out[i] = 0.0 if before == now else distance_km(place_of(before), place_of(now))
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
