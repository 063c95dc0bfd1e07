"""What a detector says, and the settings detectors follow (detectors.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec

from alerts.alert import Alert
from alerts.response.incident import Fact, Impacts, Loss, Scope, Urgency
from models.errors import SettingsError


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A surge that is going on. first_bad_at: the stream's time of the first sign of it, ms.

    alert_ids: what belongs to it. urgency: the least it asks for, None: that of its kind. facts: the numbers that
    decided, with what is usual beside them.
    """

    kind: str
    scope: Scope
    at: int
    text_en: str
    text_zh: str
    first_bad_at: int | None = None
    alert_ids: list[str] = []
    facts: dict[str, Fact] = {}
    impacts: Impacts = Impacts()
    loss: Loss = Loss()
    urgency: Urgency | None = None


class Rise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count that rises above what is usual. See detectors.toml."""

    window: int
    least: int
    ratio: float
    decades: float
    floor: float
    share: float = 0.6
    entities: int = 1
    typologies: list[str] = []
    not_typologies: list[str] = []


class ModelCollapse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See detectors.toml."""

    window: int
    least: int
    ratio: float
    share: float
    recent_hours: float
    auc_below: float
    settled_least: int


class ListOutage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """grace: minutes a list may be over its age."""

    grace: int


class Flood(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See detectors.toml."""

    window: int
    least: int
    share: float


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many within a window (minutes)."""

    window: int
    least: int


class Refusals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See detectors.toml. windows: minutes, any of which may tell. floor: share that is refused usually, at least."""

    windows: list[int]
    least: int
    share: float
    decades: float
    floor: float


class Lost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """least_s: seconds without the store that are no hiccup."""

    least_s: float


class BurnRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Burn rate that must be reached over both windows (minutes)."""

    burn: float
    long: int
    short: int
    urgency: Urgency


class Burn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """objective: share of the time a process must be there. stale_s: a beat older than this means it is not."""

    stale_s: int
    rule: list[BurnRule]
    objective: dict[str, float]


class DetectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """detectors.toml."""

    version: str
    card_testing: Rise
    account_takeover: Rise
    partner_compromise: Rise
    corridor_surge: Rise
    model_collapse: ModelCollapse
    list_outage: ListOutage
    dead_letter_flood: Flood
    availability_burn: Burn
    data_leak: Threshold
    payment_outage: Refusals
    store_loss: Lost


@cache
def detector_settings() -> DetectorSettings:
    """The settings that ship."""
    text = (files("alerts.response") / "detectors.toml").read_text("utf-8")
    try:
        return msgspec.convert(tomllib.loads(text), DetectorSettings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"detectors.toml: {error}") from None


def reach(alerts: Sequence[Alert]) -> tuple[list[str], Impacts, Loss]:
    """Ids, how many are hit and what it costs, by the alerts of a surge.

    Exposed is what they add up to, the loss their sum of risk × amount (an alert's priority).
    """
    exposed = sum(a.amount_usd for a in alerts)
    loss = sum(a.priority for a in alerts)
    people = {v for a in alerts if isinstance(v := a.decision.context.get("customer"), str)}
    people |= {a.entity for a in alerts if a.entity_kind in ("customer", "card")}
    return (
        [a.id for a in alerts],
        Impacts(customers=len(people), loss_usd=round(loss, 2)),
        Loss(exposed_usd=round(exposed, 2), rate=min(loss / exposed, 1.0) if exposed > 0 else 0.0),
    )
