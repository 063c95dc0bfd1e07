"""Containment in the stream: scoped, expiring actions set and lifted by Control events.

Payload of a `containment` Control: {"scope": {"corridor": "CN>US:USD:cnp"}, "action": "HOLD", "until": ms} or
{"lift": "the version that set it"}. Scope keys are entities, channel or issuer_country; all must match. An empty
scope is the whole service. Judged at event time of the stream's own clock, so it replays.
"""

from __future__ import annotations

import msgspec

from models.decision import Action
from models.events import Transaction
from models.rows import corridor_of

_FIELDS = {
    "card": "card", "customer": "payer", "device": "device", "ip": "ip", "merchant": "merchant", "payee": "payee",
    "bin": "bin", "partner": "partner", "channel": "channel", "issuer_country": "issuer_country",
}  # fmt: skip


class Containment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action in force. until: received_at after which it no longer applies, ms."""

    scope: dict[str, str]
    action: Action
    until: int
    version: str = ""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.scope) - set(_FIELDS) - {"corridor"})
        if unknown:
            raise ValueError(f"containment scope {unknown[0]!r} is not one of corridor, {', '.join(_FIELDS)}")

    def covers(self, transaction: Transaction) -> bool:
        """True when every scope entry matches and it has not expired."""
        if transaction.received_at > self.until:
            return False
        for key, wanted in self.scope.items():
            have = corridor_of(transaction) if key == "corridor" else getattr(transaction, _FIELDS[key])
            if have != wanted:
                return False
        return True


class Lift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes back the containment that a Control of version `lift` set."""

    lift: str


def changed(
    active: tuple[Containment, ...], payload: bytes | msgspec.Raw, version: str
) -> tuple[Containment, ...]:
    """The containments in force after a Control; raises msgspec.DecodeError for a payload that is neither form."""
    try:
        lifted = msgspec.json.decode(payload, type=Lift).lift
        return tuple(c for c in active if c.version != lifted)
    except msgspec.ValidationError:
        new = msgspec.structs.replace(msgspec.json.decode(payload, type=Containment), version=version)
        return (*(c for c in active if c.version != version), new)
