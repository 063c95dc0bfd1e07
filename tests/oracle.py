"""A slow, obvious engine: one event at a time, everything kept, everything looked at again for every question.

It says for each event what the engine must say: decided with which features and velocities, answered as a
duplicate, or refused and why; and which outcomes are learnt where. It is written from the documents (the contract's
windows, the docstrings of models/), not from the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from models.columns import ENTITIES
from models.errors import EventError, MoneyError
from models.events import AnyEvent, Behaviour, Control, Label, Transaction, encode
from models.hashing import hash_texts
from models.ledger_walk import kept
from models.money import MAX_USD, FxTable
from tests.oracle_features import (
    Entity,
    Numbering,
    Payment,
    Seen,
    Told,
    Value,
    deviation_of,
    different,
    in_window,
    local_hour_and_day,
    place_of,
    vector,
)
from tests.oracle_relations import Relations


@dataclass(frozen=True)
class Asked:
    """A velocity of the rule pack: its rule's id, what it adds up, by what entity, over what window.

    measure: count, sum, mean or the name of a token for distinct. where: None counts every payment. length: in ms.
    """

    rule: str
    measure: str
    entity: str
    form: tuple[Numbering, int, int]
    length: int
    where: Callable[[Transaction], bool | None] | None = None


@dataclass(frozen=True)
class Verdict:
    """What becomes of one event. examples: (payment, fraud) learnt at this event; labelled: a label taken in.

    listed: (list, action) of the entries on the payment's entities.
    """

    decided: str | None = None
    duplicate: str | None = None
    refused: str | None = None
    features: dict[str, Value] = field(default_factory=dict)
    velocities: dict[str, Value] = field(default_factory=dict)
    signals: dict[str, Value] = field(default_factory=dict)
    late: bool = False
    labelled: str | None = None
    unmatched: bool = False
    examples: tuple[tuple[str, bool], ...] = ()
    contained: tuple[str, ...] = ()
    rules_only: bool = False
    listed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Measure:
    """A containment as the oracle keeps it."""

    version: str
    scope: dict[str, str]
    until: int
    action: str
    above: float | None
    rules_only: bool

    def is_for(self, t: Transaction, usd: float) -> bool:
        """Whether it speaks of this payment."""
        if t.received_at > self.until or (self.above is not None and usd <= self.above):
            return False
        names = _names(t) | {"channel": t.channel, "issuer_country": t.issuer_country or ""}
        for key, wanted in self.scope.items():
            if key == "party":
                fits = wanted in (t.payer, t.payee, t.merchant)
            elif key == "corridor" and ":" not in wanted:
                fits = names["corridor"].split(":")[0] == wanted
            else:
                fits = names.get(key) == wanted
            if not fits:
                return False
        return True


@dataclass
class Account:
    """A payment in the ledger."""

    number: int
    id: str
    content: bytes
    received: int
    names: dict[str, str]
    declined: bool
    outcome: str = "open"
    deviation: Value = None


class Oracle:
    """See the module's docstring. packs: the velocities a `rules` Control brings, by the Control's version."""

    def __init__(
        self, *, settle_after: int, negative_rate: float, ledger_rows: int, vector_rows: int,
        capacities: dict[str, int], asked: tuple[Asked, ...], packs: dict[str, tuple[Asked, ...]], fx: FxTable,
    ) -> None:  # fmt: skip
        self.settle_after, self.negative_rate = settle_after, negative_rate
        self.ledger_rows, self.vector_rows = ledger_rows, vector_rows
        self.capacities, self.packs, self.fx = capacities, packs, fx
        self.known: dict[str, dict[str, Entity]] = {name: {} for name in ENTITIES}
        self.pinned: set[tuple[str, str]] = set()
        self.relations = Relations(capacities)
        self._evicted = 0
        self.accounts: list[Account] = []
        self.open = 0
        self.taken = 0
        self.clock = 0
        self.asked = dict.fromkeys(asked, 0)
        self.measures: list[Measure] = []
        self.entries: list[dict[str, object]] = []

    def take(self, event: AnyEvent | EventError) -> Verdict:
        """Take the next event of the stream."""
        if isinstance(event, EventError):
            return Verdict(refused=event.reason)
        if event.event_time > event.received_at + 5 * 60_000:
            return Verdict(refused="future_event")
        match event:
            case Transaction():
                return self._pay(event)
            case Behaviour():
                self._hear(event.received_at)
                examples = self._settle()
                self._see(_names(event), Seen(event.event_time, act=event.kind))
                return Verdict(examples=examples)
            case Label():
                return self._label(event)
            case Control():
                return self._control(event)
        return Verdict()

    # --- what is remembered of entities -------------------------------------------------------------

    def _see(self, names: dict[str, str], sight: Seen) -> dict[str, Entity | None]:
        """Add a sight to each entity named; the one unseen for longest makes room. Labels recall nobody."""
        out: dict[str, Entity | None] = dict.fromkeys(ENTITIES)
        recalls = sight.payment is not None or sight.act is not None
        for entity, name in names.items():
            table = self.known[entity]
            found = table.pop(name, None)
            if found is None:
                if not recalls or not self._room(entity):
                    continue
                found = Entity()
            table[name] = found  # a dictionary keeps its order: the last is the latest seen
            found.seen.append(sight)
            out[entity] = found
        return out

    def _room(self, entity: str) -> bool:
        table = self.known[entity]
        if len(table) < self.capacities[entity]:
            return True
        loose = [name for name in table if (entity, name) not in self.pinned]
        if not loose:
            return False
        del table[loose[0]]
        self._evicted += 1
        return True

    @property
    def evicted(self) -> int:
        return self._evicted + self.relations.evicted

    # --- payments -----------------------------------------------------------------------------------

    def _pay(self, t: Transaction) -> Verdict:
        try:
            usd = self.fx.dollars(t.amount, t.currency, t.event_time)
        except MoneyError as error:
            return Verdict(refused="stale_rate" if "stale_rate" in str(error) else "unknown_currency")
        if usd > MAX_USD:
            return Verdict(refused="amount_out_of_range")
        self._hear(t.received_at)
        content = t.content.encode() if t.content is not None else encode(t)
        for account in self.accounts:
            if account.id == t.id:
                examples = self._settle()
                if account.content == content:
                    return Verdict(duplicate=t.id, examples=examples)
                return Verdict(refused="conflicting_duplicate", examples=examples)
        names = _names(t)
        declined = t.authorisation == "declined"
        self.accounts.append(Account(self.taken, t.id, content, self.clock, names, declined))
        self.taken += 1
        if len(self.accounts) > self.ledger_rows:
            self.open = max(self.open, self.accounts.pop(0).number + 1)
        examples = self._settle()
        hour, _ = local_hour_and_day(t)
        tokens = {name: names.get(name) for name in ENTITIES} | {
            "ship": t.ship_token, "issuer_country": t.issuer_country, "ip_country": t.ip_country,
            "ship_country": t.ship_country, "currency": t.currency,
        }  # fmt: skip
        payment = Payment(
            t.event_time, usd, declined,
            t.decline_code in ("invalid_account", "invalid_credential"), tokens, place_of(t), hour,
            frozenset(a.rule for a in self.asked if a.where is None or a.where(t) is True),
        )  # fmt: skip
        of = self._see(names, Seen(t.event_time, payment))
        by = "card" if of["card"] is not None and len(of["card"].payments()) > 1 else "customer"
        deviation = deviation_of(of[by], usd)
        if self.accounts and self.accounts[-1].id == t.id:
            self.accounts[-1].deviation = None if deviation is None else float(np.float32(deviation))
        measures = [m for m in self.measures if m.is_for(t, usd)]
        listed = [e for e in self.entries if _speaks_of(e, t)]
        past = [p for name in ("card", "customer") if (e := of[name]) for p in e.payments()[:-1]]
        return Verdict(
            decided=t.id, features=vector(t, usd, of), signals=self.relations.signals(t, usd),
            late=any(p.time > t.event_time for p in past),
            velocities={a.rule: self._velocity(a, since, t, of[a.entity]) for a, since in self.asked.items()},
            examples=examples, contained=tuple(m.action for m in measures),
            rules_only=any(m.rules_only for m in measures) or {e["list"] for e in listed} == {"allow"},
            listed=tuple((str(e["list"]), _asks(e)) for e in listed),
        )  # fmt: skip

    def _velocity(self, a: Asked, since: int, t: Transaction, entity: Entity | None) -> Value:
        if since and t.event_time < since + a.length:
            return None

        def counts(s: Seen) -> Payment | None:
            return s.payment if s.payment is not None and a.rule in s.payment.counts_for else None

        if a.measure not in ("count", "sum", "mean"):
            return different(
                entity, t.event_time, a.form, lambda s: p.tokens[a.measure] if (p := counts(s)) else None
            )
        seen = in_window(entity, t.event_time, a.form)
        if seen is None:
            return None
        amounts = [round(p.usd * 10_000) for s in seen if (p := counts(s))]
        if a.measure == "count":
            return float(len(amounts))
        if a.measure == "sum":
            return sum(amounts) / 10_000
        return sum(amounts) / 10_000 / len(amounts) if amounts else None

    # --- labels and outcomes ------------------------------------------------------------------------

    def _hear(self, received: int) -> None:
        self.clock = max(self.clock, received)

    def _label(self, label: Label) -> Verdict:
        self._hear(label.received_at)
        account = next((a for a in self.accounts if a.id == label.transaction_id), None)
        if account is None:
            return Verdict(unmatched=True, examples=self._settle())
        told = "fraud" if label.fraud else "good"
        if account.outcome == told or (told == "good" and account.outcome == "settled"):
            return Verdict(examples=self._settle())
        change = 1 if label.fraud else -1 if account.outcome == "fraud" else 0
        corrected = account.outcome == "fraud"
        self._tell(account, label.fraud)
        account.outcome = told
        self._see(account.names, Seen(label.received_at, frauds=change))
        at_once: tuple[tuple[str, bool], ...] = ()
        if account.number < self.open and (corrected or self._is_learnt(account)):
            at_once = ((account.id, label.fraud),)
        return Verdict(labelled=account.id, examples=at_once + self._settle())

    def forgo(self, id_: str) -> None:
        """The engine declined this payment: nothing will become of it."""
        next(a for a in self.accounts if a.id == id_).declined = True

    def _settle(self) -> tuple[tuple[str, bool], ...]:
        """Close outcome windows in stream order, up to the first that is still open."""
        learnt = []
        for account in self.accounts:
            if account.number < self.open:
                continue
            if account.received + self.settle_after >= self.clock:
                break
            self.open = account.number + 1
            if account.outcome == "open" and not account.declined:
                self._tell(account, False)
                account.outcome = "settled"
            if self._is_learnt(account):
                learnt.append((account.id, account.outcome == "fraud"))
        return tuple(learnt)

    def _tell(self, account: Account, fraud: bool) -> None:
        """Every entity of the payment that is still known remembers the outcome."""
        before = None if account.outcome == "open" else account.outcome == "fraud"
        told = Told(account.received, self.clock, before, fraud, account.deviation)
        for entity, name in account.names.items():
            if name in self.known[entity]:
                memory = self.known[entity][name]
                memory.told.append((len(memory.seen), told))

    def _is_learnt(self, account: Account) -> bool:
        """Every fraud; of good payments a share chosen by hash; of declined ones only what a label told."""
        if account.outcome == "fraud" or (account.declined and account.outcome == "open"):
            return account.outcome == "fraud"
        return bool(kept(hash_texts([account.id])[0], self.negative_rate))

    # --- controls -----------------------------------------------------------------------------------

    def _control(self, event: Control) -> Verdict:
        if event.kind == "rules":
            wanted = self.packs.get(event.version)
            if wanted is None:
                return Verdict(refused="control_refused")
            self.asked = {a: self.asked.get(a, self.clock) for a in wanted}
            return Verdict()
        if event.kind in ("pin", "unpin"):
            named = msgspec.json.decode(event.payload, type=dict[str, str])
            key = named["entity"], named["key"]
            if named["key"] in self.known[named["entity"]]:
                (self.pinned.add if event.kind == "pin" else self.pinned.discard)(key)
            return Verdict()
        if event.kind in ("containment", "limits"):
            told = msgspec.json.decode(event.payload)
            if "lift" in told:
                self.measures = [m for m in self.measures if m.version != told["lift"]]
                return Verdict()
            if "planet" in told["scope"]:
                return Verdict(refused="control_refused")
            self.measures = [m for m in self.measures if m.version != event.version]
            action = "HOLD" if event.kind == "limits" else told.get("action", "APPROVE")
            self.measures.append(
                Measure(
                    event.version, told["scope"], told["until"], action, told.get("above_usd"),
                    told.get("rules_only", False),
                )
            )  # fmt: skip
            return Verdict()
        if event.kind == "lists":
            told = msgspec.json.decode(event.payload or msgspec.Raw(b"{}"))
            if told.get("nonsense") or not (told.get("add") or told.get("remove")):
                return Verdict(refused="control_refused")
            gone = [_key(e) for e in (*told.get("remove", []), *told.get("add", []))]
            self.entries = [e for e in self.entries if _key(e) not in gone] + told.get("add", [])
            return Verdict()
        return Verdict(refused="control_unsupported")


def _key(entry: dict[str, object]) -> tuple[object, ...]:
    return entry["list"], entry["entity"], entry["token"]


def _asks(entry: dict[str, object]) -> str:
    usual = {
        "block": "FREEZE" if entry.get("basis") == "law" else "DECLINE",
        "watch": "STEP_UP",
        "allow": "APPROVE",
    }
    return str(entry.get("action") or usual[str(entry["list"])])


def _speaks_of(entry: dict[str, object], t: Transaction) -> bool:
    until = entry.get("until")
    if isinstance(until, int) and t.received_at > until:
        return False
    names: dict[str, list[object]] = {name: [value] for name, value in _names(t).items()}
    names["party"] = [t.payer, t.payee, t.merchant]
    names["account"] = [t.payer_account, t.payee_account]
    names["issuer_country"] = [t.issuer_country]
    names["corridor"] += [str(names["corridor"][0]).split(":")[0]]
    return entry["token"] in names.get(str(entry["entity"]), [])


def _names(e: Transaction | Behaviour) -> dict[str, str]:
    """The entities an event speaks of."""
    named = {
        "card": e.card, "customer": e.payer, "device": e.device, "ip": e.ip, "merchant": e.merchant, "payee": e.payee,
    }  # fmt: skip
    if isinstance(e, Transaction):
        origin = e.payer_country or e.issuer_country or "??"
        named |= {
            "bin": e.bin, "partner": e.partner,
            "corridor": f"{origin}>{e.payee_country or '??'}:{e.currency}:{e.channel}",
        }  # fmt: skip
    return {entity: name for entity, name in named.items() if name is not None}
