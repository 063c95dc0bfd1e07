"""What only shows between several parties: where an account's money comes from, what the papers of goods say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.columns import ENTITIES
from models.events import Transaction
from models.flows import AccountFlows
from models.hashing import Hashes, hash_texts
from models.trade import GoodsPrices
from models.view import USD_SCALE, View

_CUSTOMER, _PAYEE = ENTITIES.index("customer"), ENTITIES.index("payee")


class Relations:
    """See the module's docstring. capacities: most accounts and kinds of goods kept, `account` and `goods`."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.flows = AccountFlows(capacities["account"])
        self.goods = GoodsPrices(capacities["goods"])

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
        )

    @property
    def evicted(self) -> int:
        """Accounts and goods forgotten for want of room."""
        return self.flows.table.evicted + self.goods.table.evicted

    def parts(self) -> dict[str, AccountFlows | GoodsPrices]:
        """Parts of a checkpoint, by a stable name."""
        return {"flows": self.flows, "goods": self.goods}
