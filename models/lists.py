"""Red, amber and green lists: entries on an entity's token that Control events of kind `lists` set and take away.

    {"add": [{"list": "block", "entity": "card", "token": "card_1_…", "source": "…", "reason": "…", "confidence": 90,
              "until": ms}, …],
     "remove": [{"list": "block", "entity": "card", "token": "card_1_…"}, …]}

    block  red    the payment is stopped: `action` HOLD, DECLINE (the default) or FREEZE (the default by law)
    watch  amber  the payer proves who they are (STEP_UP, unless `action` says APPROVE or HOLD), a person sees it
    allow  green  the models are set aside; rules, screens and measures of containment hold as ever

Precedence: the strictest colour decides. An allow counts only where nothing else is listed for the payment, so neither it
nor anything else on a list lifts a block, least of all one by law. Of equal colours the strictest action wins.
Entries end by themselves, judged like everything at the stream's own clock (`received_at`), so a recording replays.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec

from models.containment import FIELDS
from models.decision import ACTIONS, Action, Reason
from models.errors import RuleError
from models.events import Id, Millis, Text, Transaction
from models.rows import corridor_of

ListName = Literal["block", "watch", "allow"]
LISTS: tuple[ListName, ...] = get_args(ListName)
EntityKind = Literal[
    "card", "customer", "device", "ip", "merchant", "payee", "bin", "partner", "corridor", "account", "party",
    "issuer_country",
]  # fmt: skip
ENTITY_KINDS: tuple[EntityKind, ...] = get_args(EntityKind)
Basis = Literal["law", "own", "shared"]
Key = tuple[str, str, str]
NONE = "none"
"""The version of no lists at all."""
MOST = 500_000
"""Entries at most, about 1 KB each."""
_ACTIONS: dict[str, tuple[Action, ...]] = {
    "block": ("HOLD", "DECLINE", "FREEZE"), "watch": ("APPROVE", "STEP_UP", "HOLD"), "allow": ("APPROVE",),
}  # fmt: skip
_RANK = {action: rank for rank, action in enumerate(ACTIONS)}
_MODULUS = 1 << 128
_NAMES_ZH = {
    "card": "卡片", "customer": "客户", "device": "设备", "ip": "地址", "merchant": "商户", "payee": "收款人",
    "bin": "卡段", "partner": "合作方", "corridor": "通道", "account": "账户", "party": "交易方",
    "issuer_country": "发卡国",
}  # fmt: skip
_LISTS_ZH = {"block": "阻断名单", "watch": "观察名单", "allow": "放行名单"}


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One entry. confidence: 0 to 100 (STIX 2.1, appendix A). until: received_at after which it no longer counts, ms.

    entity `account` is either side's account, `party` the payer, payee or merchant; a corridor may be `CN>US` alone.
    basis: what it rests on; only an entry by law may have no end.
    """

    list: ListName
    entity: EntityKind
    token: Id
    source: Text
    reason: Text
    confidence: Annotated[int, msgspec.Meta(ge=0, le=100)]
    until: Millis | None = None
    basis: Basis = "own"
    action: Action | None = None

    def __post_init__(self) -> None:
        if not self.source.strip() or not self.reason.strip():
            raise ValueError("an entry says its source and its reason")
        if self.basis == "law" and self.list != "block":
            raise ValueError("what the law demands is a block: watch and allow rest on our own judgement")
        if self.until is None and self.basis != "law":
            raise ValueError("give the entry an end (`until`): only what the law demands may have none")
        if self.action is not None and self.action not in _ACTIONS[self.list]:
            raise ValueError(
                f"action of an entry on the {self.list} list is one of {', '.join(_ACTIONS[self.list])}"
            )

    @property
    def key(self) -> Key:
        """What makes it one entry: adding it again takes the place of the earlier one."""
        return self.list, self.entity, self.token

    @property
    def asks(self) -> Action:
        """The action it asks for while nothing stricter is listed."""
        if self.action is not None:
            return self.action
        if self.list == "block":
            return "FREEZE" if self.basis == "law" else "DECLINE"
        return "STEP_UP" if self.list == "watch" else "APPROVE"

    def over(self, at: int) -> bool:
        """True once its time is over."""
        return self.until is not None and at > self.until


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry by what makes it one."""

    list: ListName
    entity: EntityKind
    token: Id


class ListChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The payload of a `lists` Control. Removals come first."""

    add: list[Listed] = []
    remove: list[Named] = []

    def __post_init__(self) -> None:
        if not self.add and not self.remove:
            raise ValueError("a change of lists adds or removes at least one entry")


class Match(NamedTuple):
    """An entry that speaks of a payment. overridden: an allow that does not count, since something stricter is listed."""

    entry: Listed
    overridden: bool = False

    @property
    def action(self) -> Action:
        """What it asks for."""
        return self.entry.asks

    @property
    def rules_only(self) -> bool:
        """Whether it sets the models aside."""
        return self.entry.list == "allow" and not self.overridden

    @property
    def origin(self) -> str:
        """What a counterfactual names as deciding."""
        return f"list.{self.entry.list}"

    def reason(self) -> Reason:
        """Why, for people; the code is `list.<list>.<entity>`."""
        one = self.entry
        en = f"{one.entity.replace('_', ' ')} is on the {one.list} list"
        zh = f"{_NAMES_ZH[one.entity]}在{_LISTS_ZH[one.list]}上"
        if one.basis == "law":
            en, zh = f"{en} by law", f"{zh}（法定）"
        if self.overridden:
            en, zh = f"{en}, which does not count beside a stricter entry", f"{zh}，因有更严格的条目而不生效"
        en = f"{en}: {one.reason} (source {one.source}, confidence {one.confidence})"
        zh = f"{zh}：{one.reason}（来源 {one.source}，置信度 {one.confidence}）"
        return Reason(code=f"list.{one.list}.{one.entity}", kind="list", text_en=en, text_zh=zh)


class Lists:
    """All entries in force, looked up by token. A change that cannot be taken leaves everything as it was."""

    def __init__(self, entries: Iterable[Listed] = ()) -> None:
        self._entries: dict[Key, Listed] = {}
        self._by_entity: dict[EntityKind, dict[str, tuple[Listed, ...]]] = {}
        self._ends: list[tuple[int, Key]] = []
        self._sum = 0
        for entry in entries:
            self._put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[Listed]:
        """Every entry, by key."""
        return [self._entries[key] for key in sorted(self._entries)]

    @property
    def version(self) -> str:
        """Names the content: the sum of the entries' hashes, whatever the order in which they came."""
        return f"{self._sum:032x}"[:16] if self._entries else NONE

    def change(self, payload: bytes | msgspec.Raw, at: int) -> None:
        """Apply the payload of a Control received at `at` (ms); what is over by then drops out.

        Raises msgspec.DecodeError for a payload of another form, RuleError for more entries than there may be.
        """
        wanted = msgspec.json.decode(payload, type=ListChange)
        new = {entry.key for entry in wanted.add} - self._entries.keys()
        if len(self._entries) + len(new) > MOST:
            raise RuleError(f"lists may have {MOST:,} entries: remove some first - at `$.payload.add`")
        while self._ends and self._ends[0][0] < at:
            _, key = heapq.heappop(self._ends)
            entry = self._entries.get(key)
            if entry is not None and entry.over(at):
                self._drop(key)
        for named in wanted.remove:
            self._drop((named.list, named.entity, named.token))
        for entry in wanted.add:
            if not entry.over(at):
                self._put(entry)

    def covering(self, t: Transaction) -> list[Match]:
        """The entries that speak of a payment, strictest first."""
        found: list[Listed] = []
        for entity, by_token in self._by_entity.items():
            for token in _tokens(t, entity):
                found += by_token.get(token, ())
        found = [entry for entry in dict.fromkeys(found) if not entry.over(t.received_at)]
        if not found:
            return []
        found.sort(key=lambda entry: (LISTS.index(entry.list), -_RANK[entry.asks], entry.entity, entry.token))
        stricter = found[0].list != "allow"
        return [Match(entry, stricter and entry.list == "allow") for entry in found]

    def _put(self, entry: Listed) -> None:
        self._drop(entry.key)
        self._entries[entry.key] = entry
        by_token = self._by_entity.setdefault(entry.entity, {})
        by_token[entry.token] = (*by_token.get(entry.token, ()), entry)
        if entry.until is not None:
            heapq.heappush(self._ends, (entry.until, entry.key))
        self._sum = (self._sum + _hash(entry)) % _MODULUS

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        by_token = self._by_entity[entry.entity]
        left = tuple(one for one in by_token[entry.token] if one.key != key)
        if left:
            by_token[entry.token] = left
        else:
            del by_token[entry.token]
            if not by_token:
                del self._by_entity[entry.entity]
        self._sum = (self._sum - _hash(entry)) % _MODULUS


def _hash(entry: Listed) -> int:
    return int.from_bytes(hashlib.sha256(msgspec.json.encode(entry)).digest()[:16], "big")


def _tokens(t: Transaction, entity: EntityKind) -> tuple[str, ...]:
    """What a payment has under an entity."""
    if entity == "corridor":
        corridor = corridor_of(t)
        return corridor, corridor.partition(":")[0]
    if entity == "account":
        found: tuple[str | None, ...] = (t.payer_account, t.payee_account)
    elif entity == "party":
        found = (t.payer, t.payee, t.merchant)
    else:
        found = (getattr(t, FIELDS[entity]),)
    return tuple(token for token in found if token is not None)
