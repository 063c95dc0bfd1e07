"""Customers that nobody has seen before, to fill an engine's state with as many entities as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice

from dataflow.assemble import engine_of
from dataflow.replay import BATCH
from dataflow.settings import Settings
from dataflow.simulate import DEFAULT_START
from dataflow.sources.files import RawItem
from models.decision import Counters
from models.engine import Engine
from models.events import Transaction

MERCHANTS = 20_000


def payment(customer: int, at: int, id_: str) -> Transaction:
    """A payment of the customer with this number, `at` ms after the beginning."""
    return Transaction(
        id=id_, event_time=DEFAULT_START + at, received_at=DEFAULT_START + at, amount=1999 + customer % 500,
        currency="EUR", channel="cnp", card=f"card-{customer}", payer=f"payer-{customer}",
        device=f"device-{customer}", ip=f"ip-{customer}", merchant=f"merchant-{customer % MERCHANTS}",
        payer_country="DE", payee_country="FR",
    )  # fmt: skip


def strangers() -> Iterator[Transaction]:
    """One payment a millisecond, each of a new customer with a new card and device at a new address."""
    for number in count(1):
        yield payment(number, number, f"stranger-{number}")


def filled(settings: Settings, entities: int, progress: Callable[[float], None]) -> Engine:
    """An engine that knows about so many entities, each from one payment, and has counted nothing."""
    engine = engine_of(settings, learn_inline=False, evidence=False)
    payments = strangers()
    while (so_far := known(engine)) < entities:
        progress(so_far)
        engine.step([RawItem("bench", None, event, None) for event in islice(payments, BATCH)])
    engine.counters = Counters()
    return engine


def known(engine: Engine) -> int:
    """Entities in the state, of all kinds."""
    return sum(table.used for shard in engine.shards for table in shard.state.tables.values())
