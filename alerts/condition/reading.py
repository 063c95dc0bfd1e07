"""What a look at the running system found: a value, so that judging it is pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts.response.signals import Beat, ListAge, lists_of
from models.decision import Counters

ALIVE_MS = 15_000
"""A process whose last beat is older than this gives no sign of life."""


class ConditionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits. A limit of 0 leaves its check out.

    stalled_s: entries wait and nothing is scored. quiet_min: nothing comes in at all. labels_h: payments come, labels do
    not. learner_behind: examples that wait to be learnt. silent_s: a process says nothing.
    start_s: one that has said nothing since it was started may be loading for so long. crashes: restarts of one
    process within ten minutes. disk_free: least free share of the data directory's disk. store_full: most used share of
    the store's memory limit. store_away_s: the store does not answer. kafka_s: brokers are away.
    calm_s: how long something has to be right again before it counts as over.
    """

    stalled_s: float = 30.0
    quiet_min: float = 30.0
    labels_h: float = 48.0
    learner_behind: int = 20_000
    silent_s: float = 30.0
    start_s: float = 300.0
    crashes: int = 3
    disk_free: float = 0.1
    store_full: float = 0.9
    store_away_s: float = 15.0
    kafka_s: float = 60.0
    calm_s: float = 30.0


class Disk(msgspec.Struct, frozen=True):
    """A file system: bytes free to us, and in all."""

    free: int
    size: int


class StoreMemory(msgspec.Struct, frozen=True):
    """Bytes the store uses, and may use; limit 0: no bound."""

    used: int
    limit: int


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """now: ms. unread: entries of the store's lanes that wait to be scored. disk, memory: None when it could not be told.

    door_dead: entries kept that the door could not take. ping_ms: round trip to the store.
    """

    now: int
    counters: Counters
    beats: Mapping[str, Beat] = {}
    unread: int = 0
    alerts: dict[str, int] = {}
    stream_time: int = 0
    ping_ms: float = 0.0
    door_dead: int = 0
    disk: Disk | None = None
    memory: StoreMemory | None = None

    @property
    def lists(self) -> list[ListAge]:
        """Lists that processes tell of."""
        return lists_of(self.beats)

    @property
    def examples_behind(self) -> int:
        """Examples that the scorer made and the learner has not taken; 0 when no learner told where it is."""
        position = str(self.beats.get("learner", {}).get("position", ""))
        taken = position.partition("-")[0]
        return max(0, self.counters.examples - int(taken)) if taken.isdigit() else 0

    def age_ms(self, process: str) -> int | None:
        """How old a process' last sign of life is; None: it never gave one."""
        at = self.beats.get(process, {}).get("at")
        return None if at is None else max(0, self.now - int(at))

    def alive(self, process: str) -> bool:
        """True while the process beats."""
        age = self.age_ms(process)
        return age is not None and age <= ALIVE_MS


def children_of(supervisor: Mapping[str, str | int | float]) -> list[str]:
    """The processes that a supervisor's beat tells of."""
    return sorted(name.removesuffix("_pid") for name in supervisor if name.endswith("_pid"))
