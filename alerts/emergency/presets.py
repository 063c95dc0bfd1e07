"""Containment presets of a plan: measures thought out beforehand, as the Control events that put them in force.

A preset says what is to be done; where, comes from the incident: `scope_from` names the keys of the incident's scope
that it takes over, `scope` what is fixed. What a measure then does in the stream is models/containment.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import msgspec

from alerts.emergency.reading import Words
from models.containment import PARTIES, SCOPES, Containments, changed, check_scope
from models.decision import Action
from models.errors import PlanError
from models.events import ControlKind

Verb = Literal["suspend", "step_up", "hold", "limit", "hold_payouts", "freeze", "rules_only", "rollback"]
VERBS: tuple[Verb, ...] = get_args(Verb)
_ACTIONS: dict[Verb, Action] = {
    "suspend": "DECLINE", "step_up": "STEP_UP", "hold": "HOLD", "hold_payouts": "HOLD", "freeze": "FREEZE",
}  # fmt: skip
_PAYOUTS = {"channel": "transfer"}
MINUTE_MS = 60_000


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One measure. minutes: how long it holds before it ends by itself. above_usd: `limit` only.

    hold_payouts holds what leaves by channel transfer; rules_only sets the models aside; rollback lets the snapshot
    that is named when it is used serve.
    """

    id: str
    verb: Verb
    text: Words
    minutes: Annotated[int, msgspec.Meta(ge=1, le=7 * 24 * 60)]
    scope_from: list[str] = []
    scope: dict[str, str] = {}
    above_usd: Annotated[float, msgspec.Meta(ge=0.0, lt=1e10)] | None = None

    def __post_init__(self) -> None:
        unknown = [key for key in self.scope_from if key not in SCOPES]
        if unknown:
            raise ValueError(f"scope_from: {unknown[0]!r} is not one of {', '.join(SCOPES)}")
        check_scope(self.scope)
        if (self.verb == "limit") != (self.above_usd is not None):
            raise ValueError(
                "limit needs above_usd, the lowered limit in US dollars; no other verb takes one"
            )
        keys = {*self.scope_from, *self.scope}
        if self.verb == "freeze" and keys.isdisjoint((*PARTIES, "party", "card")):
            raise ValueError(
                "freeze is for a party: take party, customer, merchant, payee or card into its scope"
            )
        if self.verb == "rollback" and keys:
            raise ValueError("a model serves the whole service: rollback takes no scope")

    def scope_in(self, incident: Mapping[str, str]) -> dict[str, str]:
        """The scope of the measure in an incident. PlanError names what the incident's own scope lacks."""
        missing = [key for key in self.scope_from if not incident.get(key)]
        if missing:
            raise PlanError(f"preset {self.id}: the incident names no {', '.join(missing)}; say which")
        fixed = _PAYOUTS if self.verb == "hold_payouts" else {}
        return {**{key: incident[key] for key in self.scope_from}, **self.scope, **fixed}


def control_of(preset: Preset, incident: Mapping[str, str], now: int) -> tuple[ControlKind, bytes]:
    """Kind and payload of the Control event that puts the preset in force at `now` (stream time, ms).

    A rollback's Control also names the snapshot (`artefact`), which is chosen when it is used.
    """
    until = now + preset.minutes * MINUTE_MS
    scope = preset.scope_in(incident)
    if preset.verb == "rollback":
        return "model", msgspec.json.encode({"until": until})
    if preset.verb == "limit":
        return "limits", msgspec.json.encode({"scope": scope, "above_usd": preset.above_usd, "until": until})
    if preset.verb == "rules_only":
        return "containment", msgspec.json.encode({"scope": scope, "rules_only": True, "until": until})
    return "containment", msgspec.json.encode(
        {"scope": scope, "action": _ACTIONS[preset.verb], "until": until}
    )


def tried(preset: Preset, incident: Mapping[str, str], now: int) -> Containments:
    """What the engine would hold in force after the preset; empty for a rollback, which holds a model in place."""
    kind, payload = control_of(preset, incident, now)
    return () if kind == "model" else changed((), kind, payload, preset.id, now)
