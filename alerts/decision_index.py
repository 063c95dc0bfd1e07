"""How decisions are found again: by their event, and all of one entity, newest first.

The store keeps one hash for some ten thousand ordinals, `index:<n>`, from a name to the newest ordinal it stands for:
`e:<event id>` and `<kind>:<entity>`. Each decision says in `before` which ordinal each of its entities had before it, so
that the decisions of an entity are a chain. A list for each entity told the same and took half of the server's time: five
keys were touched for each payment, most of them new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from alerts.memory_store import INDEXED_ENTITIES
from alerts.minutes import Headed
from alerts.redis_scripts import RedisScripts


class Indexed(NamedTuple):
    """A batch of decisions for the index.

    before: for each decision the ordinals before it, one for each of INDEXED_ENTITIES, separated by commas; empty where
    it has no such entity, `@k` where the store knows (that of the k-th name). newest: by name, the ordinal within the
    batch; the first `linked` names are those that `@k` may speak of.
    """

    before: list[str]
    newest: dict[str, int]
    linked: int


def indexed(heads: Sequence[Headed], first: int) -> Indexed:
    """The index's part of decisions numbered from `first` on."""
    newest: dict[str, int] = {}
    numbers: dict[str, int] = {}
    before = []
    for ordinal, head in enumerate(heads, first):
        parts = []
        context = head.context
        for kind in INDEXED_ENTITIES:
            entity = context.get(kind)
            if not isinstance(entity, str):
                parts.append("")
                continue
            name = f"{kind}:{entity}"
            seen = newest.get(name)
            if seen is None:
                numbers[name] = len(numbers)
                parts.append(f"@{numbers[name]}")
            else:
                parts.append(str(seen))
            newest[name] = ordinal
        before.append(",".join(parts))
    linked = len(newest)
    for ordinal, head in enumerate(heads, first):
        newest[f"e:{head.id}"] = ordinal
    return Indexed(before, newest, linked)


class RedisHistory(RedisScripts):
    """Decisions of one entity, read back along the chain in one call."""

    _keep_of_entity = 100

    def decisions_of(self, entity_kind: str, entity: str, limit: int) -> list[bytes]:
        if entity_kind not in INDEXED_ENTITIES or limit < 1:
            return []
        newest, oldest = self._spans()
        place = INDEXED_ENTITIES.index(entity_kind) + 1
        most = min(limit, self._keep_of_entity)
        found: list[bytes] = self._run("history", [f"{entity_kind}:{entity}", place, newest, oldest, most])
        return found
