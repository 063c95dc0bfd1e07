"""What the engine says about a transaction: risk, band, action and the reasons, in the contract's scales."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.shedding import Left

ACTIONS = ("APPROVE", "STEP_UP", "HOLD", "DECLINE", "FREEZE")
Band = Literal["low", "medium", "high", "critical"]
Action = Literal["APPROVE", "STEP_UP", "HOLD", "DECLINE", "FREEZE"]
BANDS: tuple[Band, ...] = ("low", "medium", "high", "critical")


class Reason(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One reason of a decision.

    code: feature name, rule id or model name. kind tells which. observed and usual (or threshold) are
    in the feature's unit; share is the part of the blended log-odds it explains (model reasons add up to
    the whole). Texts are ready for people, in English and Chinese.
    """

    code: str
    kind: Literal["feature", "rule", "screen", "containment", "list"]
    text_en: str
    text_zh: str
    observed: float | None = None
    usual: float | None = None
    share: float = 0.0


class Counterfactual(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the amount alone would have changed (models/counterfactual.py).

    amount_usd, band, risk: the largest smaller amount that was found in a lower band, with its band and risk; None
    where there is none. steady: every smaller amount tried lies in a lower band too. decided_by: rules (or
    `containment`, `list.block` …) that ask for the action whatever the risk; then no amount was looked for.
    """

    text_en: str
    text_zh: str
    amount_usd: float | None = None
    band: Band | None = None
    risk: float | None = None
    steady: bool = True
    decided_by: list[str] = []


class RuleHit(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A rule that was true for the transaction; a shadow hit never changes the action."""

    id: str
    version: str
    action: Action
    severity: Band
    typology: str
    shadow: bool = False


class Versions(msgspec.Struct, frozen=True, gc=False):
    """The artefacts a decision was made with, by content hash or number."""

    model: str
    rules: str
    lists: str
    fx: str


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """The decision on one transaction. `id` is the transaction's event id.

    scores: probability by model. not_assessed: ids of rules that could not be judged for missing data.
    context: what a person needs beside it (tokens, amount, currency, amount_usd, countries, corridor …);
    never clear personal data. late: event_time lay before what one of its entities had already seen. explored: the
    models alone would have declined it; let through to learn what becomes of such payments. shed: the last of what was
    left out because the flow was behind (models/shedding.py); empty: nothing was, or nothing was owed.
    """

    id: str
    event_time: int
    risk: float
    band: Band
    action: Action
    rules: list[RuleHit] = []
    reasons: list[Reason] = []
    not_assessed: list[str] = []
    scores: dict[str, float] = {}
    versions: Versions
    context: dict[str, str | float | int | None] = {}
    features: dict[str, float | None] | None = None
    late: bool = False
    explored: bool = False
    counterfactual: Counterfactual | None = None
    shed: Left = ""


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """An entry that could not be taken: reason code, what and where, and the bytes (sealed when live).

    place: where it came from (`file:line` or stream entry id). undecodable: the line was no event at all;
    otherwise it was a well-formed event refused for what it says.
    """

    reason: str
    detail: str
    place: str
    undecodable: bool
    kind: str | None = None
    event_id: str | None = None
    data: str | None = None


class Counters(msgspec.Struct, kw_only=True):
    """The counting identity.

    events_in = transactions + behaviours + labels + controls + others + undecodable and
    transactions = decided + dead_lettered + duplicates. `dead_lettered` counts transactions only;
    dead letters of other kinds count under their kind and in `refused_others`. dead_letters: of every kind,
    undecodable ones included. examples: outcomes handed to the learner. alerts: hits, before merging.
    vectors_gone: outcomes that could not be learnt because newer vectors had taken the place of theirs.
    vectors_waiting: payments whose outcome is open now.
    """

    events_in: int = 0
    transactions: int = 0
    behaviours: int = 0
    labels: int = 0
    controls: int = 0
    others: int = 0
    undecodable: int = 0
    decided: int = 0
    dead_lettered: int = 0
    duplicates: int = 0
    refused_others: int = 0
    alerts: int = 0
    late: int = 0
    too_late: int = 0
    labels_unmatched: int = 0
    vectors_gone: int = 0
    vectors_waiting: int = 0
    evicted: int = 0
    dead_letters: int = 0
    examples: int = 0

    def balanced(self) -> bool:
        """True while both counting identities hold."""
        return (
            self.events_in
            == (
                self.transactions
                + self.behaviours
                + self.labels
                + self.controls
                + self.others
                + self.undecodable
            )
            and self.transactions == self.decided + self.dead_lettered + self.duplicates
        )


_encoder = msgspec.json.Encoder()


def encode_decision(decision: Decision) -> bytes:
    """One JSON object in canonical field order."""
    return _encoder.encode(decision)


def digest_line(decision: Decision) -> bytes:
    """The decision's line for the stream digest: canonical JSON of exactly what contract and replay compare."""
    v = decision.versions
    return _encoder.encode(
        {
            "id": decision.id,
            "action": decision.action,
            "band": decision.band,
            "risk": round(decision.risk, 6),
            "rules": [f"{hit.id}@{hit.version}" for hit in decision.rules],
            "model": v.model,
            "rules_version": v.rules,
            "lists": v.lists,
            "fx": v.fx,
        }
    )
