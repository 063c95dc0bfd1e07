"""The feature catalogue: every number the models see, with its entity, unit, formula and wording.

One entry adds a feature: it is then computed, served, explained, documented and tested. A formula gets a View of
the batch and returns one float a transaction, NaN where the feature cannot be judged. Order is the order of the
vector; names are stable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from models.columns import Column, Float, Kind
from models.memory import COUNT, FIRST, LAST, MAX_USD, MEAN_LOG, MEAN_USD, VAR_LOG
from models.view import DAY, HOUR, USD_SCALE, View

Unit = Literal["usd", "count", "seconds", "days", "ratio", "share", "deviations", "km/h", "flag", "nats", "hour"]


class Feature(NamedTuple):
    """One entry. usual: (name of the feature to compare with, divisor), shown as "usual" in reasons."""

    name: str
    entity: str
    unit: Unit
    en: str
    zh: str
    formula: Callable[[View], Float]
    usual: tuple[str, float] | None = None


def _number(column: Column) -> Float:
    return column.astype(np.float64)


def _ratio(a: Float, b: Float) -> Float:
    """a / b, NaN where b is 0 or missing."""
    out = np.full(a.shape[0], np.nan)
    np.divide(a, b, out=out, where=b > 0)
    return out


def _count(entity: str, window: int, series: str = "pay") -> Callable[[View], Float]:
    return lambda v: v.sums[entity, window, series]


def _mean_usd(entity: str, window: int) -> Callable[[View], Float]:
    return lambda v: _ratio(v.sums[entity, window, "usd"] / USD_SCALE, v.sums[entity, window, "pay"])


def _share(entity: str, window: int, series: str) -> Callable[[View], Float]:
    return lambda v: _ratio(v.sums[entity, window, series], v.sums[entity, window, "pay"])


# A rate of few cases is drawn towards the base rate as if 20 payments at 0.5 % had been seen before.
_PRIOR_COUNT, _PRIOR_RATE = 20.0, 0.005


def _fraud_rate(entity: str, window: int) -> Callable[[View], Float]:
    """Frauds that became known in the window over payments in it, shrunk (empirical Bayes)."""

    def formula(v: View) -> Float:
        frauds = np.maximum(v.sums[entity, window, "fraud"], 0.0)
        return (frauds + _PRIOR_COUNT * _PRIOR_RATE) / (v.sums[entity, window, "pay"] + _PRIOR_COUNT)

    return formula


def _profile(entity: str, column: int) -> Callable[[View], Float]:
    return lambda v: v.profiles[entity][:, column]


def _over_mean(entity: str) -> Callable[[View], Float]:
    return lambda v: _ratio(_number(v.columns["amount_usd"]), v.profiles[entity][:, MEAN_USD])


def _deviation(entity: str) -> Callable[[View], Float]:
    """(log amount − own mean) / own deviation; the deviation is kept from 0 by a prior of 0.5."""

    def formula(v: View) -> Float:
        p = v.profiles[entity]
        spread = np.sqrt((p[:, VAR_LOG] * p[:, COUNT] + 0.25 * 3.0) / (p[:, COUNT] + 3.0))
        z = (np.log1p(_number(v.columns["amount_usd"])) - p[:, MEAN_LOG]) / spread
        return np.where(p[:, COUNT] > 0, z, np.nan)

    return formula


def _since_last(entity: str) -> Callable[[View], Float]:
    return lambda v: np.maximum(v.times - v.profiles[entity][:, LAST], 0.0) / 1000.0


def _age_days(entity: str) -> Callable[[View], Float]:
    return lambda v: np.maximum(v.times - v.profiles[entity][:, FIRST], 0.0) / DAY


def _is_new(entity: str) -> Callable[[View], Float]:
    def formula(v: View) -> Float:
        count = v.profiles[entity][:, COUNT]
        return np.where(np.isnan(count), np.nan, (count == 0).astype(np.float64))

    return formula


def _pair_is_new(entity: str, window: int, what: str) -> Callable[[View], Float]:
    def formula(v: View) -> Float:
        gap = v.gaps[entity, window, what]
        return np.where(np.isnan(gap), np.nan, (gap < 0).astype(np.float64))

    return formula


def _distinct(entity: str, window: int, what: str) -> Callable[[View], Float]:
    return lambda v: v.distinct[entity, window, what]


def _per_day(entity: str) -> Callable[[View], Float]:
    return lambda v: _ratio(30.0 * v.sums[entity, DAY, "pay"], v.sums[entity, 30 * DAY, "pay"])


def _column(name: str) -> Callable[[View], Float]:
    return lambda v: _number(v.columns[name])


def _differ(a: str, b: str) -> Callable[[View], Float]:
    def formula(v: View) -> Float:
        left, right = v.columns[a], v.columns[b]
        return np.where((left < 0) | (right < 0), np.nan, (left != right).astype(np.float64))

    return formula


def _three_countries(v: View) -> Float:
    issuer, ip, ship = v.columns["issuer_country"], v.columns["ip_country"], v.columns["ship_country"]
    known = (issuer >= 0) & (ip >= 0) & (ship >= 0)
    return np.where(known, ((issuer != ip) & (ip != ship) & (issuer != ship)).astype(np.float64), np.nan)


def _speed(v: View) -> Float:
    hours = np.maximum(v.times - v.profiles["card"][:, LAST], 60_000.0) / HOUR
    return np.where(v.travel_km == 0.0, 0.0, v.travel_km / hours)


def _country_changed(v: View) -> Float:
    return np.where(np.isnan(v.travel_km), np.nan, (v.travel_km > 0).astype(np.float64))


def _night(v: View) -> Float:
    hour = _number(v.columns["hour_local"])
    return np.where(np.isnan(hour), np.nan, (hour < 6).astype(np.float64))


def _weekend(v: View) -> Float:
    day = _number(v.columns["weekday_local"])
    return np.where(np.isnan(day), np.nan, (day >= 5).astype(np.float64))


def _act(index: int) -> Callable[[View], Float]:
    return lambda v: v.since[:, index]


def _over_max(v: View) -> Float:
    return _ratio(_number(v.columns["amount_usd"]), v.profiles["customer"][:, MAX_USD])


F = Feature
CATALOGUE: tuple[Feature, ...] = (
    # the transaction itself
    F("amount_usd", "transaction", "usd", "amount", "金额", _column("amount_usd"), ("card_mean_usd_30d", 1)),
    F("log_amount", "transaction", "ratio", "size of the amount (log)", "金额（对数）",
      lambda v: np.log1p(_number(v.columns["amount_usd"]))),
    F("hour_local", "transaction", "hour", "local hour", "当地时刻", _column("hour_local")),
    F("is_night", "transaction", "flag", "between 0 and 6 o'clock local time", "当地凌晨 0–6 点", _night),
    F("is_weekend", "transaction", "flag", "on a weekend", "周末交易", _weekend),
    F("cross_border", "transaction", "flag", "crosses a border", "跨境", _column("cross_border")),
    F("authentication_factors", "transaction", "count", "authentication factors passed", "通过的认证要素数",
      _column("authentication_factors")),
    F("was_declined", "transaction", "flag", "declined by the issuer", "被发卡行拒绝", _column("declined")),
    F("ip_issuer_mismatch", "transaction", "flag", "IP country differs from the issuer's", "IP 国家与发卡国不一致",
      _differ("ip_country", "issuer_country")),
    F("ship_issuer_mismatch", "transaction", "flag", "shipping country differs from the issuer's",
      "收货国与发卡国不一致", _differ("ship_country", "issuer_country")),
    F("ip_ship_mismatch", "transaction", "flag", "IP country differs from the shipping country",
      "IP 国家与收货国不一致", _differ("ip_country", "ship_country")),
    F("three_country_mismatch", "transaction", "flag", "issuer, IP and shipping country all differ",
      "发卡国、IP 国家、收货国三者各不相同", _three_countries),
    # the card
    F("card_count_10m", "card", "count", "payments of the card in 10 minutes", "该卡 10 分钟内交易数",
      _count("card", HOUR // 6), ("card_count_30d", 4320)),
    F("card_count_1h", "card", "count", "payments of the card in 1 h", "该卡 1 小时内交易数", _count("card", HOUR),
      ("card_count_30d", 720)),
    F("card_count_1d", "card", "count", "payments of the card in 1 day", "该卡 1 天内交易数", _count("card", DAY),
      ("card_count_30d", 30)),
    F("card_count_7d", "card", "count", "payments of the card in 7 days", "该卡 7 天内交易数", _count("card", 7 * DAY),
      ("card_count_30d", 30 / 7)),
    F("card_count_30d", "card", "count", "payments of the card in 30 days", "该卡 30 天内交易数",
      _count("card", 30 * DAY)),
    F("card_mean_usd_1d", "card", "usd", "mean amount of the card in 1 day", "该卡 1 天内平均金额",
      _mean_usd("card", DAY), ("card_mean_usd_30d", 1)),
    F("card_mean_usd_7d", "card", "usd", "mean amount of the card in 7 days", "该卡 7 天内平均金额",
      _mean_usd("card", 7 * DAY), ("card_mean_usd_30d", 1)),
    F("card_mean_usd_30d", "card", "usd", "mean amount of the card in 30 days", "该卡 30 天内平均金额",
      _mean_usd("card", 30 * DAY)),
    F("card_declined_1h", "card", "count", "declined payments of the card in 1 h", "该卡 1 小时内被拒次数",
      _count("card", HOUR, "declined")),
    F("card_declined_1d", "card", "count", "declined payments of the card in 1 day", "该卡 1 天内被拒次数",
      _count("card", DAY, "declined")),
    F("card_fraud_count", "card", "count", "frauds of the card known in the last 30 days", "该卡近 30 天已知欺诈数",
      _count("card", 30 * DAY, "fraud")),
    F("card_fraud_7d", "card", "count", "frauds of the card known in the last 7 days", "该卡近 7 天已知欺诈数",
      _count("card", 7 * DAY, "fraud")),
    F("card_seconds_since_last", "card", "seconds", "time since the card's last payment", "距该卡上一笔交易",
      _since_last("card")),
    F("card_is_new", "card", "flag", "first payment of the card", "该卡首笔交易", _is_new("card")),
    F("card_lifetime_count", "card", "count", "payments of the card so far", "该卡累计交易数", _profile("card", COUNT)),
    F("amount_over_card_mean", "card", "ratio", "amount over the card's usual", "金额 / 该卡平时金额",
      _over_mean("card")),
    F("amount_card_deviation", "card", "deviations", "amount in deviations from the card's usual",
      "金额偏离该卡习惯（标准差）", _deviation("card")),
    F("card_merchants_30d", "card", "count", "merchants the card paid in 30 days", "该卡 30 天内商户数",
      _distinct("card", 30 * DAY, "merchant")),
    F("card_merchant_is_new", "card", "flag", "card never paid this merchant", "该卡首次在此商户支付",
      _pair_is_new("card", 30 * DAY, "merchant")),
    F("card_customers_30d", "card", "count", "customers who used the card in 30 days", "30 天内使用该卡的客户数",
      _distinct("card", 30 * DAY, "customer")),
    F("card_device_is_new", "card", "flag", "card never used on this device", "该卡首次在此设备使用",
      _pair_is_new("card", 30 * DAY, "device")),
    F("card_country_changed", "card", "flag", "another country than the card's last payment",
      "与该卡上一笔交易的国家不同", _country_changed),
    F("card_geo_speed_kmh", "card", "km/h", "speed needed from the card's last place", "自上一地点所需速度", _speed),
    # the customer
    F("customer_count_1h", "customer", "count", "payments of the customer in 1 h", "该客户 1 小时内交易数",
      _count("customer", HOUR), ("customer_count_30d", 720)),
    F("customer_count_1d", "customer", "count", "payments of the customer in 1 day", "该客户 1 天内交易数",
      _count("customer", DAY), ("customer_count_30d", 30)),
    F("customer_count_30d", "customer", "count", "payments of the customer in 30 days", "该客户 30 天内交易数",
      _count("customer", 30 * DAY)),
    F("customer_usd_1d", "customer", "usd", "amount of the customer in 1 day", "该客户 1 天内金额",
      lambda v: v.sums["customer", DAY, "usd"] / USD_SCALE),
    F("customer_usd_7d", "customer", "usd", "amount of the customer in 7 days", "该客户 7 天内金额",
      lambda v: v.sums["customer", 7 * DAY, "usd"] / USD_SCALE),
    F("customer_lifetime_count", "customer", "count", "payments of the customer so far", "该客户累计交易数",
      _profile("customer", COUNT)),
    F("customer_days_dormant", "customer", "days", "days since the customer's last payment", "距该客户上一笔交易天数",
      lambda v: _since_last("customer")(v) / 86_400.0),
    F("amount_over_customer_mean", "customer", "ratio", "amount over the customer's usual", "金额 / 该客户平时金额",
      _over_mean("customer")),
    F("amount_over_customer_max", "customer", "ratio", "amount over the customer's largest so far",
      "金额 / 该客户历史最大金额", _over_max),
    F("amount_customer_deviation", "customer", "deviations", "amount in deviations from the customer's usual",
      "金额偏离该客户习惯（标准差）", _deviation("customer")),
    F("hour_unusual_customer", "customer", "nats", "how unusual the hour is for the customer", "该时刻对客户的异常程度",
      lambda v: v.hours),
    F("customer_logins_failed_1h", "customer", "count", "failed logins of the customer in 1 h",
      "该客户 1 小时内登录失败次数", _count("customer", HOUR, "login_failed")),
    F("customer_refunds_30d", "customer", "count", "refunds to the customer in 30 days", "该客户 30 天内退款次数",
      _count("customer", 30 * DAY, "refund")),
    F("customer_fraud_count", "customer", "count", "frauds of the customer known in the last 30 days",
      "该客户近 30 天已知欺诈数", _count("customer", 30 * DAY, "fraud")),
    F("customer_seconds_since_device_change", "customer", "seconds", "time since a device change", "距更换设备",
      _act(0)),
    F("customer_seconds_since_credential_change", "customer", "seconds", "time since a credential change",
      "距修改凭证", _act(1)),
    F("customer_seconds_since_contact_change", "customer", "seconds", "time since a contact change",
      "距修改联系方式", _act(2)),
    F("customer_seconds_since_payee_added", "customer", "seconds", "time since a payee was added", "距新增收款人",
      _act(3)),
    F("customer_device_is_new", "customer", "flag", "customer never used this device", "客户首次使用此设备",
      _pair_is_new("customer", 90 * DAY, "device")),
    F("customer_payee_is_new", "customer", "flag", "customer never paid this payee", "客户首次向此收款人付款",
      _pair_is_new("customer", 90 * DAY, "payee")),
    F("customer_cards_7d", "customer", "count", "cards the customer used in 7 days", "该客户 7 天内使用的卡数",
      _distinct("customer", 7 * DAY, "card")),
    F("customer_ships_7d", "customer", "count", "recipients the customer shipped to in 7 days",
      "该客户 7 天内收货人数", _distinct("customer", 7 * DAY, "ship")),
    # device and IP
    F("device_count_1h", "device", "count", "payments on the device in 1 h", "该设备 1 小时内交易数",
      _count("device", HOUR), ("device_count_30d", 720)),
    F("device_count_30d", "device", "count", "payments on the device in 30 days", "该设备 30 天内交易数",
      _count("device", 30 * DAY)),
    F("device_declined_1h", "device", "count", "declined payments on the device in 1 h", "该设备 1 小时内被拒次数",
      _count("device", HOUR, "declined")),
    F("device_customers_30d", "device", "count", "customers on the device in 30 days", "30 天内使用该设备的客户数",
      _distinct("device", 30 * DAY, "customer")),
    F("device_cards_30d", "device", "count", "cards on the device in 30 days", "30 天内使用该设备的卡数",
      _distinct("device", 30 * DAY, "card")),
    F("device_fraud_rate", "device", "share", "known fraud rate of the device", "该设备已知欺诈率",
      _fraud_rate("device", 30 * DAY)),
    F("device_is_new", "device", "flag", "first payment on the device", "该设备首笔交易", _is_new("device")),
    F("ip_count_1h", "ip", "count", "payments from the IP in 1 h", "该 IP 1 小时内交易数", _count("ip", HOUR)),
    F("ip_cards_1h", "ip", "count", "cards from the IP in 1 h", "该 IP 1 小时内卡数", _distinct("ip", HOUR, "card")),
    F("ip_logins_failed_1h", "ip", "count", "failed logins from the IP in 1 h", "该 IP 1 小时内登录失败次数",
      _count("ip", HOUR, "login_failed")),
    # the merchant
    F("merchant_count_1h", "merchant", "count", "payments at the merchant in 1 h", "该商户 1 小时内交易数",
      _count("merchant", HOUR), ("merchant_count_30d", 720)),
    F("merchant_count_1d", "merchant", "count", "payments at the merchant in 1 day", "该商户 1 天内交易数",
      _count("merchant", DAY), ("merchant_count_30d", 30)),
    F("merchant_count_7d", "merchant", "count", "payments at the merchant in 7 days", "该商户 7 天内交易数",
      _count("merchant", 7 * DAY), ("merchant_count_30d", 30 / 7)),
    F("merchant_count_30d", "merchant", "count", "payments at the merchant in 30 days", "该商户 30 天内交易数",
      _count("merchant", 30 * DAY)),
    F("merchant_count_1d_over_30d", "merchant", "ratio", "merchant's payments today over its daily usual",
      "该商户今日交易数 / 平日", _per_day("merchant")),
    F("merchant_declined_share_1h", "merchant", "share", "declined share at the merchant in 1 h",
      "该商户 1 小时内拒绝率", _share("merchant", HOUR, "declined")),
    F("merchant_bad_credential_share_1h", "merchant", "share", "invalid-account declines at the merchant in 1 h",
      "该商户 1 小时内无效账户拒绝占比", _share("merchant", HOUR, "bad_credential")),
    F("merchant_cards_1h", "merchant", "count", "cards at the merchant in 1 h", "该商户 1 小时内卡数",
      _distinct("merchant", HOUR, "card")),
    F("merchant_fraud_1d", "merchant", "count", "frauds at the merchant known in the last day", "该商户近 1 天已知欺诈数",
      _count("merchant", DAY, "fraud")),
    F("merchant_fraud_rate_7d", "merchant", "share", "known fraud rate of the merchant, 7 days",
      "该商户近 7 天已知欺诈率", _fraud_rate("merchant", 7 * DAY)),
    F("merchant_fraud_rate", "merchant", "share", "known fraud rate of the merchant, 30 days",
      "该商户近 30 天已知欺诈率", _fraud_rate("merchant", 30 * DAY)),
    F("merchant_age_days", "merchant", "days", "days since the merchant's first payment", "该商户首笔交易至今天数",
      _age_days("merchant")),
    F("amount_over_merchant_mean", "merchant", "ratio", "amount over the merchant's usual ticket",
      "金额 / 该商户平均客单", _over_mean("merchant")),
    F("amount_merchant_deviation", "merchant", "deviations", "amount in deviations from the merchant's usual",
      "金额偏离该商户客单（标准差）", _deviation("merchant")),
    # payee, BIN, partner, corridor
    F("payee_payers_24h", "payee", "count", "payers to the payee in 24 h", "24 小时内向该收款人付款的人数",
      _distinct("payee", DAY, "customer")),
    F("payee_payers_7d", "payee", "count", "payers to the payee in 7 days", "7 天内向该收款人付款的人数",
      _distinct("payee", 7 * DAY, "customer")),
    F("payee_usd_1d", "payee", "usd", "amount to the payee in 1 day", "该收款人 1 天内收款金额",
      lambda v: v.sums["payee", DAY, "usd"] / USD_SCALE),
    F("payee_fraud_rate", "payee", "share", "known fraud rate of the payee", "该收款人已知欺诈率",
      _fraud_rate("payee", 30 * DAY)),
    F("payee_age_days", "payee", "days", "days since the payee's first payment", "该收款人首笔收款至今天数",
      _age_days("payee")),
    F("bin_cards_1h", "bin", "count", "cards of the BIN in 1 h", "该 BIN 1 小时内卡数", _distinct("bin", HOUR, "card")),
    F("bin_declined_share_1h", "bin", "share", "declined share of the BIN in 1 h", "该 BIN 1 小时内拒绝率",
      _share("bin", HOUR, "declined")),
    F("bin_fraud_rate", "bin", "share", "known fraud rate of the BIN", "该 BIN 已知欺诈率", _fraud_rate("bin", 30 * DAY)),
    F("partner_declined_share_1h", "partner", "share", "declined share of the partner in 1 h",
      "该合作方 1 小时内拒绝率", _share("partner", HOUR, "declined")),
    F("corridor_count_1d", "corridor", "count", "payments in the corridor in 1 day", "该走廊 1 天内交易数",
      _count("corridor", DAY)),
    F("corridor_fraud_rate", "corridor", "share", "known fraud rate of the corridor", "该走廊已知欺诈率",
      _fraud_rate("corridor", 30 * DAY)),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in CATALOGUE}
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
RULE_KINDS: dict[str, Kind] = {f.name: "flag" if f.unit == "flag" else "number" for f in CATALOGUE}
"""Names and kinds for the rule language."""


def matrix(view: View) -> Float:
    """Feature matrix (m, len(CATALOGUE)), NaN = missing; infinite values cannot occur."""
    out = np.empty((view.times.shape[0], len(CATALOGUE)), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        for index, feature in enumerate(CATALOGUE):
            out[:, index] = feature.formula(view)
    return out
