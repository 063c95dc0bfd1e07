"""A cluster decides as one process does, bit by bit, in whatever order its messages travel."""

from __future__ import annotations

import itertools
import random

import pytest

from dataflow.assemble import engine_of
from dataflow.cluster import keys
from dataflow.cluster.keys import HOMES, MOST_WORKERS, SHARDS
from dataflow.settings import load_settings
from dataflow.sources.files import FileSource
from models.engine import Engine
from models.rows import Item
from models.shard import KINDS
from tests.clustered import Network, packets_of
from tests.streams import record
from tests.test_golden import check

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


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("name", record.NAMES)
def test_any_number_of_workers_gives_the_golden_output(name: str, workers: int) -> None:
    draw = random.Random(f"{name}{workers}")
    network = Network(workers, engine, draw, credits_=draw.choice([1, 3, 9]), most=200)
    sizes = (draw.choice([1, 7, 64, 512]) for _ in itertools.count())
    written = list(network.run(packets_of(items_of(name), sizes)))
    check(name, [w.commit for w in written])
