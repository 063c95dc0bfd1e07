"""Why a subject keeps quiet as a whole, whoever would be told: history, an incident it is part of, a silence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerts.routing.change import Change
from alerts.routing.reasons import History, Inhibited, Quiet, Silenced
from alerts.routing.silence import Silence, silence_of
from alerts.routing.state import Tracked


def muted(
    change: Change, tracked: Mapping[str, Tracked], silences: Sequence[Silence], live_from: int, now: int
) -> Quiet | None:
    """The first reason that holds at `now`; None: people may be told.

    live_from: stream time (ms) before which payments were read in as history.
    """
    if is_history(change, live_from):
        return History()
    if change.incident and change.kind in ("alert", "notice"):
        parent = tracked.get(f"incident:{change.incident}")
        if parent is not None and parent.change.state != "resolved":
            return Inhibited(change.incident)
    silence = silence_of(silences, change, now)
    return None if silence is None else Silenced(silence.id, silence.ends_at)


def is_history(change: Change, live_from: int) -> bool:
    """Whether an alert's last payment was read in as history, and nobody has escalated it since."""
    return change.kind == "alert" and change.at < live_from and change.labels.get("status") != "escalated"
