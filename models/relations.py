"""What only shows between several parties: where an account's money comes from, what the papers of goods say.

And how long Tidegate has watched at all: on its first day every customer is new and every merchant young.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.columns import ENTITIES, Float
from models.entities import Arrays
from models.events import Transaction
from models.flows import AccountFlows
from models.hashing import Hashes, hash_texts
from models.trade import GoodsPrices
from models.view import DAY, USD_SCALE, View
from models.windows import Int64

_CUSTOMER, _PAYEE = ENTITIES.index("customer"), ENTITIES.index("payee")


class Watch:
    """When the first payment was made."""

    def __init__(self) -> None:
        self.first = np.full(1, -1, dtype=np.int64)

    def days(self, times: Int64) -> Float:
        """Days from the first payment to each of m, 0 for one that lies before it."""
        if self.first[0] < 0 and times.shape[0]:
            self.first[0] = times[0]
        days: Float = np.maximum(times - self.first[0], 0) / DAY
        return days

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"first": self.first}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.first = np.array(arrays["first"], dtype=np.int64)


class Relations:
    """See the module's docstring. capacities: most accounts and kinds of goods kept, `account` and `goods`."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.flows = AccountFlows(capacities["account"])
        self.goods = GoodsPrices(capacities["goods"])
        self.watch = Watch()

    def follow(self, view: View, payments: Sequence[Transaction], entities: Hashes) -> View:
        """The view with the answers for m payments, which are then taken in; entities (m, 9): their hashes."""
        payers, payees = entities[:, _CUSTOMER].copy(), entities[:, _PAYEE].copy()
        named = [
            i for i, t in enumerate(payments) if t.payer_account is not None or t.payee_account is not None
        ]
        if named:
            payers[named] = hash_texts([payments[i].payer_account or payments[i].payer or "" for i in named])
            payees[named] = hash_texts([payments[i].payee_account or payments[i].payee or "" for i in named])
        usd = np.asarray(view.columns["amount_usd"], dtype=np.float64)
        units = np.rint(usd * USD_SCALE).astype(np.int64)
        moves = np.asarray(view.columns["declined"]) != 1.0
        return view._replace(
            flows=self.flows.advance(payers, payees, view.times, units, moves),
            documents=self.goods.advance(payments, usd),
            watched=self.watch.days(view.times),
        )

    @property
    def evicted(self) -> int:
        """Accounts and goods forgotten for want of room."""
        return self.flows.table.evicted + self.goods.table.evicted

    def parts(self) -> dict[str, AccountFlows | GoodsPrices | Watch]:
        """Parts of a checkpoint, by a stable name."""
        return {"flows": self.flows, "goods": self.goods, "watch": self.watch}
