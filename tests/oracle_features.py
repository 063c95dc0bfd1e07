"""The whole feature vector of one payment, written from the catalogue's wording over plain lists.

Nothing here is quick and nothing is shared with the kernels: every question looks at everything its entity has
seen. None stands for "cannot be judged".
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field

from models.events import Transaction
from models.places import PLACES, distance_km

HOUR, DAY = 3_600_000, 86_400_000
Value = float | None
Numbering = Callable[[int], int]


@dataclass
class Payment:
    """What a payment leaves behind. tokens: of each thing that distinct counts may ask for."""

    time: int
    usd: float
    declined: bool
    bad_credential: bool
    tokens: dict[str, str | None]
    place: str | None
    hour: int | None
    counts_for: frozenset[str] = frozenset()


@dataclass
class Seen:
    """One sight of an entity: a payment, a behaviour (its kind), or a label (change of its known frauds)."""

    time: int
    payment: Payment | None = None
    act: str | None = None
    frauds: int = 0


@dataclass
class Told:
    """An outcome that became known: of the payment received at `paid`, at `known`; fraud before (None: not known) and
    now; deviation: of its amount from the payer's typical one.
    """

    paid: int
    known: int
    before: bool | None
    fraud: bool
    deviation: Value


@dataclass
class Entity:
    """Everything ever seen of one entity since it was last forgotten, and the outcomes told while it was known."""

    seen: list[Seen] = field(default_factory=list)
    told: list[tuple[int, Told]] = field(default_factory=list)

    def payments(self) -> list[Payment]:
        return [s.payment for s in self.seen if s.payment is not None]


def shape(window: int) -> tuple[Numbering, int, int]:
    """How times fall into buckets, the window and the slack, both in buckets (models/windows.py, contract)."""
    if window <= HOUR:
        return (lambda t: t), window, 600_000
    return (lambda t: t // (window // 60)), 60, 10


def civil_day(zone: str) -> tuple[Numbering, int, int]:
    """The shape of a calendar day."""
    info = zoneinfo.ZoneInfo(zone)
    return (lambda t: dt.datetime.fromtimestamp(t / 1000, info).date().toordinal()), 1, 1


def in_window(
    entity: Entity | None, now: int, form: tuple[Numbering, int, int], ahead: bool = False
) -> list[Seen] | None:
    """What was seen in (now − w, now], or None when that is partly forgotten. ahead: also what lies after now."""
    if entity is None:
        return None
    number, span, slack = form
    here = number(now)
    if here < max(number(s.time) for s in entity.seen) - slack:
        return None
    return [s for s in entity.seen if here - span < number(s.time) and (ahead or number(s.time) <= here)]


def different(
    entity: Entity | None, now: int, form: tuple[Numbering, int, int], token: Callable[[Seen], str | None]
) -> Value:
    """How many different tokens were last seen after now − w."""
    seen = in_window(entity, now, form, ahead=True)
    return None if seen is None else float(len({token(s) for s in seen} - {None}))


def _met_before(entity: Entity | None, now: int, window: int, what: str) -> bool | None:
    """Whether the payment's own token was seen before, as far back as window and slack reach."""
    if entity is None:
        return None
    number, span, slack = shape(window)
    clock = max(number(s.time) for s in entity.seen)
    *before, own = entity.payments()
    if own.tokens[what] is None or number(now) <= clock - span - slack:
        return None
    return any(p.tokens[what] == own.tokens[what] and number(p.time) > clock - span - slack for p in before)


@functools.cache
def _weights(n: int) -> tuple[float, ...]:
    """Weight of each of n payments in the usual amount: even up to 30, then each new one counts for 1/30."""
    weights: list[float] = []
    for k in range(1, n + 1):
        newest = max(1 / k, 1 / 30)
        weights = [w * (1 - newest) for w in weights] + [newest]
    return tuple(weights)


@dataclass
class Usual:
    """An entity's own past, before the payment."""

    count: int
    first: int
    last: int
    mean: float
    mean_log: float
    spread_log: float
    largest: float


def usual(before: list[Payment]) -> Usual | None:
    if not before:
        return None
    weights = _weights(len(before))
    logs = [math.log1p(p.usd) for p in before]
    mean_log = math.fsum(w * x for w, x in zip(weights, logs, strict=True))
    variance = math.fsum(w * (x - mean_log) ** 2 for w, x in zip(weights, logs, strict=True))
    n = len(before)
    return Usual(
        n, before[0].time, max(p.time for p in before),
        math.fsum(w * p.usd for w, p in zip(weights, before, strict=True)),
        mean_log, math.sqrt((variance * n + 0.25 * 3) / (n + 3)), max(p.usd for p in before),
    )  # fmt: skip


@dataclass
class Typical:
    """The amount of an entity that a single large payment does not move, and its large payments of late."""

    mean: float = 0.0
    variance: float = 0.0
    week: float = 0.0
    days: float = 0.0
    last: int | None = None

    def spread(self, n: int) -> float:
        return max(math.sqrt((self.variance * n + 5 * (self.mean / 2) ** 2) / (n + 5)), 0.01)


def _halved(value: float, age: int, days: int) -> float:
    return value * 2 ** (-max(age, 0) / (days * DAY))


def typical(before: list[Payment], now: int) -> Typical:
    """As of `now`; the fading counts fade from the latest payment on."""
    state, latest = Typical(), None
    for n, p in enumerate(before):
        if latest is not None:
            state.week = _halved(state.week, p.time - latest, 7)
            state.days = _halved(state.days, p.time - latest, 2)
        latest = p.time if latest is None else max(latest, p.time)
        spread = state.spread(n)
        far = n >= 5 and (p.usd - state.mean) / spread > 3
        amount = min(p.usd, state.mean + 2.5 * spread) if n >= 5 else p.usd
        weight, away = max(1 / (n + 1), 1 / 100), amount - state.mean
        state.mean += weight * away
        state.variance = (1 - weight) * (state.variance + weight * away**2)
        if far:
            state.week, state.days, state.last = state.week + 1, state.days + 1, p.time
    if latest is not None:
        state.week, state.days = _halved(state.week, now - latest, 7), _halved(state.days, now - latest, 2)
    return state


def deviation_of(entity: Entity | None, usd: float) -> Value:
    """How far the amount of the entity's last payment is from what was typical before it."""
    before = [] if entity is None else entity.payments()[:-1]
    if not before:
        return None
    state = typical(before, before[-1].time)
    return (usd - state.mean) / state.spread(len(before))


@dataclass
class Run:
    """Frauds with no good payment after them."""

    last: int | None = None
    first: int | None = None
    length: int = 0
    good: int = 0

    def take(self, told: Told, counts: bool) -> None:
        if told.fraud:
            if counts:
                self.first = told.paid if self.length == 0 else min(self.first or 0, told.paid)
                self.last = told.paid if self.last is None else max(self.last, told.paid)
                self.length, self.good = self.length + 1, 0
            return
        if told.before and counts:
            self.length = max(self.length - 1, 0)
            if self.length == 0:
                self.last = self.first = None
        if self.last is None or told.paid > self.last:
            self.length, self.good = 0, self.good + 1


@dataclass
class Known:
    """What is known of an entity's past payments."""

    any: Run = field(default_factory=Run)
    plain: Run = field(default_factory=Run)
    last_good: int | None = None
    recent: float = 0.0
    long: float = 0.0
    deviation: Value = None
    rates: dict[int, float] = field(default_factory=dict)


def known(entity: Entity | None, now: int) -> Known | None:
    """Fold everything told, in order; rates are as of the latest moment the entity was looked at or told of."""
    if entity is None:
        return None
    state = Known()
    counts = {7: [0.0, 0.0], 30: [0.0, 0.0]}
    at: int | None = None
    # Looking at an entity (each of its payments) moves the moment its counts have faded to.
    looks = [(index, None, s.payment.time) for index, s in enumerate(entity.seen) if s.payment is not None]
    steps = sorted(
        [*((index, told, told.known) for index, told in entity.told), *looks], key=lambda step: step[0]
    )
    for _, told, moment in steps:
        if at is not None and moment > at:
            for days, pair in counts.items():
                pair[:] = [_halved(value, moment - at, days) for value in pair]
        at = moment if at is None else max(at, moment)
        if told is None:
            continue
        for pair in counts.values():
            pair[0] = max(pair[0] + told.fraud - bool(told.before), 0.0)
            pair[1] += told.before is None
        state.recent += 0.4 * (told.fraud - state.recent)
        state.long += 0.1 * (told.fraud - state.long)
        if told.fraud:
            state.deviation = told.deviation
        else:
            if told.before or state.any.last is None or told.paid > state.any.last:
                state.deviation = None
            state.last_good = told.paid if state.last_good is None else max(state.last_good, told.paid)
        state.any.take(told, True)
        state.plain.take(told, told.deviation is None or told.deviation <= 3)
    state.rates = {days: (frauds + 20 * 0.005) / (all_ + 20) for days, (frauds, all_) in counts.items()}
    return state


def local_hour_and_day(t: Transaction) -> tuple[int | None, int | None]:
    """Hour and weekday where the payer is; UTC when no country is known, None when it is not in the atlas."""
    country = t.payer_country or t.issuer_country or t.ip_country
    if country is not None and country not in PLACES:
        return None, None
    zone = "UTC" if country is None else PLACES[country][2]
    local = dt.datetime.fromtimestamp(t.event_time / 1000, zoneinfo.ZoneInfo(zone))
    return local.hour, local.weekday()


def place_of(t: Transaction) -> str | None:
    return t.ip_country or t.issuer_country


def _surprise(before: list[Payment], hour: int | None) -> Value:
    if hour is None:
        return None
    habits = [0.0] * 24
    for p in before:
        if p.hour is not None:
            if sum(habits) > 200:
                habits = [h / 2 for h in habits]
            habits[p.hour] += 1
    near = habits[hour] + (habits[hour - 1] + habits[(hour + 1) % 24]) / 2
    return -math.log(((near + 2) / (sum(habits) + 24)) / (2 / 24))


def _over(a: Value, b: Value) -> Value:
    return None if a is None or b is None or b <= 0 else a / b


def _flag(value: bool | None) -> Value:
    return None if value is None else float(value)


def _differ(*countries: str | None) -> Value:
    return None if None in countries else float(len(set(countries)) == len(countries))


def vector(t: Transaction, usd: float, of: dict[str, Entity | None]) -> dict[str, Value]:
    """Every feature by name. of: the entities with this payment as the last thing each has seen."""
    now = t.event_time
    before = {name: [] if e is None else e.payments()[:-1] for name, e in of.items()}
    own = {name: usual(past) for name, past in before.items()}

    def total(entity: str, window: int, measure: Callable[[Seen], int]) -> Value:
        seen = in_window(of[entity], now, shape(window))
        return None if seen is None else float(sum(measure(s) for s in seen))

    def count(entity: str, window: int) -> Value:
        return total(entity, window, lambda s: int(s.payment is not None))

    def dollars(entity: str, window: int) -> Value:
        units = total(entity, window, lambda s: 0 if s.payment is None else round(s.payment.usd * 10_000))
        return None if units is None else units / 10_000

    def declined(entity: str, window: int) -> Value:
        return total(entity, window, lambda s: int(s.payment is not None and s.payment.declined))

    def frauds(entity: str, window: int) -> Value:
        known = total(entity, window, lambda s: s.frauds)
        return None if known is None else max(known, 0.0)

    recall = {name: known(e, now) for name, e in of.items()}
    amounts = {name: typical(past, now) for name, past in before.items()}

    def fraud_rate(entity: str, days: int = 30) -> Value:
        memory = recall[entity]
        return None if memory is None else memory.rates[days]

    def days_since(time: int | None) -> Value:
        return None if time is None else max(now - time, 0) / DAY

    def outcomes(entity: str, *wanted: str) -> dict[str, Value]:
        memory = recall[entity]
        if memory is None:
            return {f"{entity}_{name}": None for name in wanted}
        values: dict[str, Value] = {
            "days_since_fraud": days_since(memory.any.last),
            "days_since_first_fraud": days_since(memory.any.first),
            "fraud_run": float(memory.any.length),
            "good_since_fraud": float(memory.any.good),
            "days_since_good": days_since(memory.last_good),
            "fraud_share_recent": memory.recent,
            "fraud_share_long": memory.long,
            "last_fraud_deviation": memory.deviation,
            "days_since_plain_fraud": days_since(memory.plain.last),
            "days_since_first_plain_fraud": days_since(memory.plain.first),
            "plain_fraud_run": float(memory.plain.length),
            "good_since_plain_fraud": float(memory.plain.good),
        }
        return {f"{entity}_{name}": values[name] for name in wanted}

    def robust_deviation(entity: str) -> Value:
        past = before[entity]
        if not past:
            return None
        return (usd - amounts[entity].mean) / amounts[entity].spread(len(past))

    def over_typical(entity: str) -> Value:
        return _over(usd, amounts[entity].mean) if before[entity] else None

    def unusual(entity: str, days: int) -> Value:
        if of[entity] is None:
            return None
        return amounts[entity].week if days == 7 else amounts[entity].days

    def acts(entity: str, window: int, kind: str) -> Value:
        return total(entity, window, lambda s: int(s.act == kind))

    def since_act(kind: str) -> Value:
        customer = of["customer"]
        times = [] if customer is None else [s.time for s in customer.seen if s.act == kind]
        return max(now - max(times), 0) / 1000 if times else None

    def distinct(entity: str, window: int, what: str) -> Value:
        return different(of[entity], now, shape(window), lambda s: s.payment and s.payment.tokens[what])

    def pair_is_new(entity: str, window: int, what: str) -> Value:
        met = _met_before(of[entity], now, window, what)
        return None if met is None else float(not met)

    def is_new(entity: str) -> Value:
        return None if of[entity] is None else float(not before[entity])

    def lifetime(entity: str) -> Value:
        return None if of[entity] is None else float(len(before[entity]))

    def since_last(entity: str) -> Value:
        past = own[entity]
        return None if past is None else max(now - past.last, 0) / 1000

    def age_days(entity: str) -> Value:
        past = own[entity]
        return None if past is None else max(now - past.first, 0) / DAY

    def over_mean(entity: str) -> Value:
        past = own[entity]
        return None if past is None else _over(usd, past.mean)

    def deviation(entity: str) -> Value:
        past = own[entity]
        return None if past is None else (math.log1p(usd) - past.mean_log) / past.spread_log

    dormant = since_last("customer")
    at, away, speed = place_of(t), None, None
    placed = [p for p in before["card"] if p.place is not None]
    if at is not None and placed:
        # the latest in time; of equal times the one that came last
        last = max(enumerate(placed), key=lambda pair: (pair[1].time, pair[0]))[1]
        km = distance_km(str(last.place), at)
        # A country that is not on the map lies nowhere: neither flag nor speed can be told.
        away = None if math.isnan(km) else at != last.place
        speed = None if math.isnan(km) else km / (max(now - last.time, 60_000) / HOUR)
    hour, weekday = local_hour_and_day(t)
    origin = t.payer_country or t.issuer_country
    proofs = None
    if t.evidence is not None:
        proofs = [t.evidence.knowledge, t.evidence.possession, t.evidence.inherence]
    return {
        "amount_usd": usd,
        "log_amount": math.log1p(usd),
        "hour_local": None if hour is None else float(hour),
        "is_night": None if hour is None else float(hour < 6),
        "is_weekend": None if weekday is None else float(weekday in (5, 6)),
        "cross_border": _differ(origin, t.payee_country),
        "authentication_factors": None if proofs is None else float(proofs.count("passed")),
        "was_declined": None if t.authorisation is None else float(t.authorisation == "declined"),
        "ip_issuer_mismatch": _differ(t.ip_country, t.issuer_country),
        "ship_issuer_mismatch": _differ(t.ship_country, t.issuer_country),
        "ip_ship_mismatch": _differ(t.ip_country, t.ship_country),
        "three_country_mismatch": _differ(t.issuer_country, t.ip_country, t.ship_country),
        "card_count_10m": count("card", HOUR // 6),
        "card_count_1h": count("card", HOUR),
        "card_count_1d": count("card", DAY),
        "card_count_7d": count("card", 7 * DAY),
        "card_count_30d": count("card", 30 * DAY),
        "card_mean_usd_1d": _over(dollars("card", DAY), count("card", DAY)),
        "card_mean_usd_7d": _over(dollars("card", 7 * DAY), count("card", 7 * DAY)),
        "card_mean_usd_30d": _over(dollars("card", 30 * DAY), count("card", 30 * DAY)),
        "card_declined_1h": declined("card", HOUR),
        "card_declined_1d": declined("card", DAY),
        "card_fraud_count": frauds("card", 30 * DAY),
        "card_fraud_7d": frauds("card", 7 * DAY),
        "card_seconds_since_last": since_last("card"),
        "card_is_new": is_new("card"),
        "card_lifetime_count": lifetime("card"),
        "amount_over_card_mean": over_mean("card"),
        "amount_card_deviation": deviation("card"),
        "card_merchants_30d": distinct("card", 30 * DAY, "merchant"),
        "card_merchant_is_new": pair_is_new("card", 30 * DAY, "merchant"),
        "card_customers_30d": distinct("card", 30 * DAY, "customer"),
        "card_device_is_new": pair_is_new("card", 30 * DAY, "device"),
        "card_country_changed": _flag(away),
        "card_geo_speed_kmh": speed,
        "customer_count_1h": count("customer", HOUR),
        "customer_count_1d": count("customer", DAY),
        "customer_count_30d": count("customer", 30 * DAY),
        "customer_usd_1d": dollars("customer", DAY),
        "customer_usd_7d": dollars("customer", 7 * DAY),
        "customer_lifetime_count": lifetime("customer"),
        "customer_days_dormant": None if dormant is None else dormant / 86_400,
        "amount_over_customer_mean": over_mean("customer"),
        "amount_over_customer_max": _over(usd, own["customer"] and own["customer"].largest),
        "amount_customer_deviation": deviation("customer"),
        "hour_unusual_customer": None if of["customer"] is None else _surprise(before["customer"], hour),
        "customer_logins_failed_1h": acts("customer", HOUR, "login_failed"),
        "customer_refunds_30d": acts("customer", 30 * DAY, "refund"),
        "customer_fraud_count": frauds("customer", 30 * DAY),
        "customer_seconds_since_device_change": since_act("device_change"),
        "customer_seconds_since_credential_change": since_act("credential_change"),
        "customer_seconds_since_contact_change": since_act("contact_change"),
        "customer_seconds_since_payee_added": since_act("payee_added"),
        "customer_device_is_new": pair_is_new("customer", 90 * DAY, "device"),
        "customer_payee_is_new": pair_is_new("customer", 90 * DAY, "payee"),
        "customer_cards_7d": distinct("customer", 7 * DAY, "card"),
        "customer_ships_7d": distinct("customer", 7 * DAY, "ship"),
        "device_count_1h": count("device", HOUR),
        "device_count_30d": count("device", 30 * DAY),
        "device_declined_1h": declined("device", HOUR),
        "device_customers_30d": distinct("device", 30 * DAY, "customer"),
        "device_cards_30d": distinct("device", 30 * DAY, "card"),
        "device_fraud_rate": fraud_rate("device"),
        "device_is_new": is_new("device"),
        "ip_count_1h": count("ip", HOUR),
        "ip_cards_1h": distinct("ip", HOUR, "card"),
        "ip_logins_failed_1h": acts("ip", HOUR, "login_failed"),
        "merchant_count_1h": count("merchant", HOUR),
        "merchant_count_1d": count("merchant", DAY),
        "merchant_count_7d": count("merchant", 7 * DAY),
        "merchant_count_30d": count("merchant", 30 * DAY),
        "merchant_count_1d_over_30d": _over(count("merchant", DAY), _over(count("merchant", 30 * DAY), 30.0)),
        "merchant_declined_share_1h": _over(declined("merchant", HOUR), count("merchant", HOUR)),
        "merchant_bad_credential_share_1h": _over(
            total("merchant", HOUR, lambda s: int(s.payment is not None and s.payment.bad_credential)),
            count("merchant", HOUR),
        ),
        "merchant_cards_1h": distinct("merchant", HOUR, "card"),
        "merchant_fraud_1d": frauds("merchant", DAY),
        "merchant_fraud_rate_7d": fraud_rate("merchant", 7),
        "merchant_fraud_rate": fraud_rate("merchant"),
        "merchant_age_days": age_days("merchant"),
        "amount_over_merchant_mean": over_mean("merchant"),
        "amount_merchant_deviation": deviation("merchant"),
        "payee_payers_24h": distinct("payee", DAY, "customer"),
        "payee_payers_7d": distinct("payee", 7 * DAY, "customer"),
        "payee_usd_1d": dollars("payee", DAY),
        "payee_fraud_rate": fraud_rate("payee"),
        "payee_age_days": age_days("payee"),
        "bin_cards_1h": distinct("bin", HOUR, "card"),
        "bin_declined_share_1h": _over(declined("bin", HOUR), count("bin", HOUR)),
        "bin_fraud_rate": fraud_rate("bin"),
        "partner_declined_share_1h": _over(declined("partner", HOUR), count("partner", HOUR)),
        "corridor_count_1d": count("corridor", DAY),
        "corridor_fraud_rate": fraud_rate("corridor"),
        "card_typical_usd": None if of["card"] is None else amounts["card"].mean,
        "amount_over_card_typical": over_typical("card"),
        "amount_card_robust_deviation": robust_deviation("card"),
        "card_unusual_week": unusual("card", 7),
        "card_unusual_days": unusual("card", 2),
        "card_days_since_unusual": days_since(amounts["card"].last),
        **outcomes("card", "days_since_fraud", "fraud_run", "good_since_fraud"),
        "amount_customer_robust_deviation": robust_deviation("customer"),
        "customer_unusual_week": unusual("customer", 7),
        **outcomes("customer", "days_since_fraud", "fraud_run", "good_since_fraud"),
        **outcomes("device", "days_since_fraud", "fraud_run"),
        "amount_over_merchant_typical": over_typical("merchant"),
        "amount_merchant_robust_deviation": robust_deviation("merchant"),
        "merchant_unusual_week": unusual("merchant", 7),
        "merchant_unusual_days": unusual("merchant", 2),
        **outcomes(
            "merchant", "days_since_fraud", "days_since_first_fraud", "fraud_run", "good_since_fraud",
            "days_since_good", "fraud_share_recent", "fraud_share_long", "last_fraud_deviation",
            "days_since_plain_fraud", "days_since_first_plain_fraud", "plain_fraud_run", "good_since_plain_fraud",
        ),
        "amount_payee_robust_deviation": robust_deviation("payee"),
        **outcomes(
            "payee", "days_since_fraud", "fraud_run", "good_since_fraud", "fraud_share_recent",
            "days_since_plain_fraud", "plain_fraud_run",
        ),
    }  # fmt: skip
