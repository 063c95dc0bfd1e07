"""What a person needs beside a decision: tokens, amounts, places, and where the payment came from."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from models.columns import Float
from models.events import Transaction
from models.rows import corridor_of

Context = dict[str, str | float | int | None]
_FIELDS = (
    "amount", "currency", "channel", "card", "bin", "last4", "device", "ip", "merchant", "payee", "partner", "mcc",
    "issuer_country", "payer_country", "payee_country", "ip_country", "ship_country", "authorisation", "decline_code",
    "order_id", "purpose",
)  # fmt: skip
_ALL = attrgetter("payer", *_FIELDS)
_NAMES = ("customer", *_FIELDS)
_TIE = 1e-4
"""Nearer than this to half a cent, `usd × 100` may fall on the other side of it than the amount itself."""
_MOST_CENTS = 2.0**36


def contexts(payments: Sequence[Transaction], usd: Float) -> list[Context]:
    """The context of each payment; usd (n,): their amounts in US dollars. What a payment does not say is left out."""
    out = []
    for t, amount in zip(payments, to_cents(usd), strict=True):
        context: Context = {"amount_usd": amount, "corridor": corridor_of(t)}
        for name, value in zip(_NAMES, _ALL(t), strict=True):
            if value is not None:
                context[name] = value
        out.append(context)
    return out


def to_cents(usd: Float) -> list[float]:
    """Each amount as `round(amount, 2)` gives it, bit for bit, but all at once."""
    cents = usd * 100.0
    whole = np.rint(cents)
    rounded: list[float] = (whole / 100.0).tolist()
    unsure = (np.abs(np.abs(cents - whole) - 0.5) < _TIE) | ~(np.abs(cents) < _MOST_CENTS)
    for i in np.flatnonzero(unsure).tolist():
        rounded[i] = round(float(usd[i]), 2)
    return rounded
