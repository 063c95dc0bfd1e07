"""What the notification clocks need to know of an incident and of us. What is not known is None: not known is not no."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from alerts.alert import Severity
from models.errors import PlanError

Flag = Literal[
    "personal_data", "card_data", "fraud_through_channel", "settlement_at_risk", "mass_incident", "relatively_major",
    "critical_infrastructure", "state_organ", "harm_avoided", "no_risk_to_persons", "high_risk_to_persons",
    "product_defect", "major_ict_incident", "significant_incident", "notification_incident",
]  # fmt: skip
FLAGS: tuple[Flag, ...] = get_args(Flag)
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0.0)]
LATEST_MS = 4_102_444_800_000
"""The year 2100: what is later is a mistake in the unit."""
Millis = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
Entity = Literal[
    "payment_institution", "bank", "financial_entity", "essential_entity", "important_entity", "controller",
    "product_provider",
]  # fmt: skip
Scheme = Literal["visa", "mastercard"]
MOMENTS = ("occurred", "known", "classified", "determined", "handling_ended")


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A notice that went out. digest: SHA-256 of its text; missing: content it lacked, and why it went all the same."""

    at: Millis
    by: str
    digest: str = ""
    missing: list[str] = []
    reason: str = ""


_NOT_DESIGNATED: dict[Flag, bool] = {"critical_infrastructure": False, "state_organ": False}
"""Nobody is either without having been told so by an authority."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who we are, as far as it decides whom we owe notices. Part of tidegate.toml (`[notices]`).

    jurisdictions: ISO 3166-1 codes of countries whose law we are under, home first; of the EU's states the first one
    named is the home member state. entity: what we are under that law. schemes: whose members we are. flags: what always
    holds or never does, unless an incident says otherwise. reporter, contact: who reports, and how to reach them; they
    stand in every draft.
    """

    jurisdictions: tuple[Country, ...] = ("CN",)
    entity: tuple[Entity, ...] = ("payment_institution", "controller")
    schemes: tuple[Scheme, ...] = ("visa", "mastercard")
    flags: dict[Flag, bool] = msgspec.field(default_factory=lambda: dict(_NOT_DESIGNATED))
    reporter: str = ""
    contact: str = ""


class IncidentFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One incident. Times in ms since the epoch.

    occurred: it began. known: we became aware. classified: it was graded as major. determined: a notification incident
    was determined (US). handling_ended: it is dealt with. persons: whose personal data are concerned; records: how many
    records. loss_cny: direct loss, yuan. content: texts by item of notice_content.toml. sent, waived: by id of the
    deadline; waived says why a notice is not owed.
    """

    incident: str
    kind: str
    severity: Severity
    title: str = ""
    occurred: Millis | None = None
    known: Millis | None = None
    classified: Millis | None = None
    determined: Millis | None = None
    handling_ended: Millis | None = None
    customers: Count | None = None
    records: Count | None = None
    persons: Count | None = None
    payments_failed: Count | None = None
    outage_min: Amount | None = None
    loss_cny: Amount | None = None
    flags: dict[Flag, bool] = {}
    content: dict[str, str] = {}
    sent: dict[str, Sent] = {}
    waived: dict[str, str] = {}

    def moment(self, name: str) -> int | None:
        """A moment by its name (MOMENTS)."""
        found: int | None = getattr(self, name)
        return found


def read_facts(data: bytes, name: str) -> IncidentFacts:
    """Facts as JSON. Raises PlanError naming file and place."""
    if not data.strip():
        raise PlanError(f"{name}: the file of facts is empty: give one JSON object (docs/notices.md)")
    try:
        return msgspec.json.decode(data, type=IncidentFacts)
    except msgspec.DecodeError as error:
        raise PlanError(f"{name}: {error}") from None
