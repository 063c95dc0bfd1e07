"""What only shows between several parties: where an account's money comes from, what the papers of goods say.

And how long Tidegate has watched at all: on its first day every customer is new and every merchant young.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from models.columns import ENTITIES, Column, Float
from models.entities import Arrays, Flags
from models.fields import Columns, known
from models.flows import AccountFlows
from models.hashing import Hashes, hash_texts
from models.trade import PRICE, WIDTH, GoodsPrices, read
from models.view import DAY
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


class Papers(NamedTuple):
    """Accounts and documents of n rows, which only payments have.

    payers, payees (n,): hashes of the accounts, 0 missing. moves (n,): False where the issuer declined. documented (n,):
    True with documents; agreement (n, 3), goods (n,) hashes and logs (n, 2) as of models.trade.read.
    """

    payers: Hashes
    payees: Hashes
    moves: Flags
    documented: Flags
    agreement: Float
    goods: Hashes
    logs: Float

    def part(self, at: Int64) -> Papers:
        """Those of the rows at these places."""
        return Papers(
            self.payers[at], self.payees[at], self.moves[at], self.documented[at], self.agreement[at],
            self.goods[at], self.logs[at],
        )  # fmt: skip


def papers_of(
    n: int, pay: Int64, payments: Columns, entities: Hashes, usd: Float, columns: Mapping[str, Column]
) -> Papers:
    """Papers of n rows. pay (m,): places of the payments; entities (n, 9), usd (n,): of all rows.

    payments: fields of the payments; columns: the same as arrays.
    """
    payers, payees = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64)
    payers[pay], payees[pay] = entities[pay, _CUSTOMER], entities[pay, _PAYEE]
    if known(payments["payer_account"]) or known(payments["payee_account"]):
        _accounts(payers, pay, payments["payer_account"], payments["payer"])
        _accounts(payees, pay, payments["payee_account"], payments["payee"])
    moves = np.zeros(n, dtype=np.bool_)
    moves[pay] = np.asarray(columns["declined"]) != 1.0
    documented, goods = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.uint64)
    agreement, logs = np.full((n, 3), np.nan), np.full((n, 2), np.nan)
    if known(payments["documents"]):
        named = [""] * pay.shape[0]
        for k, (documents, amount) in enumerate(zip(payments["documents"], payments["amount"], strict=True)):
            if documents is not None:
                i = pay[k]
                documented[i] = True
                agreement[i], logs[i], named[k] = read(amount, documents, float(usd[i]))
        goods[pay] = hash_texts(named)
    return Papers(payers, payees, moves, documented, agreement, goods, logs)


def _accounts(
    hashes: Hashes, pay: Int64, accounts: tuple[str | None, ...], parties: tuple[str | None, ...]
) -> None:
    """Put accounts in the place of the parties that have them."""
    names = [account or party or "" for account, party in zip(accounts, parties, strict=True)]
    hashes[pay] = hash_texts(names)


class Relations:
    """See the module's docstring. capacities: most accounts and kinds of goods kept, `account` and `goods`."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.flows = AccountFlows(capacities["account"])
        self.goods = GoodsPrices(capacities["goods"])
        self.watch = Watch()

    def follow(self, pay: Int64, times: Int64, units: Int64, papers: Papers) -> tuple[Float, Float, Float]:
        """Answers for m payments, which are then taken in: flows, documents and days watched, as a View has them.

        pay (m,): their places among n rows; times, units (n,): US dollars × USD_SCALE.
        """
        at, papers = times[pay], papers.part(pay)
        flows = self.flows.advance(papers.payers, papers.payees, at, units[pay], papers.moves)
        documents = np.full((pay.shape[0], WIDTH), np.nan)
        with_documents = np.flatnonzero(papers.documented)
        if with_documents.size:
            documents[with_documents, :PRICE] = papers.agreement[with_documents]
            documents[with_documents, PRICE:] = self.goods.advance(
                papers.goods[with_documents], papers.logs[with_documents]
            )
        return flows, documents, self.watch.days(at)

    @property
    def evicted(self) -> int:
        """Accounts and goods forgotten for want of room."""
        return self.flows.table.evicted + self.goods.table.evicted

    def parts(self) -> dict[str, AccountFlows | GoodsPrices | Watch]:
        """Parts of a checkpoint, by a stable name."""
        return {"flows": self.flows, "goods": self.goods, "watch": self.watch}
