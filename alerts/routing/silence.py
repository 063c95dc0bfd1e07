"""Silences: matching subjects stay quiet for a while, for a stated reason. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, get_args

import msgspec

from alerts.alert import Severity
from alerts.routing.change import LABELS, Change, Kind
from alerts.routing.matching import Matcher, all_fit, fits, matchers
from models.errors import SettingsError

LONGEST_MS = 30 * 24 * 3600 * 1000
"""A silence that lasts longer is a rule that should be mended instead."""

_CLOSED: dict[str, tuple[str, ...]] = {"severity": get_args(Severity), "type": get_args(Kind)}

LATEST_START_MS = 366 * 24 * 3600 * 1000

_NO_MATCHER = "silence: give at least one matcher; a silence of everything is written type=*"
_NO_MATCHER_ZH = "静默：至少填写一个匹配条件；静默全部请写 type=*"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """What fits all of `matchers` is not notified of from `starts_at` until before `ends_at` (ms).

    ended_by: who ended it early; `ends_at` is then the moment they did.
    """

    id: str
    matchers: list[str]
    actor: str
    reason: str
    created_at: int
    starts_at: int
    ends_at: int
    ended_by: str | None = None

    def active(self, now: int) -> bool:
        """Whether it holds at `now`."""
        return self.starts_at <= now < self.ends_at

    def state(self, now: int) -> Literal["planned", "active", "ended"]:
        """How it stands at `now`."""
        return "planned" if now < self.starts_at else "active" if now < self.ends_at else "ended"


def conditions_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """The matchers of a silence that is asked for. SettingsError for none, and for one that could never fit."""
    conditions = matchers(texts, "silence")
    if not conditions:
        raise SettingsError(_NO_MATCHER, zh=_NO_MATCHER_ZH)
    for one in conditions:
        if one.label not in LABELS:
            raise SettingsError(
                f"silence: nothing has a label {one.label!r}; labels are {', '.join(LABELS)}",
                zh=f"静默：没有标签 {one.label!r}；可用标签：{', '.join(LABELS)}",
            )
        allowed = _CLOSED.get(one.label, ())
        wrong = [
            pattern for pattern in one.patterns if allowed and not any(fits(v, pattern) for v in allowed)
        ]
        if wrong:
            raise SettingsError(
                f"silence: {one.label} {wrong[0]!r} is not one of {', '.join(allowed)}",
                zh=f"静默：{one.label} {wrong[0]!r} 无效，可用：{', '.join(allowed)}",
            )
    return conditions


def new_silence(
    texts: Sequence[str], actor: str, reason: str, now: int, starts_at: int, ends_at: int
) -> Silence:
    """A checked silence with a derived id: asked for twice in the same moment it is one. Raises SettingsError."""
    conditions = conditions_of(texts)
    if not actor.strip() or not reason.strip():
        raise SettingsError("silence: give an actor and a reason", zh="静默：请填写人员与理由")
    if not max(now, starts_at) < ends_at <= starts_at + LONGEST_MS:
        raise SettingsError(
            "silence: it has to end in the future, after it starts and within 30 days",
            zh="静默：结束时间须在将来、晚于开始时间，且不超过 30 天",
        )
    if starts_at > now + LATEST_START_MS:
        raise SettingsError("silence: it has to start within a year", zh="静默：开始时间须在一年之内")
    written = [condition.text for condition in conditions]
    identity = "\x1f".join([*written, actor, reason, str(now), str(starts_at), str(ends_at)])
    return Silence(
        id="si_" + hashlib.sha256(identity.encode()).hexdigest()[:16],
        matchers=written,
        actor=actor.strip(),
        reason=reason.strip(),
        created_at=now,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def silence_of(silences: Sequence[Silence], change: Change, now: int) -> Silence | None:
    """The silence that holds longest among those that hold for `change`; None: none does.

    Notices about silences are not silenced: a silence of everything could not announce its own end.
    """
    if change.kind == "notice" and "silence" in change.labels:
        return None
    found = [
        silence
        for silence in silences
        if silence.active(now) and all_fit(_conditions(tuple(silence.matchers)), change)
    ]
    return max(found, key=lambda silence: silence.ends_at, default=None)


@lru_cache(1024)
def _conditions(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    return matchers(texts, "silence")


def silence_notice(silence: Silence, stage: str, now: int) -> Change:
    """The notice that a silence is `ending` soon or has `ended`."""
    what = " ".join(silence.matchers)
    soon = stage == "ending"
    return Change(
        kind="notice",
        id=f"{silence.id}:{stage}",
        severity="S3",
        at=now,
        labels={"silence": silence.id, "stage": stage, "actor": silence.actor},
        text_en=f"The silence of {what} by {silence.actor} {'ends soon' if soon else 'has ended'}.",
        text_zh=f"{silence.actor} 对 {what} 的静默{'即将结束' if soon else '已结束'}。",
        facts={"reason": silence.reason},
    )
