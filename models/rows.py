"""From events to arrays: the one place where Python objects are taken apart.

A batch of decoded events becomes columns once; after that everything is arrays until decisions are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.columns import ENTITIES, Column, Float, Interner, attribute_column
from models.errors import EventError
from models.events import AnyEvent, Behaviour, Label, Transaction
from models.hashing import Hashes, hash_texts
from models.ledger_walk import ACT, LABEL, PAY, SKIP
from models.places import local_offsets
from models.windows import Int64

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Item(Protocol):
    """One entry as a source hands it over.

    Either `line` (raw bytes, to be decoded) or `event` is set, or `error` says why the source could not make one.
    `place` names where it came from (`file:line` or a stream's entry id).
    """

    @property
    def place(self) -> str: ...
    @property
    def line(self) -> bytes | None: ...
    @property
    def event(self) -> AnyEvent | None: ...
    @property
    def error(self) -> EventError | None: ...


class Rows(NamedTuple):
    """A batch in stream order, n rows; kinds as in models.ledger_walk. entities (n, 9) hashes, 0 missing."""

    kinds: npt.NDArray[np.int8]
    ids: Hashes
    times: Int64
    received: Int64
    entities: Hashes
    fraud: npt.NDArray[np.int8]
    no_outcome: npt.NDArray[np.bool_]

    def part(self, at: Int64) -> Rows:
        """The rows at these places."""
        return Rows(
            self.kinds[at], self.ids[at], self.times[at], self.received[at], self.entities[at], self.fraud[at],
            self.no_outcome[at],
        )  # fmt: skip


def corridor_of(t: Transaction) -> str:
    """Corridor: origin × destination × currency × channel; ?? where a country is not known."""
    origin = t.payer_country or t.issuer_country or "??"
    return f"{origin}>{t.payee_country or '??'}:{t.currency}:{t.channel}"


def rows_of(events: Sequence[AnyEvent]) -> Rows:
    """Arrays of a batch. Events of other kinds become SKIP rows."""
    n = len(events)
    kinds = np.array([_KIND.get(type(e), SKIP) for e in events], dtype=np.int8)
    ids = hash_texts([e.transaction_id if type(e) is Label else e.id for e in events])
    received = np.array([e.received_at for e in events], dtype=np.int64)
    times = np.array([e.event_time for e in events], dtype=np.int64)
    # A label takes part from its arrival on, whatever date it speaks of.
    times = np.where(kinds == LABEL, received, times)
    entities = np.zeros((n, len(ENTITIES)), dtype=np.uint64)
    pay = np.flatnonzero(kinds == PAY)
    if pay.size:
        payments = [e for e in events if type(e) is Transaction]
        texts: tuple[list[str], ...] = (
            [t.card or "" for t in payments],
            [t.payer or "" for t in payments],
            [t.device or "" for t in payments],
            [t.ip or "" for t in payments],
            [t.merchant or "" for t in payments],
            [t.payee or "" for t in payments],
            [t.bin or "" for t in payments],
            [t.partner or "" for t in payments],
            [corridor_of(t) for t in payments],
        )
        for column, values in enumerate(texts):
            entities[pay, column] = hash_texts(values)
    act = np.flatnonzero(kinds == ACT)
    if act.size:
        acts = [e for e in events if type(e) is Behaviour]
        for column, values in (
            (0, [b.card or "" for b in acts]),
            (1, [b.payer for b in acts]),
            (2, [b.device or "" for b in acts]),
            (3, [b.ip or "" for b in acts]),
            (4, [b.merchant or "" for b in acts]),
            (5, [b.payee or "" for b in acts]),
        ):
            entities[act, column] = hash_texts(values)
    fraud = np.array([1 if type(e) is Label and e.fraud else 0 for e in events], dtype=np.int8)
    declined = [type(e) is Transaction and e.authorisation == "declined" for e in events]
    return Rows(kinds, ids, times, received, entities, fraud, np.array(declined, dtype=np.bool_))


_KIND: dict[type, int] = {Transaction: PAY, Behaviour: ACT, Label: LABEL}
_TEXTS = (
    "currency", "channel", "mcc", "purpose", "decline_code", "issuer_country", "payer_country", "payee_country",
    "ip_country", "ship_country", "bill_country", "partner", "merchant", "bin",
)  # fmt: skip
_FLAG = {None: np.nan, True: 1.0, False: 0.0}
_PROOF = {"passed": 1.0, "failed": 0.0, "absent": 0.0}


def columns_of(
    payments: list[Transaction], usd: Float, times: Int64, interner: Interner, attributes: Sequence[str] = ()
) -> dict[str, Column]:
    """The row columns (models.columns.ROW_COLUMNS) of m transactions, and one for each of the attributes asked for."""
    nan = float("nan")
    columns: dict[str, Column] = {
        name: interner.column([getattr(t, name) for t in payments]) for name in _TEXTS
    }
    authorised = [t.authorisation for t in payments]
    columns["amount_usd"] = usd
    columns["amount_minor"] = np.array([t.amount for t in payments], dtype=np.float64)
    columns["declined"] = np.array(
        [nan if a is None else a == "declined" for a in authorised], dtype=np.float64
    )
    columns["approved"] = np.array(
        [nan if a is None else a == "approved" for a in authorised], dtype=np.float64
    )
    origin = [t.payer_country or t.issuer_country for t in payments]
    columns["cross_border"] = np.array(
        [nan if a is None or t.payee_country is None else a != t.payee_country
         for a, t in zip(origin, payments, strict=True)], dtype=np.float64,
    )  # fmt: skip
    evidence = [t.evidence for t in payments]
    factors = np.zeros(len(payments), dtype=np.float64)
    for name in ("knowledge", "possession", "inherence"):
        flag = np.array(
            [nan if e is None else _PROOF.get(getattr(e, name), nan) for e in evidence], dtype=np.float64
        )
        columns[f"{name}_passed"] = flag
        factors += np.nan_to_num(flag)
    factors[np.array([e is None for e in evidence], dtype=np.bool_)] = nan
    columns["authentication_factors"] = factors
    columns["screen_score"] = np.array(
        [nan if t.screen is None else t.screen.score for t in payments], dtype=np.float64
    )
    local = times + local_offsets([o or t.ip_country for o, t in zip(origin, payments, strict=True)], times)
    # Where the country is not known at all (anonymised data), UTC is the only clock there is.
    nowhere = np.array(
        [o is None and t.ip_country is None for o, t in zip(origin, payments, strict=True)], dtype=np.bool_
    )
    local = np.where(nowhere, times, local)
    columns["hour_local"] = np.floor(local % DAY_MS / HOUR_MS)
    columns["weekday_local"] = (np.floor(local / DAY_MS) + 3) % 7
    columns["hour_utc"] = np.floor(times % DAY_MS / HOUR_MS)
    columns["hour_seconds"] = (times % HOUR_MS) / 1000.0
    for name in attributes:
        columns[attribute_column(name)] = np.array(
            [nan if t.attributes is None else t.attributes.get(name, nan) for t in payments], dtype=np.float64
        )
    return columns
