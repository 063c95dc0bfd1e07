"""The per-minute chart counters: what one decision and one alert hit add to their event-time minute.

This is the only definition of those fields. The scorer builds `Commit.minutes` with it, and the stores use
it to take out again what they have already written when a batch overlaps with their cursor.
Fields: `decided`, each action, `risk_NN` (bins), `amount_usd`, `corridor:NAME`, `partner:NAME`, `probe:BIN|MERCHANT`
(guessed numbers), `declined:PARTNER` (for other reasons), `dead:REASON`, and of alert hits `corridor_alerts:NAME` and
`hit:TYPOLOGY|PARTNER|CORRIDOR`.
A minute's key is the event time of its first millisecond (ms since the epoch, a multiple of 60 000).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from alerts.alert import AlertHit

MINUTE_MS = 60_000
RISK_BINS = 20
_BINS = [f"risk_{place:02d}" for place in range(RISK_BINS)]
PROBED = ("invalid_account", "invalid_credential")
"""Refusals that say the number or its secret was a guess."""

Minutes = dict[int, dict[str, float]]


class DecisionHead(msgspec.Struct, gc=False):
    """The few fields of an encoded Decision that indexes and charts need; the rest is skipped unread."""

    id: str
    event_time: int
    risk: float
    action: str
    context: dict[str, str | float | int | None] = {}


class Headed(Protocol):
    """A DecisionHead, or the Decision that it would be read from."""

    @property
    def id(self) -> str: ...
    @property
    def event_time(self) -> int: ...
    @property
    def risk(self) -> float: ...
    @property
    def action(self) -> str: ...
    @property
    def context(self) -> dict[str, str | float | int | None]: ...


_heads = msgspec.json.Decoder(DecisionHead)


def head_of(decision: bytes) -> DecisionHead:
    """Read the head of an encoded decision. Raises msgspec.DecodeError when it is no Decision."""
    return _heads.decode(decision)


def minute_of(event_time: int) -> int:
    """Start of the event's minute, ms since the epoch."""
    return event_time - event_time % MINUTE_MS


def add_decision(minutes: Minutes, head: Headed, sign: int = 1) -> None:
    """Add (sign 1) or take out (sign -1) what one decision counts for."""
    fields = minutes.setdefault(minute_of(head.event_time), {})
    told = head.context.get
    names = ["decided", head.action, _BINS[min(int(head.risk * RISK_BINS), RISK_BINS - 1)]]
    corridor, partner, amount = told("corridor"), told("partner"), told("amount_usd")
    if isinstance(amount, (int, float)):
        _add(fields, "amount_usd", sign * float(amount))
    if isinstance(corridor, str):
        names.append("corridor:" + corridor)
    if isinstance(partner, str):
        names.append("partner:" + partner)
    if told("authorisation") == "declined" or "decline_code" in head.context:
        names += _refusals(told, partner)
    before = fields.get
    for name in names:
        fields[name] = before(name, 0.0) + sign


def _refusals(told: Callable[[str], object], partner: object) -> list[str]:
    """Fields of a payment that its issuer refused, or that has a code of refusal."""
    names = []
    probed = told("decline_code") in PROBED
    if isinstance(partner, str) and told("authorisation") == "declined" and not probed:
        names.append(f"declined:{partner}")
    if probed:
        names.append(f"probe:{told('bin') or ''}|{told('merchant') or ''}")
    return names


def add_hit(minutes: Minutes, hit: AlertHit, sign: int = 1) -> None:
    """Add (sign 1) or take out (sign -1) what one alert hit counts for."""
    corridor, partner = hit.decision.context.get("corridor"), hit.decision.context.get("partner")
    fields = minutes.setdefault(minute_of(hit.event_time), {})
    _add(fields, f"hit:{hit.typology}|{partner or ''}|{corridor or ''}", sign)
    if isinstance(corridor, str):
        _add(fields, f"corridor_alerts:{corridor}", sign)


def add_dead(minutes: Minutes, reason: str, at: int, sign: int = 1) -> None:
    """Add (sign 1) or take out (sign -1) what one dead letter counts for. at: the stream's time, ms."""
    _add(minutes.setdefault(minute_of(at), {}), f"dead:{reason}", sign)


def add_counts(counts: dict[str, float], more: dict[str, float]) -> None:
    """Add `more` to `counts`, name by name."""
    for name, value in more.items():
        _add(counts, name, value)


def _add(fields: dict[str, float], name: str, value: float) -> None:
    fields[name] = fields.get(name, 0.0) + value
