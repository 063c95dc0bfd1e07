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
from models.events import AnyEvent, Evidence, Label, Transaction
from models.fields import Columns, Fields, fields_by_name, known, texts
from models.hashing import Hashes, hash_texts
from models.memo import Memo
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
    return _corridor((t.payer_country, t.issuer_country, t.payee_country, t.currency, t.channel))


def corridors_of(payments: Columns) -> list[str]:
    """`corridor_of` a batch of payments."""
    parts = (payments[name] for name in _CORRIDOR)
    return list(map(_corridors.__getitem__, zip(*parts, strict=True)))


def _corridor(of: tuple[str | None, str | None, str | None, str, str]) -> str:
    payer, issuer, payee, currency, channel = of
    return f"{payer or issuer or '??'}>{payee or '??'}:{currency}:{channel}"


_CORRIDOR = ("payer_country", "issuer_country", "payee_country", "currency", "channel")
_corridors = Memo(_corridor, 100_000)


def rows_of(events: Sequence[AnyEvent], fields: Fields, corridors: Sequence[str]) -> Rows:
    """Arrays of a batch; fields: of its events, corridors: of its payments."""
    kinds, n = fields.kinds, len(events)
    ids, fraud = [e.id for e in events], np.zeros(n, dtype=np.int8)
    received = np.array([e.received_at for e in events], dtype=np.int64)
    times = np.array([e.event_time for e in events], dtype=np.int64)
    # A label takes part from its arrival on, whatever date it speaks of.
    times[fields.told] = received[fields.told]
    for i in fields.told.tolist():
        label = events[i]
        if isinstance(label, Label):
            ids[i], fraud[i] = label.transaction_id, label.fraud
    entities = np.zeros((n, len(ENTITIES)), dtype=np.uint64)
    named = [fields.payments[name] for name in _PAYMENT_ENTITIES]
    entities[fields.pay] = _hashes([*named, corridors]).T
    acting = [fields.behaviours[name] for name in _BEHAVIOUR_ENTITIES]
    entities[fields.act, : len(acting)] = _hashes(acting).T
    declined = np.zeros(n, dtype=np.bool_)
    declined[fields.pay] = [authorisation == "declined" for authorisation in fields.payments["authorisation"]]
    return Rows(kinds, hash_texts(ids), times, received, entities, fraud, declined)


def _hashes(columns: Sequence[Sequence[str | None]]) -> Hashes:
    """Hashes of all texts of some columns of one length m: (columns, m), 0 where there is none."""
    return hash_texts([text for column in columns for text in texts(column)]).reshape(len(columns), -1)


# The fields behind models.columns.ENTITIES, but for the corridor.
_PAYMENT_ENTITIES = ("card", "payer", "device", "ip", "merchant", "payee", "bin", "partner")
_BEHAVIOUR_ENTITIES = ("card", "payer", "device", "ip", "merchant", "payee")
_TEXTS = (
    "currency", "channel", "mcc", "purpose", "decline_code", "issuer_country", "payer_country", "payee_country",
    "ip_country", "ship_country", "bill_country", "partner", "merchant", "bin",
)  # fmt: skip
_DECLINED = {None: np.nan, "declined": 1.0, "approved": 0.0}
_APPROVED = {None: np.nan, "declined": 0.0, "approved": 1.0}
_PROOF = {None: np.nan, "passed": 1.0, "failed": 0.0, "absent": 0.0}


def columns_of(
    payments: Columns, usd: Float, times: Int64, interner: Interner, attributes: Sequence[str] = ()
) -> dict[str, Column]:
    """The row columns (models.columns.ROW_COLUMNS) of m transactions, and one for each of the attributes asked for."""
    m, nan = times.shape[0], float("nan")
    columns: dict[str, Column] = {name: interner.column(payments[name]) for name in _TEXTS}
    authorised = payments["authorisation"]
    columns["amount_usd"] = usd
    columns["amount_minor"] = np.array(payments["amount"], dtype=np.float64)
    columns["declined"] = np.fromiter(map(_DECLINED.__getitem__, authorised), np.float64, m)
    columns["approved"] = np.fromiter(map(_APPROVED.__getitem__, authorised), np.float64, m)
    payer, payee = columns["payer_country"], columns["payee_country"]
    origin = np.where(payer < 0, columns["issuer_country"], payer)
    crosses = np.where((origin < 0) | (payee < 0), nan, (origin != payee).astype(np.float64))
    columns["cross_border"] = crosses
    _evidence_of(payments["evidence"], columns)
    columns["screen_score"] = np.full(m, nan)
    if known(payments["screen"]):
        columns["screen_score"][:] = [nan if s is None else s.score for s in payments["screen"]]
    local = times + _offsets_of(payments, times)
    columns["hour_local"] = np.floor(local % DAY_MS / HOUR_MS)
    columns["weekday_local"] = (np.floor(local / DAY_MS) + 3) % 7
    columns["hour_utc"] = np.floor(times % DAY_MS / HOUR_MS)
    columns["hour_seconds"] = (times % HOUR_MS) / 1000.0
    for name in attributes:
        columns[attribute_column(name)] = np.array(
            [nan if of is None else of.get(name, nan) for of in payments["attributes"]], dtype=np.float64
        )
    return columns


def _evidence_of(evidence: tuple[Evidence | None, ...], columns: dict[str, Column]) -> None:
    """Adds the columns of authentication evidence."""
    m, names = len(evidence), Evidence.__struct_fields__
    proofs = np.full((len(names), m), np.nan)
    at = [i for i, e in enumerate(evidence) if e is not None]
    given = fields_by_name(Evidence, [e for e in evidence if e is not None])
    factors = np.full(m, np.nan)
    factors[at] = 0.0
    for flags, name in zip(proofs, names, strict=True):
        flags[at] = np.fromiter(map(_PROOF.__getitem__, given[name]), np.float64, len(at))
        factors += flags == 1.0
        columns[f"{name}_passed"] = flags
    columns["authentication_factors"] = factors


def _offsets_of(payments: Columns, times: Int64) -> Float:
    """Local time less UTC in ms where the payer is; of a country that is not listed NaN.

    Where the country is not known at all (anonymised data), UTC is the only clock there is.
    """
    countries = [
        payer or issuer or ip
        for payer, issuer, ip in zip(
            payments["payer_country"], payments["issuer_country"], payments["ip_country"], strict=True
        )
    ]
    return local_offsets(countries, times)
