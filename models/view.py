"""What the feature formulas may look at: one micro-batch of transactions with everything its entities remember.

All arrays have one element (or row) a transaction. Windows include the transaction itself; profiles do not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.columns import Column, Float

HOUR, DAY = 3_600_000, 86_400_000

SERIES = ("pay", "usd", "declined", "bad_credential", "small", "fraud", "login_failed", "login", "refund")
"""Integer series that windows add up: payments, their US dollars (× USD_SCALE), declined ones, declines for an
invalid account or credential, payments under 5 US dollars, fraud labels (by arrival; a correction takes one
away), failed and good logins, refunds."""
USD_SCALE = 10_000
SMALL_USD = 5.0
"""Payments below count in the series `small`."""

ACTS = ("device_change", "credential_change", "contact_change", "payee_added")
"""Behaviours of a customer whose last time is remembered."""

SUMS: dict[tuple[str, int], tuple[str, ...]] = {
    ("card", HOUR // 6): ("pay", "usd"),
    ("card", HOUR): ("pay", "usd", "declined"),
    ("card", DAY): ("pay", "usd", "declined"),
    ("card", 7 * DAY): ("pay", "usd", "fraud"),
    ("card", 30 * DAY): ("pay", "usd", "fraud"),
    ("customer", HOUR): ("pay", "usd", "login_failed"),
    ("customer", DAY): ("pay", "usd"),
    ("customer", 7 * DAY): ("pay", "usd"),
    ("customer", 30 * DAY): ("pay", "usd", "refund", "fraud"),
    ("device", HOUR): ("pay", "declined"),
    ("device", 30 * DAY): ("pay",),
    ("ip", HOUR): ("pay", "declined", "login_failed", "login"),
    ("merchant", HOUR): ("pay", "usd", "declined", "bad_credential", "small"),
    ("merchant", DAY): ("pay", "usd", "fraud"),
    ("merchant", 7 * DAY): ("pay",),
    ("merchant", 30 * DAY): ("pay", "usd", "refund"),
    ("payee", DAY): ("pay", "usd"),
    ("payee", 7 * DAY): ("pay", "usd"),
    ("bin", HOUR): ("pay", "declined", "bad_credential"),
    ("partner", HOUR): ("pay", "declined"),
    ("corridor", DAY): ("pay", "usd"),
}
"""Window sums the catalogue needs: (entity, window in ms) → series."""

DISTINCT: tuple[tuple[str, int, str], ...] = (
    ("card", 30 * DAY, "merchant"),
    ("card", 30 * DAY, "customer"),
    ("card", 30 * DAY, "device"),
    ("customer", 90 * DAY, "device"),
    ("customer", 90 * DAY, "payee"),
    ("customer", 7 * DAY, "card"),
    ("customer", 7 * DAY, "ship"),
    ("device", 30 * DAY, "customer"),
    ("device", 30 * DAY, "card"),
    ("ip", HOUR, "card"),
    ("payee", DAY, "customer"),
    ("payee", 7 * DAY, "customer"),
    ("merchant", HOUR, "card"),
    ("bin", HOUR, "card"),
)
"""Distinct counts the catalogue needs: (entity, window in ms, what is counted)."""

PROFILED = ("card", "customer", "device", "merchant", "payee")
"""Entities whose usual amount is remembered."""

OUTCOMES = ("card", "customer", "device", "merchant", "payee", "bin", "corridor")
"""Entities whose known outcomes are remembered."""


class View(NamedTuple):
    """See the module's docstring; m transactions.

    sums: (entity, window, series) → (m,). distinct: (entity, window, what) → count (m,). gaps: the same key →
    seconds since this value was last seen, −1 new, NaN no value. profiles: entity → (m, PROFILE_WIDTH + 1) of
    models.memory. outcomes: entity → (m, WIDTH) of models.outcomes.
    since: seconds since each of ACTS (m, 4). hours: surprise of the hour in nats (m,). columns: the row's own.
    travel_km: from the card's last place to this one (m,). flows: (m, WIDTH) of models.flows. documents: (m, WIDTH) of
    models.trade. watched: days since the first payment of all (m,).
    """

    times: npt.NDArray[np.int64]
    sums: dict[tuple[str, int, str], Float]
    distinct: dict[tuple[str, int, str], Float]
    gaps: dict[tuple[str, int, str], Float]
    profiles: dict[str, Float]
    outcomes: dict[str, Float]
    columns: dict[str, Column]
    since: Float = np.empty((0, 0))
    hours: Float = np.empty(0)
    travel_km: Float = np.empty(0)
    flows: Float = np.empty((0, 0))
    documents: Float = np.empty((0, 0))
    watched: Float = np.empty(0)
