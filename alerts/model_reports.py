"""What the learner tells people, in the store: its newest report, and every change of the serving model for good."""

from __future__ import annotations

import msgspec

from alerts.redis_reading import RedisReading
from models.learner_report import Change, LearnerReport


class MemoryReports:
    """See alerts.store.Store."""

    def __init__(self) -> None:
        super().__init__()
        self._report: LearnerReport | None = None
        self._changes: dict[str, Change] = {}

    def put_learner_report(self, report: LearnerReport) -> None:
        self._report = report

    def learner_report(self) -> LearnerReport | None:
        return self._report

    def note_model_change(self, id_: str, change: Change) -> None:
        self._changes.setdefault(id_, change)

    def model_changes(self) -> list[Change]:
        return in_order(self._changes)


class RedisReports(RedisReading):
    """The same in the store. Keys: `learner_report`, `model_changes` (hash: id → change)."""

    def put_learner_report(self, report: LearnerReport) -> None:
        self._one("SET", self._key("learner_report"), msgspec.msgpack.encode(report))

    def learner_report(self) -> LearnerReport | None:
        data = self._one("GET", self._key("learner_report"))
        return None if data is None else msgspec.msgpack.decode(data, type=LearnerReport)

    def note_model_change(self, id_: str, change: Change) -> None:
        self._one("HSETNX", self._key("model_changes"), id_, msgspec.msgpack.encode(change))

    def model_changes(self) -> list[Change]:
        found = self._one("HGETALL", self._key("model_changes"))
        return in_order({k.decode(): msgspec.msgpack.decode(v, type=Change) for k, v in found.items()})


def in_order(changes: dict[str, Change]) -> list[Change]:
    """Oldest first; of one moment, in the order of their ids."""
    return [change for _, change in sorted(changes.items(), key=lambda item: (item[1].at, item[0]))]
