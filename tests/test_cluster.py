"""A cluster decides as one process does, bit by bit, in whatever order its messages travel."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import msgspec
import pytest

from dataflow.assemble import engine_of
from dataflow.cluster import keys
from dataflow.cluster.keys import HOMES, MOST_WORKERS, SHARDS
from dataflow.replay import Digest
from dataflow.settings import load_settings
from dataflow.sources.files import FileSource, RawItem
from models.engine import Engine
from models.errors import EventError
from models.events import Label, Transaction, decode, encode
from models.rows import Item
from models.shard import KINDS
from tests.clustered import Network, packets_of
from tests.streams import record
from tests.test_golden import check, digest_of

SETTINGS = load_settings(record.SETTINGS)


def engine(leads: bool) -> Engine:
    return engine_of(SETTINGS, learn_inline=leads, kinds=SHARDS)


def items_of(name: str) -> list[Item]:
    return [item for items in FileSource(record.path_of(name)) for item in items]


def test_every_kind_has_one_shard() -> None:
    assert sorted(itertools.chain(*SHARDS)) == sorted(KINDS)


@pytest.mark.parametrize("workers", range(1, MOST_WORKERS + 1))
def test_work_lands_where_it_is_meant_to(workers: int) -> None:
    assert keys.worker_of(keys.lead_key(), workers) == 0
    at_home = [keys.worker_of(keys.home_key(home), workers) for home in range(HOMES)]
    assert set(at_home) == set(range(workers))
    assert len({keys.worker_of(keys.shard_key(shard), workers) for shard in range(len(SHARDS))}) == min(
        workers, len(SHARDS)
    )


def runs() -> Iterator[object]:
    """Every stream with one to three workers; one of them in the quick suite."""
    for at, name in enumerate(record.NAMES):
        for workers in (1, 2, 3):
            marks = [] if workers == 1 + at % 3 and name != "card" else [pytest.mark.slow]
            yield pytest.param(name, workers, marks=marks)


@pytest.mark.parametrize(("name", "workers"), list(runs()))
def test_any_number_of_workers_gives_the_golden_output(name: str, workers: int) -> None:
    draw = random.Random(f"{name}{workers}")
    network = Network(workers, engine, draw, credits_=draw.choice([1, 3, 9]), most=200)
    sizes = (draw.choice([1, 7, 64, 512]) for _ in itertools.count())
    written = list(network.run(packets_of(items_of(name), sizes)))
    check(name, [w.commit for w in written])


def test_labels_on_the_heels_of_payments_are_called_back_and_change_nothing() -> None:
    """Everything within one batch, then batches of one: rounds that stand in their own way are cut, others wait."""
    items = items_of("hostile")
    lines = quick_labels(items)
    alone = engine_of(SETTINGS, learn_inline=True)
    digest = Digest()
    digest.add(alone.step(lines).decisions)
    for most in (1, 16, 400):
        network = Network(3, engine, random.Random(most), credits_=6, most=most)
        commits = [w.commit for w in network.run(packets_of(lines, itertools.repeat(400)))]
        assert digest_of(commits).hex() == digest.hex()
        assert most == 1 or network.called_back > 0
        assert network.lead.desk.engine.counters.balanced()
        told = msgspec.structs.asdict(network.lead.desk.engine.counters)
        want = msgspec.structs.asdict(alone.counters)
        assert {k: v for k, v in told.items() if k not in UNNUMBERED} == {
            k: v for k, v in want.items() if k not in UNNUMBERED
        }


UNNUMBERED = {"alerts", "vectors_waiting"}
"""Counted where alerts are numbered, which a bare engine does not do; or as of the last batch."""


def quick_labels(items: list[Item]) -> list[Item]:
    """The first payments, each fifth with a label of fraud right behind it, each tenth with its correction."""
    out: list[Item] = []
    for number, item in enumerate(items[:400]):
        out.append(item)
        try:
            event = decode(item.line or b"")
        except EventError:
            continue
        if number % 5 == 0 and isinstance(event, Transaction):
            for turn, fraud in enumerate((True, False)[: 1 + (number % 10 == 0)]):
                label = Label(
                    id=f"quick-{number}-{turn}", event_time=event.received_at, received_at=event.received_at,
                    transaction_id=event.id, fraud=fraud, source="analyst",
                )  # fmt: skip
                out.append(RawItem(f"quick:{number}", encode(label), None, None))
    return out
