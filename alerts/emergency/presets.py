"""Containment presets of a plan: measures thought out beforehand, in the verbs of containment.

A preset says what is to be done; where, comes from the incident: `scope_from` names the keys of the incident's scope
that it takes over, `scope` what is fixed. It is proposed, approved and ended like any other measure
(alerts/response/measure.py); what it does in the stream is models/containment.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from alerts.emergency.reading import Words
from alerts.response.clock import Clock
from alerts.response.measure import Verb, approved, control_on, effect_of, proposed
from models.containment import SCOPES, Containments, changed
from models.errors import IncidentError, PlanError


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One measure. minutes: how long it holds before it ends by itself. above_usd: `limit` only.

    A rollback lets the snapshot that is named when it is used serve.
    """

    id: str
    verb: Verb
    text: Words
    minutes: Annotated[int, msgspec.Meta(ge=1)]
    scope_from: list[str] = []
    scope: dict[str, str] = {}
    above_usd: Annotated[float, msgspec.Meta(ge=0.0, lt=1e10)] | None = None

    def __post_init__(self) -> None:
        unknown = [key for key in self.scope_from if key not in SCOPES]
        if unknown:
            raise ValueError(f"scope_from: {unknown[0]!r} is not one of {', '.join(SCOPES)}")
        anywhere = dict.fromkeys(self.scope_from, "x")
        if self.verb == "hold_payouts" and "channel" in anywhere:
            raise ValueError("payouts leave by channel transfer: leave the channel out")
        try:
            effect_of(self.verb, {**anywhere, **self.scope}, self.above_usd)
        except IncidentError as error:
            raise ValueError(str(error)) from None


class Proposal(NamedTuple):
    """What is asked of `ResponseCore.propose`."""

    verb: Verb
    scope: dict[str, str]
    minutes: int
    above_usd: float | None


def proposal(preset: Preset, incident: Mapping[str, str]) -> Proposal:
    """The preset in an incident of this scope. PlanError names what the scope lacks."""
    missing = [key for key in preset.scope_from if not incident.get(key)]
    if missing:
        raise PlanError(f"preset {preset.id}: the incident names no {', '.join(missing)}; say which")
    scope = {**{key: incident[key] for key in preset.scope_from}, **preset.scope}
    return Proposal(preset.verb, scope, preset.minutes, preset.above_usd)


def tried(preset: Preset, incident: Mapping[str, str], now: int) -> Containments:
    """What the engine would hold in force after the preset; empty for a rollback, which holds a model in place.

    It goes the way of a real measure. Raises PlanError, or IncidentError for one that could not be proposed.
    """
    what, clock = proposal(preset, incident), Clock(now, now, 1.0)
    model = "snapshot" if what.verb == "rollback" else ""
    measure = proposed(
        what.verb, what.scope, what.minutes, "tried", "one", now, above_usd=what.above_usd, model=model
    )
    control = control_on(approved(measure, "another", clock), clock)
    payload: Any = control.payload
    return () if control.kind == "model" else changed((), control.kind, payload, control.version, now)
