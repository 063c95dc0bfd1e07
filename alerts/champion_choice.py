"""An operator's choice of the champion: the Control event that pins a candidate or ends the pin, and its checks.

The command line and the console both choose through here.
"""

from __future__ import annotations

from alerts.custody.audit import AuditEntry
from alerts.rights import require
from alerts.store import Store
from models.champions import AUTOMATIC, COLUMNS
from models.errors import SettingsError
from models.events import Control

MOST_REASON, MOST_ACTOR = 200, 128
"""Characters of a reason and of an actor."""


def choose_champion(store: Store, name: str, actor: str, role: str, reason: str, now: int) -> str:
    """Put the choice into the control lane and the audit chain, on disk when this returns; its place in the lane.

    name: a candidate, or AUTOMATIC to end the pin. now: the wall clock, ms. Raises RefusedError for a role that may
    not choose, SettingsError for a choice that cannot be, StoreError when it could not be written.
    """
    require(role, right(name))
    actor, reason = told_by(actor, reason)
    if name not in (AUTOMATIC, *COLUMNS):
        raise SettingsError(
            f"there is no candidate {name!r}: choose one of {', '.join(COLUMNS)}",
            zh=f"没有候选模型 {name!r}，可选：{', '.join(COLUMNS)}",
        )
    report = store.learner_report()
    if name == AUTOMATIC and (report is None or report.pinned is None):
        raise SettingsError(
            "no candidate is pinned: `tidegate models list` shows who serves", zh="没有固定的候选模型"
        )
    event = choice(name, actor, reason, store.stream_time() or now, now)
    entry = AuditEntry(
        actor, role, "released" if name == AUTOMATIC else "pinned", "champion", name, now, reason,
        before=None if report is None else {"champion": report.champion, "pinned": report.pinned},
    )  # fmt: skip
    place = store.send_control(event, entry)
    store.wait_durable()
    return place


def told_by(actor: str, reason: str) -> tuple[str, str]:
    """Actor and reason as they are kept. Raises SettingsError for what is not one short line each."""
    reason, actor = reason.strip(), actor.strip()
    if (
        not 0 < len(reason) <= MOST_REASON
        or not 0 < len(actor) <= MOST_ACTOR
        or not (reason + actor).isprintable()
    ):
        raise SettingsError(
            f"reason and actor: give one line of at most {MOST_REASON} and {MOST_ACTOR} characters",
            zh=f"理由与人员须各为一行，最长 {MOST_REASON} 与 {MOST_ACTOR} 个字符",
        )
    return actor, reason


def right(name: str) -> str:
    """The right it takes to choose this (alerts/rights.py)."""
    return "model.unpin" if name == AUTOMATIC else "model.pin"


def choice(name: str, actor: str, reason: str, at: int, now: int) -> Control:
    """The Control event of a choice as of the stream's time `at`, ms; `now` makes its id one of its own."""
    return Control(
        id=f"champion-{name}-{now}", event_time=at, received_at=at, kind="champion", version=name, actor=actor,
        reason=reason,
    )  # fmt: skip
