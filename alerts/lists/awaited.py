"""Imported indicators wait until their value is seen: then, and only then, we know which token of ours they mean.

Our tokens and the hashes of an exchange are made with different keys, so neither can be turned into the other. The
door sees clear values; while indicators are awaited it also computes their hash in the exchange (some 2 µs each, once a
value) and, when one is awaited, puts our token on the list, in a Control event like any other entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from alerts.custody.audit import SYSTEM
from alerts.lists.changing import ListStore, put_entries
from alerts.lists.exchange import Exchange, Indicator
from alerts.lists.tokens import Form
from models.errors import StoreError
from models.lists import Key, Listed, ListName

RELOAD_MS = 10_000
REMEMBERED = 200_000
"""Values hashed lately, which are not hashed again."""
_CLEAR: tuple[tuple[str, Form], ...] = (
    ("pan", "card"), ("account", "account"), ("payee_account", "account"), ("email", "email"), ("phone", "phone"),
    ("ip", "ip"),
)  # fmt: skip
_PLAIN = ("device", "merchant", "partner", "bin", "payer", "payee")


class Tokens(Protocol):
    """alerts.custody.pseudonym.Pseudonyms."""

    def token(self, purpose: Any, value: str) -> str: ...


def name_of(exchange: str, one: Indicator) -> str:
    """What an awaited indicator is called in the store; a newer one of the same takes its place."""
    return "\x1f".join((exchange, one.form, one.hash, one.list, one.entity))


def entry_of(exchange: str, one: Indicator, token: str, listed: ListName) -> Listed:
    """The entry that an indicator becomes once its token is known."""
    return Listed(
        list=listed, entity=one.entity, token=token, source=f"{exchange}: {one.source}"[:256], basis="shared",
        reason=f"shared through {exchange}", confidence=one.confidence, until=one.until,
    )  # fmt: skip


def listed_as(one: Indicator, block_from: int) -> ListName | None:
    """On which list an indicator goes: what others are less sure of is watched, what others trust is not our business."""
    if one.list == "allow":
        return None
    return "block" if one.list == "block" and one.confidence >= block_from else "watch"


_Found = tuple[str, Indicator, str]
"""Exchange, indicator, the token it turned out to mean."""


class Awaited:
    """Recognises awaited indicators among the values a door sees. Not for several threads.

    clock: ms; block_from: see listed_as. `store` is asked every RELOAD_MS whether
    something else is awaited.
    """

    def __init__(
        self, store: ListStore, exchanges: Sequence[Exchange], clock: Callable[[], int], block_from: int
    ) -> None:
        self._store, self._clock, self._block_from = store, clock, block_from
        self._exchanges = {one.name: one for one in exchanges}
        self._by_hash: dict[tuple[str, str, str], list[Indicator]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._loaded, self._version = -RELOAD_MS, -1

    def look(
        self, event: Any, clear: Any, tokens: Tokens, normal: Mapping[str, Callable[[str], str]]
    ) -> None:
        """Look at an event that passes the door, with its clear fields (or None)."""
        now = self._clock()
        if not 0 <= now - self._loaded < RELOAD_MS:
            self._load(now)
        if not self._by_hash:
            return
        found: list[_Found] = []
        for field, form in _CLEAR if clear is not None else ():
            value = getattr(clear, field)
            if value is not None and (text := normal[form](value)):
                found += self._awaited(form, text, tokens)
        for field in _PLAIN:
            value = getattr(event, field, None)
            if value is not None:
                found += self._awaited("plain", value, tokens)
        if not found:
            return
        try:
            self._recognise(found, now)
        except StoreError:
            # Payments go on; what was not written is awaited still, and found again after the next look at the store.
            self._by_hash, self._version = {}, -1

    def _awaited(self, form: Form, text: str, tokens: Tokens) -> list[_Found]:
        if (form, text) in self._seen:
            return []
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen.add((form, text))
        out = []
        for exchange in self._exchanges.values():
            for one in self._by_hash.pop((exchange.name, form, exchange.hash(form, text)), ()):
                out.append((exchange.name, one, text if form == "plain" else tokens.token(form, text)))
        return out

    def _recognise(self, found: Sequence[_Found], now: int) -> None:
        entries: list[Listed] = []
        hashes: dict[Key, dict[str, str]] = {}
        for exchange, one, token in found:
            listed = listed_as(one, self._block_from)
            if listed is not None:
                entry = entry_of(exchange, one, token, listed)
                entries.append(entry)
                hashes[entry.key] = {exchange: f"{one.form}:{one.hash}"}
        put_entries(
            self._store, entries, actor=SYSTEM, role=SYSTEM, now=now, action="recognised", hashes=hashes,
            reason="a shared indicator was seen",
        )  # fmt: skip
        self._store.await_indicators({}, [name_of(exchange, one) for exchange, one, _ in found])

    def _load(self, now: int) -> None:
        self._loaded = now
        try:
            version = self._store.awaited_version()
            if version == self._version:
                return
            kept = self._store.awaited_indicators()
        except StoreError:
            return
        before = self._by_hash.keys()
        by_hash: dict[tuple[str, str, str], list[Indicator]] = {}
        for name, body in kept.items():
            exchange = name.partition("\x1f")[0]
            one = msgspec.json.decode(body, type=Indicator)
            if exchange in self._exchanges and one.until >= now:
                by_hash.setdefault((exchange, one.form, one.hash), []).append(one)
        if by_hash.keys() - before:
            # What was seen before something new was awaited has to be looked at again.
            self._seen.clear()
        self._by_hash, self._version = by_hash, version
