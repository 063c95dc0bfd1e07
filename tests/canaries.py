"""Raw events full of things that must never be seen again behind the door, and the patterns to look for.

Names, addresses and mailboxes are marked CANARY; card numbers are the schemes' published test numbers; IP
addresses are from the documentation ranges (RFC 5737, RFC 3849), phone numbers and accounts are synthetic.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

TEST_PANS = (
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "30569309025904",
    "6200000000000005",
    "2223003122003222",
)
ACCOUNTS = ("DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606")
PHONES = ("+999155500", "+888155511", "00777155522")
ADDRESSES = ("203.0.113.", "198.51.100.", "2001:db8:ca:")

CANARY_PATTERNS: tuple[bytes, ...] = (
    b"CANARY",
    b"canary",
    "金丝雀".encode(),
    # as JSON or a repr would write the Chinese canary
    rb"\u91d1\u4e1d\u96c0",
    *(pan.encode() for pan in TEST_PANS),
    *(account.encode() for account in ACCOUNTS),
    *(phone.encode() for phone in PHONES),
    *(address.encode() for address in ADDRESSES),
    b"1987-06-05",
)
"""No output of Tidegate may hold any of these byte strings."""

_FIRST_MS = 1_790_000_000_000
_SPOILS = (
    "purpose",
    "order_id",
    "device",
    "id",
    "attribute",
    "type",
    "truncated",
    "field",
    "enum",
    "encoding",
    "ip",
    "luhn",
)


def canary_lines(n: int, seed: int) -> Iterator[bytes]:
    """`n` raw lines, the same for the same seed: mostly good payments and logins, one in twenty spoiled.

    A spoiled line carries a canary where none belongs or cannot be decoded, and so ends in the dead letters.
    """
    draw = random.Random(seed)
    for number in range(n):
        clear = _clear(draw)
        event: dict[str, object] = {
            "type": "transaction",
            "id": f"tx-{seed}-{number}",
            "event_time": _FIRST_MS + number * 250,
            "received_at": _FIRST_MS + number * 250 + 40,
            "amount": draw.randrange(100, 90_000),
            "currency": draw.choice(("EUR", "USD", "CNY")),
            "channel": draw.choice(("cnp", "qr", "wallet", "transfer")),
            "merchant": f"m-{draw.randrange(40)}",
            "partner": f"psp-{draw.randrange(4)}",
            "device": f"dev-{draw.randrange(500):06x}",
            "issuer_country": "DE",
            "payer_country": "DE",
            "payee_country": "CN",
            "purpose": "goods",
            "order_id": f"ORD-2026-{number:06d}",
            "attributes": {"basket_items": draw.randrange(1, 9), "score": round(draw.random(), 12)},
            "clear": clear,
        }
        if number % 10 == 7:
            event = {
                "type": "behaviour",
                "kind": draw.choice(("login", "contact_change", "payee_added")),
                "id": f"bh-{seed}-{number}",
                "event_time": _FIRST_MS + number * 250,
                "clear": clear,
            }
        if number % 20 == 13:
            yield _spoil(event, clear, draw)
        else:
            yield json.dumps(event, ensure_ascii=draw.random() < 0.5).encode()


def _clear(draw: random.Random) -> dict[str, str]:
    who = draw.randrange(300)
    everything = {
        "payer_name": f"CANARY-Payer {who}" if who % 3 else f"金丝雀付款人{who}",
        "payee_name": f"CANARY-Payee {draw.randrange(80)}",
        "pan": TEST_PANS[who % len(TEST_PANS)],
        "account": ACCOUNTS[who % len(ACCOUNTS)],
        "payee_account": ACCOUNTS[(who + 1) % len(ACCOUNTS)],
        "email": f"canary.{who}@example.com",
        "phone": PHONES[who % len(PHONES)] + f"{who:03d}",
        "address": f"CANARY Street {who}, Testtown",
        "ship_name": f"CANARY-Receiver {who}",
        "ship_address": f"CANARY Lane {who}, Testtown",
        "ip": ADDRESSES[who % 2] + str(who % 250) if who % 5 else f"2001:db8:ca:{who:x}::1",
        "birth_date": "1987-06-05",
        "order_name": f"CANARY-Payer {who}",
        "waybill_name": f"CANARY-Receiver {who}",
    }
    always = {"account"}
    return {name: value for name, value in everything.items() if name in always or draw.random() < 0.7}


def _spoil(event: dict[str, object], clear: dict[str, str], draw: random.Random) -> bytes:
    kind = draw.choice(_SPOILS)
    pan = draw.choice(TEST_PANS)
    clear.setdefault("payer_name", "CANARY-Payer 0")
    text = draw.choice((f"card {pan}", "mail canary@example.com", clear["payer_name"], clear["account"]))
    if kind in ("purpose", "order_id") and event["type"] == "transaction":
        event[kind] = text
    elif kind == "device":
        event["device"] = text
    elif kind == "id":
        event["id"] = text
    elif kind == "attribute":
        event["attributes"] = {text: 1}
    elif kind == "type":
        event["type"] = "CANARY"
    elif kind == "field":
        event[text] = text
    elif kind == "enum":
        event["channel"] = event["kind"] = text
    elif kind == "ip":
        event["ip"] = "203.0.113.9"
    elif kind == "luhn":
        clear["pan"] = "4111111111111112"
        event["amount"] = "CANARY"
    line = json.dumps(event, ensure_ascii=False).encode()
    if kind == "encoding":
        return line.replace(b'"clear"', b'"purpose": "CANARY \xff", "clear"')
    return line[: len(line) * 2 // 3] if kind == "truncated" else line
