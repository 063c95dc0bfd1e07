"""A shard: everything that is remembered of some kinds of entities, advanced one batch at a time.

A stateful feature has one owner entity, so what is remembered of one kind never asks for another's memory. An engine
alone has one shard of every kind; in a cluster each shard has its kinds, and `merged` puts together what they answer.
A kind is whole in one shard, so that which entity makes room for which does not depend on how many shards there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from models.columns import ENTITIES, Float, Interner
from models.entities import Ints
from models.facts import Facts
from models.hashing import Hashes
from models.relations import Relations
from models.rules.velocity import VelocitySpec
from models.state import EntityState, Placed
from models.velocities import Velocities
from models.view import USD_SCALE, View
from models.windows import Int64

ACCOUNT = "account"
"""The kind of what only shows between several parties (models/relations.py)."""
KINDS = (*ENTITIES, ACCOUNT)


class Known(NamedTuple):
    """What the ledger tells a shard of a batch of n rows that take part.

    deltas (n,): fraud count changes. outcomes (k, 6), owners (k, E): as in models.ledger.Walk; before (k,): the row
    before which each is known.
    """

    deltas: Ints
    outcomes: Int64
    owners: Hashes
    before: Int64


class Shard:
    """See the module's docstring. capacities: most entities kept, by kind. kinds: of KINDS."""

    def __init__(
        self, capacities: dict[str, int], interner: Interner, kinds: Collection[str] = KINDS
    ) -> None:
        self.state = EntityState(capacities, kinds)
        self.relations = Relations(capacities) if ACCOUNT in kinds else None
        self.velocities = Velocities(interner, kinds)

    def load(self, specs: Iterable[VelocitySpec], now: int) -> None:
        """Take the velocities of a pack. now: the stream's clock, ms."""
        self.velocities.load(specs, now)

    def advance(self, facts: Facts, known: Known) -> tuple[Placed, View, dict[str, Float]]:
        """Take a batch in; the view of its payments without columns and outcomes, and the rules' velocities by column."""
        placed = self.state.place(facts, known.before, known.outcomes, known.owners)
        view = self.state.advance(placed, known.deltas)
        if self.relations is not None:
            units = np.rint(facts.usd * USD_SCALE).astype(np.int64)
            flows, documents, watched = self.relations.follow(
                placed.pay, facts.rows.times, units, facts.papers
            )
            view = view._replace(flows=flows, documents=documents, watched=watched)
        return placed, view, self.velocities.advance(placed, facts.asked)

    def recall(self, placed: Placed, view: View, deviates: Float) -> View:
        """The view with what is known of past payments. deviates (k,): models.state.deviation_of each outcome's payment.

        They may be of payments in this very batch, so they are not known before `advance`.
        """
        return self.state.recall(placed, view, deviates)

    @property
    def evicted(self) -> int:
        """Entities forgotten for want of room."""
        return self.state.evicted + (0 if self.relations is None else self.relations.evicted)

    def parts(self) -> dict[str, object]:
        """Every part that goes into a checkpoint, by a stable name: no two shards have one in common."""
        parts: dict[str, object] = dict(self.state.parts())
        if self.relations is not None:
            parts.update(self.relations.parts())
        return parts | {f"velocity/{name}": windows for name, windows in self.velocities.kept.items()}


_SINGLE = ("since", "hours", "travel_km", "flows", "documents", "watched")
"""What only one shard answers."""


def merged(views: Sequence[View]) -> View:
    """One view out of those of all shards."""
    whole = views[0]
    for view in views[1:]:
        own = {name: getattr(view, name) for name in _SINGLE}
        own = {
            name: answer for name, answer in own.items() if answer.shape != View._field_defaults[name].shape
        }
        whole = whole._replace(
            sums=whole.sums | view.sums, distinct=whole.distinct | view.distinct, gaps=whole.gaps | view.gaps,
            profiles=whole.profiles | view.profiles, outcomes=whole.outcomes | view.outcomes, **own,
        )  # fmt: skip
    return whole
