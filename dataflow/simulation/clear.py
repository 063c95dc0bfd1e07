"""The events as a sender hands them to the door: personal data in the clear, under `clear`.

Everything is synthetic and says so: names and addresses begin with SYNTH-, card numbers are made on the
schemes' test issuer numbers, IP addresses come from the blocks kept for benchmarks and documentation
(RFC 2544, RFC 3849), e-mail addresses from example.com (RFC 2606).
"""

from __future__ import annotations

from typing import Any

import msgspec

from dataflow.simulation.world import ATTACK_CARDS, World, card_number
from models.events import AnyEvent, Behaviour, ClearFields, Transaction

_encoder = msgspec.json.Encoder()


def raw_line(world: World, event: AnyEvent) -> bytes:
    """One line for `tidegate ingest`; the door sets `received_at`. Labels stay as they are."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    del fields["received_at"]
    if not isinstance(event, Transaction | Behaviour):
        return _encoder.encode(fields)
    clear: dict[str, str] = {}
    payer, payee = fields.pop("payer", None), fields.pop("payee", None)
    if payer is not None:
        mark = _mark(payer)
        clear.update(account=f"SYNTH-ACCOUNT-{mark}", payer_name=f"SYNTH-PERSON-{mark}")
        if isinstance(event, Transaction):
            clear["email"] = f"synth.{mark.lower()}@example.com"
    if payee is not None:
        mark = _mark(payee)
        clear.update(payee_account=f"SYNTH-ACCOUNT-{mark}", payee_name=f"SYNTH-PERSON-{mark}")
    card = fields.pop("card", None)
    if card is not None:
        for place in ("bin", "last4"):
            fields.pop(place, None)
        clear["pan"] = _pan(world, int(_mark(card)))
    if (ip := fields.pop("ip", None)) is not None:
        clear["ip"] = _address(int(_mark(ip)))
    if (ship := fields.pop("ship_token", None)) is not None:
        mark = _mark(ship)
        clear.update(ship_address=f"SYNTH-STREET {mark}", ship_name=f"SYNTH-PERSON-{mark}")
    if (papers := fields.get("documents")) is not None:
        clear.update(_parties(papers))
    fields.pop("screen", None)  # the door's own screens set it
    if clear:
        fields["clear"] = msgspec.convert(clear, ClearFields)
    return _encoder.encode(fields)


def _parties(papers: dict[str, Any]) -> dict[str, str]:
    """The names on order, payment and waybill, taken out of the papers."""
    places = {"order_party": "order_name", "payment_party": "payer_name", "waybill_party": "waybill_name"}
    return {
        name: f"SYNTH-PERSON-{_mark(papers.pop(place))}" for place, name in places.items() if place in papers
    }


def _mark(token: str) -> str:
    return token.rpartition("SYNTH")[2]


def _pan(world: World, index: int) -> str:
    if index >= ATTACK_CARDS:
        return card_number(index, (index - ATTACK_CARDS) // 100_000)
    return card_number(index, int(world.card_iin[index]))


def _address(index: int) -> str:
    if index < 1 << 17:
        return f"198.{18 + (index >> 16)}.{index >> 8 & 255}.{index & 255}"
    return f"2001:db8::{index >> 16:x}:{index & 65535:x}"
