"""What the read model gives to the pages: one struct a page, and the time each was read."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from alerts.alert import Alert
from alerts.custody.audit import AuditEntry
from alerts.jobs import Job, Recording
from alerts.routing.keeping import Delivery
from alerts.rule_counts import RuleRow
from models.decision import Counters, DeadLetter, Decision
from models.learner_report import Change, LearnerReport

Beat = dict[str, str | int | float]
T = TypeVar("T")


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """A value with the time it was read; `error` says why it could not be renewed. value None: never read."""

    value: T | None
    as_of: int
    error: str | None = None


class Pulse(msgspec.Struct, frozen=True):
    """What the status line needs. stream_time 0: nothing has been processed yet."""

    stream_time: int
    beats: dict[str, Beat]


class Overview(msgspec.Struct, frozen=True):
    """alerts: waiting ones by priority; resolved: newest first; minutes: chart counters of the span."""

    pulse: Pulse
    counts: dict[str, int]
    alerts: list[Alert]
    resolved: list[Alert]
    minutes: dict[int, dict[str, float]]


class Case(msgspec.Struct, frozen=True):
    """An alert with everything beside it. links: per entity kind its name, alerts and payments."""

    alert: Alert
    links: dict[str, tuple[str, list[Alert], list[Decision]]]
    audit: list[AuditEntry]


class Monitoring(msgspec.Struct, frozen=True):
    """The state of the machine. last_hour: decided per minute."""

    pulse: Pulse
    ping_ms: float
    counters: Counters
    cursors: dict[str, int]
    dead: list[DeadLetter]
    deliveries: list[Delivery]
    minutes: dict[int, dict[str, float]]


class Models(msgspec.Struct, frozen=True):
    """What the learner tells of the models. report None: it has published nothing yet; changes: oldest first."""

    pulse: Pulse
    report: LearnerReport | None
    changes: list[Change]


class Rules(msgspec.Struct, frozen=True):
    """How the rules did. rows: by hits; daily: hits a day by rule, oldest first; starts: of these days, ms."""

    pulse: Pulse
    rows: list[RuleRow]
    daily: dict[str, list[int]]
    starts: list[int]


class Backtests(msgspec.Struct, frozen=True):
    """What can be asked for and what was. jobs: newest first; recordings: by name."""

    pulse: Pulse
    jobs: list[Job]
    recordings: list[Recording]
