"""What the rows of a batch add to memory, as plain arrays: all that windows and memories of any entity need to know.

Facts come from the events alone. Nothing in them depends on what came before, on the process that read the event or on
the codes it gave to texts, so one process may read a batch and others advance their entities by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.columns import Column, Float
from models.entities import Ints
from models.events import AnyEvent, Behaviour, Transaction
from models.hashing import Hashes, hash_texts
from models.ledger_walk import ACT, PAY
from models.places import place_code
from models.relations import Papers, papers_of
from models.rows import Rows
from models.view import ACTS, SMALL_USD, USD_SCALE
from models.windows import Int64

_BAD_CREDENTIAL = frozenset({"invalid_account", "invalid_credential"})
_COUNTED = ("login", "login_failed", "refund")
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


def facts_of(rows: Rows, events: Sequence[AnyEvent], columns: Mapping[str, Column]) -> Facts:
    """Facts of a batch, with nothing asked by rules. columns: one element a row of kind PAY, in order."""
    n, pay = len(events), np.flatnonzero(rows.kinds == PAY)
    payments = [e for i in pay.tolist() if isinstance(e := events[i], Transaction)]
    usd, hour, here = np.zeros(n), np.full(n, np.nan), np.full(n, -1, dtype=np.int64)
    usd[pay], hour[pay] = columns["amount_usd"], columns["hour_local"]
    here[pay] = [place_code(t.issuer_country if t.ip_country is None else t.ip_country) for t in payments]
    # Small, because they travel between processes.
    series: dict[str, npt.NDArray[Any]] = {name: np.zeros(n, dtype=np.int8) for name in _FLAGS}
    series["usd"] = np.rint(usd * USD_SCALE).astype(np.int64)
    series["pay"][pay] = 1
    series["declined"][pay] = columns["declined"] == 1.0
    series["small"][pay] = usd[pay] < SMALL_USD
    series["bad_credential"][pay] = [t.decline_code in _BAD_CREDENTIAL for t in payments]
    acts, ships = np.full(n, -1, dtype=np.int32), [""] * n
    for i, t in zip(pay.tolist(), payments, strict=True):
        if t.ship_token is not None:
            ships[i] = t.ship_token
    for i in np.flatnonzero(rows.kinds == ACT).tolist():
        event = events[i]
        if isinstance(event, Behaviour):
            if event.kind in ACTS:
                acts[i] = ACTS.index(event.kind)
            elif event.kind in _COUNTED:
                series[event.kind][i] = 1
    papers = papers_of(n, pay, payments, rows.entities, usd, columns)
    return Facts(rows, usd, series, hash_texts(ships), acts, here, hour, {}, papers)
