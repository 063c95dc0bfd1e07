"""Entries of the lists for the tests and pictures of the console."""

from __future__ import annotations

from alerts.lists.changing import add_entries
from alerts.store import Store
from models.lists import Listed

DAY = 86_400_000
ENTRIES = (
    ("block", "card", "card_1_00000000000000000000000007", "acquirer", "tested in the burst", 95, 30.0, "own"),
    ("block", "device", "dev_1_000000000000000000003", "club: member 4", "shared through club", 85, 20.0, "shared"),
    ("block", "payee", "payee_1_000000000000000000021", "notice 12/2026", "listed", 100, None, "law"),
    ("block", "bin", "400000", "scheme bulletin", "numbers are guessed from this range", 80, 0.6, "own"),
    ("watch", "merchant", "SYNTH-SHOP-07", "desk", "new, many refunds", 60, 7.0, "own"),
    ("watch", "corridor", "BR>CN", "desk", "surge of the weekend", 70, 0.9, "own"),
    ("watch", "customer", "cust_1_000000000000000000012", "chargeback desk", "two disputes in a week", 65, 14.0, "own"),
    ("allow", "merchant", "SYNTH-SHOP-31", "partner review", "seasonal peak is agreed", 90, 21.0, "own"),
    ("allow", "partner", "psp-3", "partner review", "migration test", 90, 2.0, "own"),
)  # fmt: skip


def fill_lists(store: Store, now: int) -> None:
    """A few of every kind, added over the last days."""
    for number, (list_, entity, token, source, reason, confidence, days, basis) in enumerate(ENTRIES):
        until = None if days is None else (store.stream_time() or now) + round(days * DAY)
        entry = Listed(
            list=list_, entity=entity, token=token, source=source, reason=reason, confidence=confidence, until=until,  # type: ignore[arg-type]
            basis=basis,  # type: ignore[arg-type]
        )  # fmt: skip
        who = ("ma", "compliance") if basis == "law" else ("lin", "senior")
        add_entries(store, [entry], actor=who[0], role=who[1], now=now - number * 5 * 3_600_000)
