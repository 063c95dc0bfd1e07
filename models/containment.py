"""Containment in the stream: scoped, expiring measures set and lifted by Control events.

Payloads, by kind of the Control; its `version` names the measure:

    containment  {"scope": {"corridor": "CN>US:USD:cnp"}, "action": "HOLD", "until": ms}
                 {"scope": {}, "rules_only": true, "until": ms}     the models no longer set the band
                 {"lift": "the version that set it"}
    limits       {"scope": {"merchant": "m-1"}, "above_usd": 500, "until": ms}     HOLD above the lowered limit; or a lift
    model        {"until": ms}     the snapshot that the Control names serves and newer ones wait

Scope keys are entities, `party` (payer, payee or merchant), channel, issuer_country or corridor, where `CN>US` stands for
all currencies and channels of `CN>US:…`; all must match. An empty scope is the whole service. Judged at the stream's own
clock (`received_at`), so it replays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol

import msgspec

from models.decision import Action, Reason
from models.events import Transaction
from models.rows import corridor_of

FIELDS = {
    "card": "card", "customer": "payer", "device": "device", "ip": "ip", "merchant": "merchant", "payee": "payee",
    "bin": "bin", "partner": "partner", "channel": "channel", "issuer_country": "issuer_country",
}  # fmt: skip
PARTIES = ("customer", "payee", "merchant")
SCOPES = ("corridor", "party", *FIELDS)
Containments = tuple["Containment", ...]


class Containment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measure in force.

    until: received_at after which it no longer applies, ms. above_usd: only payments above this many US dollars.
    rules_only: the models' band does not count. model: the snapshot it holds in place, then it covers no payment.
    """

    scope: dict[str, str]
    action: Action = "APPROVE"
    until: int
    version: str = ""
    above_usd: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    rules_only: bool = False
    model: str = ""

    def __post_init__(self) -> None:
        check_scope(self.scope)
        if self.action == "APPROVE" and not (self.rules_only or self.model):
            raise ValueError("containment with action APPROVE changes nothing: give a stricter action")

    @property
    def origin(self) -> str:
        """What a counterfactual names as deciding."""
        return "containment"

    def covers(self, transaction: Transaction, usd: float) -> bool:
        """True when every scope entry matches, the amount is above the limit, and it has not expired."""
        if transaction.received_at > self.until or self.model:
            return False
        if self.above_usd is not None and not usd > self.above_usd:
            return False
        if not self.scope:
            return True
        return matches(self.scope, lambda key: _value(transaction, key))

    def reason(self) -> Reason:
        """Why a payment got the action, for people."""
        if self.rules_only:
            en, zh = (
                "models are set aside for the time being: only rules decide",
                "模型暂停使用，仅由规则决定",
            )
        elif self.above_usd is not None:
            en = f"a lowered limit of {self.above_usd:,.2f} USD is in force: payments above it get {self.action}"
            zh = f"临时限额 {self.above_usd:,.2f} 美元生效，超出部分执行 {self.action}"
        else:
            en, zh = f"a containment in force asks for {self.action}", f"生效中的遏制措施要求 {self.action}"
        return Reason(code="containment", kind="containment", text_en=en, text_zh=zh)


class Lift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes back the measure that a Control of version `lift` set."""

    lift: str


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of `limits`: payments in scope above the lowered amount are held."""

    scope: dict[str, str]
    above_usd: Annotated[float, msgspec.Meta(ge=0.0)]
    until: int

    def __post_init__(self) -> None:
        check_scope(self.scope)


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of a `model` Control that rolls back: its snapshot serves until then, whatever is published."""

    until: int


class Measure(Protocol):
    """What bears on a payment besides models and rules: a containment, or an entry of a list (models/lists.py)."""

    @property
    def action(self) -> Action: ...
    @property
    def rules_only(self) -> bool: ...
    @property
    def origin(self) -> str: ...
    def reason(self) -> Reason: ...


def asked(measures: Sequence[Measure]) -> list[Action]:
    """What the measures that cover a payment ask for."""
    return [c.action for c in measures]


def askers(measures: Sequence[Measure]) -> list[tuple[str, Action]]:
    """The same with where each comes from."""
    return [(c.origin, c.action) for c in measures]


def weighed(measures: Sequence[Measure], risk: float) -> float:
    """The risk that sets the band: 0 while a measure sets the models aside."""
    return 0.0 if any(c.rules_only for c in measures) else risk


def check_scope(scope: Mapping[str, str]) -> None:
    """ValueError names the first key that is no scope, or whose value is empty."""
    for key, value in sorted(scope.items()):
        if key not in SCOPES:
            raise ValueError(f"containment scope {key!r} is not one of {', '.join(SCOPES)}")
        if not value:
            raise ValueError(f"containment scope {key!r} is empty: leave it out for all of them")


def matches(scope: Mapping[str, str], value_of: Callable[[str], object]) -> bool:
    """True when every entry of the scope fits; value_of: what a payment has under a key (corridor or one of FIELDS)."""
    for key, wanted in scope.items():
        if key == "party":
            if wanted not in [value_of(name) for name in PARTIES]:
                return False
            continue
        have = value_of(key)
        if have == wanted:
            continue
        # Without currency and channel a corridor is a pair of countries.
        if not (key == "corridor" and ":" not in wanted and str(have).startswith(wanted + ":")):
            return False
    return True


def changed(
    active: Containments, kind: str, payload: bytes | msgspec.Raw, version: str, at: int
) -> Containments:
    """The measures in force after a Control of kind `containment` or `limits` at `at` (ms); the expired drop out.

    Raises msgspec.DecodeError for a payload that is no form of that kind.
    """
    kept = tuple(c for c in active if c.until >= at)
    try:
        lifted = msgspec.json.decode(payload, type=Lift).lift
        return tuple(c for c in kept if c.version != lifted)
    except msgspec.ValidationError:
        pass
    if kind == "limits":
        limit = msgspec.json.decode(payload, type=Limit)
        new = Containment(
            scope=limit.scope, action="HOLD", until=limit.until, above_usd=limit.above_usd, version=version
        )
    else:
        new = msgspec.structs.replace(msgspec.json.decode(payload, type=Containment), version=version)
    return (*(c for c in kept if c.version != version), new)


def holding(active: Containments, at: int) -> bool:
    """True while a rolled-back model is held in place."""
    return any(c.model and c.until >= at for c in active)


def held(active: Containments, payload: bytes | msgspec.Raw, version: str, model: str) -> Containments:
    """With a hold on `model`, set by a Control of this version; one hold at a time."""
    until = msgspec.json.decode(payload, type=Held).until
    return (
        *(c for c in active if not c.model),
        Containment(scope={}, until=until, version=version, model=model),
    )


def _value(t: Transaction, key: str) -> object:
    return corridor_of(t) if key == "corridor" else getattr(t, FIELDS[key])
