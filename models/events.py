"""The vocabulary: every kind of event that may travel on Tidegate's streams, and its JSONL codec.

Events on the streams are *protected*: they hold tokens (keyed pseudonyms) and one sealed envelope, never
clear personal data. What a sender hands to the door (`tidegate ingest`) may carry one more object, `clear`,
described by `ClearFields`; the door turns it into tokens and an envelope and takes it out.

Units: times are integer milliseconds since the Unix epoch, UTC. Amounts are integer minor units of the
ISO 4217 currency beside them. Countries are ISO 3166-1 alpha-2. Channels: `cnp` card-not-present, `qr`,
`wallet` (NFC or wallet), `transfer` (bank transfer). Field names follow ISO 20022 where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, get_args

import msgspec

from models.decode_errors import event_error
from models.errors import EventError

SCHEMA_VERSION = 1
FUTURE_TOLERANCE_MS = 5 * 60 * 1000
MAX_LINE_BYTES = 64 * 1024

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Country = Annotated[str, msgspec.Meta(min_length=2, max_length=2)]
Currency = Annotated[str, msgspec.Meta(min_length=3, max_length=3)]
# 0 ms is 1970, the upper bound is the year 2100: anything outside is a unit mistake (seconds, microseconds).
Millis = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)]
Minor = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Goods = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4,10}$")]
Channel = Literal["cnp", "qr", "wallet", "transfer"]
Proof = Literal["passed", "failed", "absent"]


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Authentication evidence by category (PSD2 RTS art. 6–8): what the payer knows, has and is."""

    knowledge: Proof | None = None
    possession: Proof | None = None
    inherence: Proof | None = None


class ScreenResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """All that travels from a name screen: never the name."""

    list_version: str
    score: float
    matched_id: str | None
    band: Literal["clear", "review", "block"]


class Documents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What order, payment and waybill say of one purchase of goods (the customs' match of three documents).

    Parties are tokens of one purpose, so that equal people have equal tokens; the door makes them of names. Amounts are
    in minor units of the payment's currency. Goods are codes of the Harmonized System, 4 to 10 digits. quantity: pieces
    ordered; weight_grams: as the waybill declares it. What is not known stays absent and is not judged.
    """

    order_party: Id | None = None
    payment_party: Id | None = None
    waybill_party: Id | None = None
    order_amount: Minor | None = None
    waybill_amount: Minor | None = None
    order_goods: Goods | None = None
    waybill_goods: Goods | None = None
    quantity: Annotated[float, msgspec.Meta(gt=0, le=10**9)] | None = None
    weight_grams: Annotated[int, msgspec.Meta(gt=0, le=10**12)] | None = None


class Event(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="type",
):
    """What every event has.

    id: unique per sender, the identity all derived ids come from.
    event_time: payer's clock. received_at: the door's clock; an event more than 5 minutes ahead is refused.
    content: keyed digest of what the sender sent, set at the door; two events with one id and different
    content are a conflict. envelope: sealed clear fields, base64.
    """

    id: Id
    event_time: Millis
    received_at: Millis
    content: str | None = None
    envelope: str | None = None
    v: Literal[1] = 1


class Transaction(Event, frozen=True, tag="transaction", gc=False):
    """A payment to be decided. `payer`, `payee`, `card`, `ip` are tokens; `attributes` are free numbers.

    payer_account, payee_account: tokens of the accounts money leaves and reaches, where `payer` and `payee` name people
    otherwise; one account has one token on both sides, so that what it receives and what it pays can be told together.
    """

    amount: Minor
    currency: Currency
    channel: Channel
    payer: Id | None = None
    payee: Id | None = None
    merchant: Id | None = None
    partner: Id | None = None
    instructing: Id | None = None
    instructed: Id | None = None
    card: Id | None = None
    bin: Annotated[str, msgspec.Meta(min_length=6, max_length=8)] | None = None
    last4: Annotated[str, msgspec.Meta(min_length=4, max_length=4)] | None = None
    issuer_country: Country | None = None
    payer_country: Country | None = None
    payee_country: Country | None = None
    device: Id | None = None
    ip: Id | None = None
    ip_country: Country | None = None
    ship_country: Country | None = None
    bill_country: Country | None = None
    ship_token: Id | None = None
    mcc: Annotated[str, msgspec.Meta(min_length=4, max_length=4)] | None = None
    purpose: Text | None = None
    evidence: Evidence | None = None
    authorisation: Literal["approved", "declined"] | None = None
    decline_code: Text | None = None
    uetr: Id | None = None
    order_id: Id | None = None
    screen: ScreenResult | None = None
    attributes: dict[str, float] | None = None
    payer_account: Id | None = None
    payee_account: Id | None = None
    documents: Documents | None = None


BehaviourKind = Literal[
    "login", "login_failed", "device_change", "credential_change", "contact_change", "payee_added", "refund"
]


class Behaviour(Event, frozen=True, tag="behaviour", gc=False):
    """Something a customer did that is not a payment."""

    kind: BehaviourKind
    payer: Id
    device: Id | None = None
    ip: Id | None = None
    ip_country: Country | None = None
    payee: Id | None = None
    merchant: Id | None = None
    card: Id | None = None
    amount: Minor | None = None
    currency: Currency | None = None


class Label(Event, frozen=True, tag="label", gc=False):
    """What became known about an earlier transaction; takes part from its own arrival on."""

    transaction_id: Id
    fraud: bool
    source: Literal["chargeback", "analyst", "dispute", "customer_report", "settled"]
    actor: Id | None = None
    typology: Text | None = None


class Heartbeat(Event, frozen=True, tag="heartbeat", gc=False):
    """A device, connector or partner endpoint says it is alive."""

    component: Id
    kind: Literal["device", "connector", "partner"] = "connector"
    status: Literal["ok", "degraded"] = "ok"
    firmware: Text | None = None


class Settlement(Event, frozen=True, tag="settlement", gc=False):
    """Money of a transaction moved, or a payout was made to a merchant or partner."""

    kind: Literal["settled", "payout", "returned"]
    amount: Minor
    currency: Currency
    transaction_id: Id | None = None
    merchant: Id | None = None
    partner: Id | None = None


ControlKind = Literal[
    "containment",
    "model",
    "rules",
    "lists",
    "limits",
    "fx",
    "thresholds",
    "pin",
    "unpin",
    "champion",
    "trust",
]


class Control(Event, frozen=True, tag="control", gc=False):
    """Everything that changes a decision and is not itself a payment event.

    version: content hash or number of the artefact. payload: inline JSON (rules: the pack's TOML text under
    `text`; fx: the table; thresholds: band edges; containment, limits: models/containment.py; lists: models/lists.py;
    pin: entity and key). artefact: content address of a large artefact (model snapshot) kept with the stream. A
    `champion` pins the model that `version` names, or leaves the choice to the tests again (`auto`); models/champions.py
    has the names. A `trust` ends a surge of labels from what `version` names (`actor:alice`; models/poisoning.py).
    """

    kind: ControlKind
    version: Id
    actor: Id | None = None
    reason: Text | None = None
    artefact: Id | None = None
    # Absent means None. Not `Raw | None`: in a union msgspec reads only the null and refuses every payload.
    payload: msgspec.Raw = None  # type: ignore[assignment]


AnyEvent = Transaction | Behaviour | Label | Heartbeat | Settlement | Control


class ClearFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Personal data as a sender hands it to the door, under the key `clear`. It never leaves the door.

    Envelopes name their fields by position: a new one goes to the end.
    """

    payer_name: Text | None = None
    payee_name: Text | None = None
    pan: Annotated[str, msgspec.Meta(min_length=12, max_length=19)] | None = None
    account: Text | None = None
    payee_account: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    address: Text | None = None
    ship_name: Text | None = None
    ship_address: Text | None = None
    ip: Text | None = None
    birth_date: Text | None = None
    order_name: Text | None = None
    waybill_name: Text | None = None


EVENT_FIELDS = sorted(
    {name for kind in (*get_args(AnyEvent), Documents) for name in kind.__struct_fields__} | {"type"}
)
_decoder = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def encode(event: AnyEvent) -> bytes:
    """One JSON line (without the newline) in the canonical field order."""
    return _encoder.encode(event)


def decode(line: bytes) -> AnyEvent:
    """Decode and check one JSON line.

    Raises EventError with reason `oversize`, `malformed` or `control_characters`; the detail names the
    field (msgspec's JSON path). What a well-formed event says is judged by the engine, not here.
    """
    check_characters(event := decode_all([line])[0], line)
    return event


def decode_all(lines: Sequence[bytes]) -> list[AnyEvent]:
    """Decode lines, but for `check_characters`; EventError of `decode` when one cannot be."""
    if (longest := max(map(len, lines), default=0)) > MAX_LINE_BYTES:
        raise EventError("oversize", f"line of {longest} bytes, at most {MAX_LINE_BYTES} are taken")
    found: list[AnyEvent] = []
    try:
        found.extend(map(_decoder.decode, lines))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise event_error(error, lines[len(found)], EVENT_FIELDS) from None
    return found


def check_characters(event: AnyEvent, line: bytes) -> None:
    """Raises EventError `control_characters` when a text of the event that came as this line holds one."""
    # JSON smuggles them only as \u escapes (or raw C1 bytes), so most lines skip the walk.
    if b"\\" in line or not line.isascii():
        _refuse_control_characters(event)


def _refuse_control_characters(event: msgspec.Struct, within: str = "$") -> None:
    for name in event.__struct_fields__:
        value, at = getattr(event, name), f"{within}.{name}"
        if isinstance(value, str) and _CONTROL.search(value):
            raise EventError("control_characters", f"control character in text - at `{at}`")
        if isinstance(value, dict) and any(map(_CONTROL.search, value)):
            raise EventError("control_characters", f"control character in a key - at `{at}`")
        if isinstance(value, msgspec.Struct):
            _refuse_control_characters(value, at)
