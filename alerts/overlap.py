"""What of a batch is not yet in the store: the pure half of `Store.commit`'s idempotence.

After a kill the scorer works through the open epoch again and may cut it into other batches than before, so
a batch can lie below the cursor, above it, or across it. Ordinals say which part is new; the chart counters
of the part that is already written are taken out of the sums.
"""

from __future__ import annotations

import msgspec

from alerts.minutes import add_dead, add_decision, add_hit, head_of
from alerts.store import Commit
from models.errors import StoreError


def remaining(batch: Commit, cursors: dict[str, int]) -> Commit:
    """The part of `batch` above `cursors` (`decisions`, `hits`, `dead`); the batch itself if all is new.

    Raises StoreError when ordinals are missing between the cursor and the batch: the checkpoint and the store
    do not belong together, and writing on would lose output without a trace.
    """
    decided, hit, dead = cursors["decisions"], cursors["hits"], cursors["dead"]
    _refuse_gap("decision", decided, batch.first_decision_ordinal if batch.decisions else None)
    _refuse_gap("alert hit", hit, batch.hits[0].ordinal if batch.hits else None)
    _refuse_gap("dead letter", dead, batch.first_dead_ordinal if batch.dead else None)
    for before, after in zip(batch.hits, batch.hits[1:], strict=False):
        _refuse_gap("alert hit", before.ordinal, after.ordinal)

    skip = min(max(decided - batch.first_decision_ordinal + 1, 0), len(batch.decisions))
    skip_dead = min(max(dead - batch.first_dead_ordinal + 1, 0), len(batch.dead))
    old_hits = [h for h in batch.hits if h.ordinal <= hit]
    if not skip and not skip_dead and not old_hits:
        return batch
    return msgspec.structs.replace(
        batch,
        first_decision_ordinal=batch.first_decision_ordinal + skip,
        decisions=batch.decisions[skip:],
        hits=batch.hits[len(old_hits) :],
        first_dead_ordinal=batch.first_dead_ordinal + skip_dead,
        dead=batch.dead[skip_dead:],
        minutes=_minutes_without(batch, skip, len(old_hits), skip_dead),
    )


def _minutes_without(batch: Commit, decisions: int, old_hits: int, dead: int) -> dict[int, dict[str, float]]:
    if (decisions, old_hits, dead) == (len(batch.decisions), len(batch.hits), len(batch.dead)):
        return {}
    minutes = {minute: dict(fields) for minute, fields in batch.minutes.items()}
    for decision in batch.decisions[:decisions]:
        add_decision(minutes, head_of(decision), sign=-1)
    for hit in batch.hits[:old_hits]:
        add_hit(minutes, hit, sign=-1)
    for letter in batch.dead[:dead]:
        add_dead(minutes, letter.reason, batch.stream_time, sign=-1)
    # Only what the batch itself counted is corrected; what is left of an amount after the subtraction is
    # rounding, far below a cent.
    return {
        minute: {name: minutes[minute][name] for name in fields if abs(minutes[minute][name]) > 1e-6}
        for minute, fields in batch.minutes.items()
    }


def _refuse_gap(what: str, cursor: int, first: int | None) -> None:
    if first is not None and first > cursor + 1:
        raise StoreError(
            f"store is at {what} {cursor} but the batch begins at {first}: the checkpoint is ahead "
            "of the store; start the scorer from an older checkpoint, or on an empty store"
        )
