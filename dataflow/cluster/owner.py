"""The owner of a shard: advances what is remembered of its kinds of entities, round after round."""

from __future__ import annotations

from dataflow.cluster.desk import Desk
from dataflow.cluster.messages import Moving, Recalling


class Owner:
    """shard: place in dataflow.cluster.keys.SHARDS."""

    def __init__(self, desk: Desk, shard: int) -> None:
        self._desk, self._shard, self._last = desk, shard, 0

    def advance(self, move: Moving) -> Recalling | None:
        """Take a round in; its answers. A Control event was applied when it came to this process."""
        if move.number <= self._last:
            raise AssertionError(f"round {move.number} came to shard {self._shard} after round {self._last}")
        self._last = move.number
        if move.facts is None:
            return None
        assert move.known is not None
        assert move.deviates is not None
        shard = self._desk.engine.shards[self._shard]
        placed, view, asked = shard.advance(move.facts, move.known)
        view = shard.recall(placed, view, move.deviates)
        return Recalling(move.home, move.number, self._shard, view, asked, shard.evicted)
