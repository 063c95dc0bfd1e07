"""Shared indicators: a file of entries whose values only members of the exchange can test, and nobody can read.

JSON lines, UTF-8:

    {"format": "tidegate-indicators", "v": 1, "exchange": "…", "salt": "<32 hex>", "made_at": ms, "count": n}
    {"list": "block", "entity": "card", "form": "card", "hash": "<64 hex>", "source": "…", "confidence": 90,
     "until": ms}                                                                     n of these
    {"mac": "<64 hex>"}

    hash = HMAC-SHA-256(key, "tidegate-indicator" 0x1f exchange 0x1f salt 0x1f form 0x1f value)
    mac  = HMAC-SHA-256(key, every byte before its line)

key: 32 random bytes the members share (a 0600 file, hexadecimal). value: normalised as at the door (`form` card: its
digits; account: capitals without blanks; email: lower case; phone: E.164; ip: canonical text; plain: an id as it is).
The salt belongs to the exchange and stays the same from file to file, so that a value keeps its hash. A salt without a
secret key would not do: all card numbers of a BIN are tried in seconds. Reasons are free text and stay at home. An entry
with `"until": 0` revokes an earlier one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

from alerts.lists.kept import Kept
from alerts.lists.tokens import Form
from models.errors import CustodyError, StoreError
from models.events import Millis, Text
from models.lists import EntityKind, ListName

T = TypeVar("T")
KEY_BYTES = 32
MOST_BYTES = 256 * 1024 * 1024
Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]


class ExchangeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exchange we are a member of. key_file: 64 hexadecimal digits, mode 0600 in a directory of mode 0700.

    max_age_h: hours after which its newest file counts as stale; 0: never.
    """

    name: Name
    key_file: str
    salt: Hex32
    max_age_h: Annotated[float, msgspec.Meta(ge=0)] = 168.0


class Exchange:
    """Name, salt and key of an exchange; the key shows in no repr and no pickle."""

    __slots__ = ("_key", "name", "salt")

    def __init__(self, name: str, salt: str, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise CustodyError(f"exchange {name}: the key has {len(key)} bytes, {KEY_BYTES} are needed")
        self.name, self.salt, self._key = name, salt, key

    @classmethod
    def of(cls, settings: ExchangeSettings, secret: bytes) -> Exchange:
        """From its settings and what stands in its key file."""
        try:
            key = bytes.fromhex(secret.decode("ascii").strip())
        except (UnicodeDecodeError, ValueError):
            raise CustodyError(f"{settings.key_file}: not a key in hexadecimal digits") from None
        return cls(settings.name, settings.salt, key)

    def hash(self, form: Form, normal: str) -> str:
        """What a normalised value is called in the exchange."""
        parts = ("tidegate-indicator", self.name, self.salt, form, normal)
        return hmac.new(self._key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()

    def mac(self, data: bytes) -> str:
        """The file's authentication."""
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"Exchange({self.name!r})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


class Indicator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One shared entry."""

    list: ListName
    entity: EntityKind
    form: Form
    hash: Hex64
    source: Text
    confidence: Annotated[int, msgspec.Meta(ge=0, le=100)]
    until: Millis


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal["tidegate-indicators"]
    v: Literal[1]
    exchange: Name
    salt: Hex32
    made_at: Millis
    count: Annotated[int, msgspec.Meta(ge=0)]


class _Tail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mac: Hex64


class Shared(NamedTuple):
    """A file that was read: when it was made, and what is in it."""

    made_at: int
    indicators: list[Indicator]


def written(exchange: Exchange, indicators: Sequence[Indicator], made_at: int) -> bytes:
    """The file."""
    head = _Head(
        format="tidegate-indicators", v=1, exchange=exchange.name, salt=exchange.salt, made_at=made_at,
        count=len(indicators),
    )  # fmt: skip
    lines = [msgspec.json.encode(head), *map(msgspec.json.encode, indicators)]
    data = b"\n".join(lines) + b"\n"
    return data + msgspec.json.encode(_Tail(exchange.mac(data))) + b"\n"


def read(exchange: Exchange, data: bytes, name: str) -> Shared:
    """Read a file of the exchange. Raises StoreError naming the line; nothing is taken of a file that fails its check."""
    if len(data) > MOST_BYTES:
        raise StoreError(f"{name}: {len(data):,} bytes, at most {MOST_BYTES:,} are taken")
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    tail = _line(last, _Tail, name, data.count(b"\n"))
    if not hmac.compare_digest(tail.mac, exchange.mac(body)):
        raise StoreError(
            f"{name}: not made with the key of exchange {exchange.name}, or changed since: take nothing from it"
        )
    first, *rest = body.splitlines()
    head = _line(first, _Head, name, 1)
    if (head.exchange, head.salt) != (exchange.name, exchange.salt):
        raise StoreError(
            f"{name}:1: is of exchange {head.exchange!r} or of another salt, not of {exchange.name!r}"
        )
    if head.count != len(rest):
        raise StoreError(f"{name}:1: says {head.count} indicators, {len(rest)} follow")
    return Shared(head.made_at, [_line(line, Indicator, name, number) for number, line in enumerate(rest, 2)])


def shareable(
    kept: Iterable[Kept], exchange: str, at: int, *, lists: Sequence[ListName] = ("block", "watch")
) -> tuple[list[Indicator], int]:
    """The entries in force that have a hash of the exchange, and how many have none.

    What came from an exchange itself (`basis` shared) is not sent round again; what the law demands is not ours to share.
    """
    found, without = [], 0
    for one in kept:
        entry = one.entry
        if entry.list not in lists or entry.basis != "own" or entry.over(at) or entry.until is None:
            continue
        form, _, value = one.hashes.get(exchange, "").partition(":")
        if not value:
            without += 1
            continue
        found.append(
            Indicator(
                list=entry.list, entity=entry.entity, form=form, hash=value, source=entry.source,  # type: ignore[arg-type]
                confidence=entry.confidence, until=entry.until,
            )
        )  # fmt: skip
    return found, without


def _line(line: bytes, kind: type[T], name: str, number: int) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{name}:{number}: {error}") from None
