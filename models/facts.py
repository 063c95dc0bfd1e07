"""What the rows of a batch add to memory, as plain arrays: all that windows and memories of any entity need to know.

Facts come from the events alone. Nothing in them depends on what came before, on the process that read the event or on
the codes it gave to texts, so one process may read a batch and others advance their entities by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.columns import Column, Float
from models.entities import Ints
from models.fields import Fields, texts
from models.hashing import Hashes, hash_texts
from models.ledger_walk import PAY
from models.places import place_codes
from models.relations import Papers, papers_of
from models.rows import Rows
from models.view import ACTS, SMALL_USD, USD_SCALE
from models.windows import Int64

_BAD_CREDENTIAL = frozenset({"invalid_account", "invalid_credential"})
_COUNTED = ("login", "login_failed", "refund")
_ACTS = {kind: place for place, kind in enumerate(ACTS)}
_FLAGS = ("pay", "declined", "bad_credential", "small", *_COUNTED)


class Facts(NamedTuple):
    """A batch of n rows in stream order.

    usd (n,): of payments, else 0. series: name (models.view.SERIES, without `fraud`) → what the row adds (n,). ship (n,):
    hash of where goods go. acts (n,): place in ACTS, −1 none. here (n,): place_code of where the payer is, −1 not known.
    hour (n,): the payer's local hour, NaN none. asked: column of a rule's velocity → what the row adds, amounts (n, 2) or
    a hash (n,). papers: accounts and documents of payments.
    """

    rows: Rows
    usd: Float
    series: dict[str, npt.NDArray[Any]]
    ship: Hashes
    acts: Ints
    here: Int64
    hour: Float
    asked: dict[str, npt.NDArray[Any]]
    papers: Papers

    @property
    def pay(self) -> Int64:
        """Places of the payments (m,)."""
        return np.flatnonzero(self.rows.kinds == PAY)

    def part(self, at: Int64) -> Facts:
        """The facts of the rows at these places, which rise."""
        if at.shape[0] == self.usd.shape[0]:
            return self
        return Facts(
            self.rows.part(at), self.usd[at], {name: values[at] for name, values in self.series.items()},
            self.ship[at], self.acts[at], self.here[at], self.hour[at],
            {name: values[at] for name, values in self.asked.items()}, self.papers.part(at),
        )  # fmt: skip


def facts_of(rows: Rows, fields: Fields, columns: Mapping[str, Column]) -> Facts:
    """Facts of a batch, with nothing asked by rules. fields: of its events; columns: of its payments, in order."""
    n, pay, payments = rows.kinds.shape[0], fields.pay, fields.payments
    usd, hour, here = np.zeros(n), np.full(n, np.nan), np.full(n, -1, dtype=np.int64)
    usd[pay], hour[pay] = columns["amount_usd"], columns["hour_local"]
    countries = zip(payments["ip_country"], payments["issuer_country"], strict=True)
    here[pay] = [place_codes[issuer if ip is None else ip] for ip, issuer in countries]
    # Small, because they travel between processes.
    series: dict[str, npt.NDArray[Any]] = {name: np.zeros(n, dtype=np.int8) for name in _FLAGS}
    series["usd"] = np.rint(usd * USD_SCALE).astype(np.int64)
    series["pay"][pay] = 1
    series["declined"][pay] = columns["declined"] == 1.0
    series["small"][pay] = usd[pay] < SMALL_USD
    codes = payments["decline_code"]
    if not _BAD_CREDENTIAL.isdisjoint(codes):
        series["bad_credential"][pay] = [code in _BAD_CREDENTIAL for code in codes]
    ship = np.zeros(n, dtype=np.uint64)
    ship[pay] = hash_texts(texts(payments["ship_token"]))
    acts = np.full(n, -1, dtype=np.int32)
    for i, kind in zip(fields.act.tolist(), fields.behaviours["kind"], strict=True):
        if kind in _COUNTED:
            series[kind][i] = 1
        else:
            acts[i] = _ACTS[kind]
    papers = papers_of(n, pay, payments, rows.entities, usd, columns)
    return Facts(rows, usd, series, ship, acts, here, hour, {}, papers)
