"""The clock of an alert: by when it has to be taken up and judged, and how it stands at a moment. Pure functions.

Times are those of the store's writer (ms since the epoch), not of the stream: people are late by the clock on their
wall. The targets are data (data/deadlines.toml).
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from alerts.alert import Alert, Severity

MINUTE_MS = 60_000
Stage = Literal["acknowledge", "resolve", "wake"]
State = Literal["ok", "warning", "breached"]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minutes for alerts of one severity; snooze: the longest there may be."""

    acknowledge: int
    resolve: int
    snooze: int

    def __post_init__(self) -> None:
        if not 0 < self.acknowledge <= self.resolve or self.snooze < 1:
            raise ValueError(
                "an alert is acknowledged before it is resolved: 0 < acknowledge <= resolve, 0 < snooze"
            )


class Targets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See data/deadlines.toml."""

    warn_at: float
    S1: Target
    S2: Target
    S3: Target
    S4: Target

    def __post_init__(self) -> None:
        if not 0.0 < self.warn_at < 1.0:
            raise ValueError("warn_at is a share between 0 and 1")

    def of(self, severity: Severity) -> Target:
        """The targets of a severity."""
        found: Target = getattr(self, severity)
        return found


class Due(NamedTuple):
    """What an alert waits for. since, by: ms; warn: when the warning comes. wake: the end of a snooze."""

    stage: Stage
    since: int
    warn: int
    by: int

    def state(self, now: int) -> State:
        """How it stands at `now`; the end of a snooze is never late."""
        if self.stage == "wake" or now < self.warn:
            return "ok"
        return "warning" if now < self.by else "breached"


@cache
def targets() -> Targets:
    """The targets that come with Tidegate."""
    text = (files("alerts") / "data" / "deadlines.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Targets)


def due(alert: Alert, given: Targets | None = None) -> Due | None:
    """What the alert waits for next; None once it is resolved.

    The time to acknowledge runs while nobody has taken the alert up: since it opened, worsened, was reopened, or was
    escalated to others. The time to resolve runs from when its present severity was reached. A snooze stops both.
    """
    given = targets() if given is None else given
    if alert.status == "resolved":
        return None
    if alert.status == "snoozed" and alert.snoozed_until is not None:
        return Due("wake", alert.severity_since, alert.snoozed_until, alert.snoozed_until)
    target = given.of(alert.severity)
    if alert.status in ("open", "escalated"):
        stage: Stage = "acknowledge"
        since, minutes = alert.waiting_since or alert.opened_at, target.acknowledge
    else:
        stage, since, minutes = "resolve", alert.severity_since or alert.opened_at, target.resolve
    return Due(stage, since, since + int(minutes * MINUTE_MS * given.warn_at), since + minutes * MINUTE_MS)


def acknowledge_ms(severity: Severity) -> int:
    """Time to take up an alert of this severity, ms."""
    return targets().of(severity).acknowledge * MINUTE_MS


def warn_ms(severity: Severity) -> int:
    """Time until a warning that it is not taken up yet, ms."""
    return int(acknowledge_ms(severity) * targets().warn_at)


def longest_snooze(severity: Severity, given: Targets | None = None) -> int:
    """The longest snooze, ms."""
    return (targets() if given is None else given).of(severity).snooze * MINUTE_MS
