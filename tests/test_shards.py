"""Shards: what is remembered of entities may lie in one piece or in several, and no bit of any answer changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.replay import Digest
from dataflow.sources.files import FileSource
from models.columns import Float
from models.engine import Engine
from models.facts import Facts
from models.rows import Item
from models.rules.velocity import VelocitySpec
from models.shard import KINDS, Known, Shard, merged
from models.state import Placed
from models.view import View
from tests.streams import record

GOLDEN = record.golden()


class Several(Shard):
    """Several shards that answer as one."""

    def __init__(self, engine: Engine, kinds: Sequence[Sequence[str]]) -> None:
        super().__init__(engine.settings.capacities, engine.interner)
        self.shards = [Shard(engine.settings.capacities, engine.interner, of) for of in kinds]
        self.placed: list[Placed] = []
        self.views: list[View] = []

    def load(self, specs: Sequence[VelocitySpec], now: int) -> None:
        super().load(specs, now)
        for shard in self.shards:
            shard.load(specs, now)

    def advance(self, facts: Facts, known: Known) -> tuple[Placed, View, dict[str, Float]]:
        answers = [shard.advance(facts, known) for shard in self.shards]
        self.placed, self.views = [a[0] for a in answers], [a[1] for a in answers]
        asked = {name: values for answer in answers for name, values in answer[2].items()}
        assert len(asked) == sum(len(answer[2]) for answer in answers), "two shards answer for one velocity"
        return self.placed[0], merged(self.views), asked

    def recall(self, placed: Placed, view: View, deviates: Float) -> View:
        told = zip(self.shards, self.placed, self.views, strict=True)
        return merged([shard.recall(at, part, deviates) for shard, at, part in told])

    @property
    def evicted(self) -> int:
        return sum(shard.evicted for shard in self.shards)


def engine_with(kinds: Sequence[Sequence[str]]) -> Engine:
    engine = record.fresh_engine()
    several = Several(engine, kinds)
    several.load(engine.compiled.velocities, 0)
    engine.shards = [several]
    return engine


def items_of(name: str) -> list[Item]:
    return [item for items in FileSource(record.path_of(name)) for item in items]


@pytest.mark.parametrize("shards", [2, 3, len(KINDS)])
@pytest.mark.parametrize("name", ["hostile", "layering", "merchant", "account"])
def test_shards_decide_as_one(name: str, shards: int) -> None:
    engine, digest = engine_with([KINDS[at::shards] for at in range(shards)]), Digest()
    items = items_of(name)
    for start in range(0, len(items), 200):
        digest.add(engine.step(items[start : start + 200]).decisions)
    assert digest.hex() == GOLDEN[name]["digest"]
    assert engine.counters.balanced()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=len(KINDS), max_size=len(KINDS)), st.integers(1, 400))
def test_any_share_of_kinds_gives_every_feature_bit_by_bit(owner: list[int], batch: int) -> None:
    kinds = [[kind for kind, at in zip(KINDS, owner, strict=True) if at == which] for which in range(4)]
    alone, shared = record.fresh_engine(), engine_with([of for of in kinds if of])
    items = items_of("hostile")[:600]
    seen: dict[str, list[Float]] = {"alone": [], "shared": []}
    alone.watch, shared.watch = seen["alone"].append, seen["shared"].append
    for start in range(0, len(items), batch):
        for engine in (alone, shared):
            engine.step(items[start : start + batch])
    assert np.concatenate(seen["alone"]).tobytes() == np.concatenate(seen["shared"]).tobytes()
    assert alone.counters == shared.counters


def test_an_entity_that_makes_room_does_so_in_any_shard() -> None:
    """Capacities are of a kind, not of a shard: the same entities are forgotten."""
    seen = []
    for kinds in ([KINDS], [KINDS[:1], KINDS[1:2], KINDS[2:]]):
        engine = record.fresh_engine()
        few = dict.fromkeys(engine.settings.capacities, 7)
        several = Several(engine, [])
        several.shards = [Shard(few, engine.interner, of) for of in kinds]
        several.load(engine.compiled.velocities, 0)
        engine.shards = [several]
        digest = Digest()
        digest.add(engine.step(items_of("commerce")).decisions)
        seen.append((digest.hex(), engine.counters.evicted))
    assert seen[0] == seen[1]
    assert seen[0][1] > 100
