"""The feature catalogue: every number the models see, with its entity, unit, formula and wording.

One entry adds a feature: it is then computed, served, explained, documented and tested. Formulas are in
models/formulas.py. Order is the order of the vector; names are stable.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from models.columns import Float, Kind
from models.formulas import (
    Formula,
    act,
    age_days,
    column,
    count,
    country_changed,
    deviation,
    differ,
    distinct,
    fraud_rate,
    is_new,
    mean_usd,
    night,
    number,
    over_max,
    over_mean,
    pair_is_new,
    per_day,
    profile,
    share,
    since_last,
    speed,
    three_countries,
    weekend,
)
from models.memory import COUNT
from models.view import DAY, HOUR, USD_SCALE, View

Unit = Literal[
    "usd", "count", "seconds", "days", "ratio", "share", "deviations", "km/h", "flag", "nats", "hour"
]


class Feature(NamedTuple):
    """One entry.

    usual: (name of the feature to compare with, divisor), shown as "usual" in reasons. cap: largest value models
    see; rules and reasons see the value itself. Quantities that grow with the age of the system need one: a
    model learns from payments whose outcome window has closed, and must not meet values no example could have.
    """

    name: str
    entity: str
    unit: Unit
    en: str
    zh: str
    formula: Formula
    usual: tuple[str, float] | None = None
    cap: float | None = None


F = Feature
CATALOGUE: tuple[Feature, ...] = (
    # the transaction itself
    F("amount_usd", "transaction", "usd", "amount", "金额", column("amount_usd"), ("card_mean_usd_30d", 1)),
    F("log_amount", "transaction", "ratio", "size of the amount (log)", "金额（对数）",
      lambda v: np.log1p(number(v.columns["amount_usd"]))),
    F("hour_local", "transaction", "hour", "local hour", "当地时刻", column("hour_local")),
    F("is_night", "transaction", "flag", "between 0 and 6 o'clock local time", "当地凌晨 0–6 点", night),
    F("is_weekend", "transaction", "flag", "on a weekend", "周末交易", weekend),
    F("cross_border", "transaction", "flag", "crosses a border", "跨境", column("cross_border")),
    F("authentication_factors", "transaction", "count", "authentication factors passed", "通过的认证要素数",
      column("authentication_factors")),
    F("was_declined", "transaction", "flag", "declined by the issuer", "被发卡行拒绝", column("declined")),
    F("ip_issuer_mismatch", "transaction", "flag", "IP country differs from the issuer's", "IP 国家与发卡国不一致",
      differ("ip_country", "issuer_country")),
    F("ship_issuer_mismatch", "transaction", "flag", "shipping country differs from the issuer's",
      "收货国与发卡国不一致", differ("ship_country", "issuer_country")),
    F("ip_ship_mismatch", "transaction", "flag", "IP country differs from the shipping country",
      "IP 国家与收货国不一致", differ("ip_country", "ship_country")),
    F("three_country_mismatch", "transaction", "flag", "issuer, IP and shipping country all differ",
      "发卡国、IP 国家、收货国三者各不相同", three_countries),
    # the card
    F("card_count_10m", "card", "count", "payments of the card in 10 minutes", "该卡 10 分钟内交易数",
      count("card", HOUR // 6), ("card_count_30d", 4320)),
    F("card_count_1h", "card", "count", "payments of the card in 1 h", "该卡 1 小时内交易数", count("card", HOUR),
      ("card_count_30d", 720)),
    F("card_count_1d", "card", "count", "payments of the card in 1 day", "该卡 1 天内交易数", count("card", DAY),
      ("card_count_30d", 30)),
    F("card_count_7d", "card", "count", "payments of the card in 7 days", "该卡 7 天内交易数", count("card", 7 * DAY),
      ("card_count_30d", 30 / 7)),
    F("card_count_30d", "card", "count", "payments of the card in 30 days", "该卡 30 天内交易数",
      count("card", 30 * DAY)),
    F("card_mean_usd_1d", "card", "usd", "mean amount of the card in 1 day", "该卡 1 天内平均金额",
      mean_usd("card", DAY), ("card_mean_usd_30d", 1)),
    F("card_mean_usd_7d", "card", "usd", "mean amount of the card in 7 days", "该卡 7 天内平均金额",
      mean_usd("card", 7 * DAY), ("card_mean_usd_30d", 1)),
    F("card_mean_usd_30d", "card", "usd", "mean amount of the card in 30 days", "该卡 30 天内平均金额",
      mean_usd("card", 30 * DAY)),
    F("card_declined_1h", "card", "count", "declined payments of the card in 1 h", "该卡 1 小时内被拒次数",
      count("card", HOUR, "declined")),
    F("card_declined_1d", "card", "count", "declined payments of the card in 1 day", "该卡 1 天内被拒次数",
      count("card", DAY, "declined")),
    F("card_fraud_count", "card", "count", "frauds of the card known in the last 30 days", "该卡近 30 天已知欺诈数",
      count("card", 30 * DAY, "fraud")),
    F("card_fraud_7d", "card", "count", "frauds of the card known in the last 7 days", "该卡近 7 天已知欺诈数",
      count("card", 7 * DAY, "fraud")),
    F("card_seconds_since_last", "card", "seconds", "time since the card's last payment", "距该卡上一笔交易",
      since_last("card"), cap=30 * DAY / 1000),
    F("card_is_new", "card", "flag", "first payment of the card", "该卡首笔交易", is_new("card")),
    F("card_lifetime_count", "card", "count", "payments of the card so far", "该卡累计交易数", profile("card", COUNT), cap=30.0),
    F("amount_over_card_mean", "card", "ratio", "amount over the card's usual", "金额 / 该卡平时金额",
      over_mean("card")),
    F("amount_card_deviation", "card", "deviations", "amount in deviations from the card's usual",
      "金额偏离该卡习惯（标准差）", deviation("card")),
    F("card_merchants_30d", "card", "count", "merchants the card paid in 30 days", "该卡 30 天内商户数",
      distinct("card", 30 * DAY, "merchant")),
    F("card_merchant_is_new", "card", "flag", "card never paid this merchant", "该卡首次在此商户支付",
      pair_is_new("card", 30 * DAY, "merchant")),
    F("card_customers_30d", "card", "count", "customers who used the card in 30 days", "30 天内使用该卡的客户数",
      distinct("card", 30 * DAY, "customer")),
    F("card_device_is_new", "card", "flag", "card never used on this device", "该卡首次在此设备使用",
      pair_is_new("card", 30 * DAY, "device")),
    F("card_country_changed", "card", "flag", "another country than the card's last payment",
      "与该卡上一笔交易的国家不同", country_changed),
    F("card_geo_speed_kmh", "card", "km/h", "speed needed from the card's last place", "自上一地点所需速度", speed),
    # the customer
    F("customer_count_1h", "customer", "count", "payments of the customer in 1 h", "该客户 1 小时内交易数",
      count("customer", HOUR), ("customer_count_30d", 720)),
    F("customer_count_1d", "customer", "count", "payments of the customer in 1 day", "该客户 1 天内交易数",
      count("customer", DAY), ("customer_count_30d", 30)),
    F("customer_count_30d", "customer", "count", "payments of the customer in 30 days", "该客户 30 天内交易数",
      count("customer", 30 * DAY)),
    F("customer_usd_1d", "customer", "usd", "amount of the customer in 1 day", "该客户 1 天内金额",
      lambda v: v.sums["customer", DAY, "usd"] / USD_SCALE),
    F("customer_usd_7d", "customer", "usd", "amount of the customer in 7 days", "该客户 7 天内金额",
      lambda v: v.sums["customer", 7 * DAY, "usd"] / USD_SCALE),
    F("customer_lifetime_count", "customer", "count", "payments of the customer so far", "该客户累计交易数",
      profile("customer", COUNT), cap=30.0),
    F("customer_days_dormant", "customer", "days", "days since the customer's last payment", "距该客户上一笔交易天数",
      lambda v: since_last("customer")(v) / 86_400.0, cap=30.0),
    F("amount_over_customer_mean", "customer", "ratio", "amount over the customer's usual", "金额 / 该客户平时金额",
      over_mean("customer")),
    F("amount_over_customer_max", "customer", "ratio", "amount over the customer's largest so far",
      "金额 / 该客户历史最大金额", over_max),
    F("amount_customer_deviation", "customer", "deviations", "amount in deviations from the customer's usual",
      "金额偏离该客户习惯（标准差）", deviation("customer")),
    F("hour_unusual_customer", "customer", "nats", "how unusual the hour is for the customer", "该时刻对客户的异常程度",
      lambda v: v.hours),
    F("customer_logins_failed_1h", "customer", "count", "failed logins of the customer in 1 h",
      "该客户 1 小时内登录失败次数", count("customer", HOUR, "login_failed")),
    F("customer_refunds_30d", "customer", "count", "refunds to the customer in 30 days", "该客户 30 天内退款次数",
      count("customer", 30 * DAY, "refund")),
    F("customer_fraud_count", "customer", "count", "frauds of the customer known in the last 30 days",
      "该客户近 30 天已知欺诈数", count("customer", 30 * DAY, "fraud")),
    F("customer_seconds_since_device_change", "customer", "seconds", "time since a device change", "距更换设备",
      act(0), cap=30 * DAY / 1000),
    F("customer_seconds_since_credential_change", "customer", "seconds", "time since a credential change",
      "距修改凭证", act(1), cap=30 * DAY / 1000),
    F("customer_seconds_since_contact_change", "customer", "seconds", "time since a contact change",
      "距修改联系方式", act(2), cap=30 * DAY / 1000),
    F("customer_seconds_since_payee_added", "customer", "seconds", "time since a payee was added", "距新增收款人",
      act(3), cap=30 * DAY / 1000),
    F("customer_device_is_new", "customer", "flag", "customer never used this device", "客户首次使用此设备",
      pair_is_new("customer", 90 * DAY, "device")),
    F("customer_payee_is_new", "customer", "flag", "customer never paid this payee", "客户首次向此收款人付款",
      pair_is_new("customer", 90 * DAY, "payee")),
    F("customer_cards_7d", "customer", "count", "cards the customer used in 7 days", "该客户 7 天内使用的卡数",
      distinct("customer", 7 * DAY, "card")),
    F("customer_ships_7d", "customer", "count", "recipients the customer shipped to in 7 days",
      "该客户 7 天内收货人数", distinct("customer", 7 * DAY, "ship")),
    # device and IP
    F("device_count_1h", "device", "count", "payments on the device in 1 h", "该设备 1 小时内交易数",
      count("device", HOUR), ("device_count_30d", 720)),
    F("device_count_30d", "device", "count", "payments on the device in 30 days", "该设备 30 天内交易数",
      count("device", 30 * DAY)),
    F("device_declined_1h", "device", "count", "declined payments on the device in 1 h", "该设备 1 小时内被拒次数",
      count("device", HOUR, "declined")),
    F("device_customers_30d", "device", "count", "customers on the device in 30 days", "30 天内使用该设备的客户数",
      distinct("device", 30 * DAY, "customer")),
    F("device_cards_30d", "device", "count", "cards on the device in 30 days", "30 天内使用该设备的卡数",
      distinct("device", 30 * DAY, "card")),
    F("device_fraud_rate", "device", "share", "known fraud rate of the device", "该设备已知欺诈率",
      fraud_rate("device", 30 * DAY)),
    F("device_is_new", "device", "flag", "first payment on the device", "该设备首笔交易", is_new("device")),
    F("ip_count_1h", "ip", "count", "payments from the IP in 1 h", "该 IP 1 小时内交易数", count("ip", HOUR)),
    F("ip_cards_1h", "ip", "count", "cards from the IP in 1 h", "该 IP 1 小时内卡数", distinct("ip", HOUR, "card")),
    F("ip_logins_failed_1h", "ip", "count", "failed logins from the IP in 1 h", "该 IP 1 小时内登录失败次数",
      count("ip", HOUR, "login_failed")),
    # the merchant
    F("merchant_count_1h", "merchant", "count", "payments at the merchant in 1 h", "该商户 1 小时内交易数",
      count("merchant", HOUR), ("merchant_count_30d", 720)),
    F("merchant_count_1d", "merchant", "count", "payments at the merchant in 1 day", "该商户 1 天内交易数",
      count("merchant", DAY), ("merchant_count_30d", 30)),
    F("merchant_count_7d", "merchant", "count", "payments at the merchant in 7 days", "该商户 7 天内交易数",
      count("merchant", 7 * DAY), ("merchant_count_30d", 30 / 7)),
    F("merchant_count_30d", "merchant", "count", "payments at the merchant in 30 days", "该商户 30 天内交易数",
      count("merchant", 30 * DAY)),
    F("merchant_count_1d_over_30d", "merchant", "ratio", "merchant's payments today over its daily usual",
      "该商户今日交易数 / 平日", per_day("merchant")),
    F("merchant_declined_share_1h", "merchant", "share", "declined share at the merchant in 1 h",
      "该商户 1 小时内拒绝率", share("merchant", HOUR, "declined")),
    F("merchant_bad_credential_share_1h", "merchant", "share", "invalid-account declines at the merchant in 1 h",
      "该商户 1 小时内无效账户拒绝占比", share("merchant", HOUR, "bad_credential")),
    F("merchant_cards_1h", "merchant", "count", "cards at the merchant in 1 h", "该商户 1 小时内卡数",
      distinct("merchant", HOUR, "card")),
    F("merchant_fraud_1d", "merchant", "count", "frauds at the merchant known in the last day", "该商户近 1 天已知欺诈数",
      count("merchant", DAY, "fraud")),
    F("merchant_fraud_rate_7d", "merchant", "share", "known fraud rate of the merchant, 7 days",
      "该商户近 7 天已知欺诈率", fraud_rate("merchant", 7 * DAY)),
    F("merchant_fraud_rate", "merchant", "share", "known fraud rate of the merchant, 30 days",
      "该商户近 30 天已知欺诈率", fraud_rate("merchant", 30 * DAY)),
    F("merchant_age_days", "merchant", "days", "days since the merchant's first payment", "该商户首笔交易至今天数",
      age_days("merchant"), cap=30.0),
    F("amount_over_merchant_mean", "merchant", "ratio", "amount over the merchant's usual ticket",
      "金额 / 该商户平均客单", over_mean("merchant")),
    F("amount_merchant_deviation", "merchant", "deviations", "amount in deviations from the merchant's usual",
      "金额偏离该商户客单（标准差）", deviation("merchant")),
    # payee, BIN, partner, corridor
    F("payee_payers_24h", "payee", "count", "payers to the payee in 24 h", "24 小时内向该收款人付款的人数",
      distinct("payee", DAY, "customer")),
    F("payee_payers_7d", "payee", "count", "payers to the payee in 7 days", "7 天内向该收款人付款的人数",
      distinct("payee", 7 * DAY, "customer")),
    F("payee_usd_1d", "payee", "usd", "amount to the payee in 1 day", "该收款人 1 天内收款金额",
      lambda v: v.sums["payee", DAY, "usd"] / USD_SCALE),
    F("payee_fraud_rate", "payee", "share", "known fraud rate of the payee", "该收款人已知欺诈率",
      fraud_rate("payee", 30 * DAY)),
    F("payee_age_days", "payee", "days", "days since the payee's first payment", "该收款人首笔收款至今天数",
      age_days("payee"), cap=30.0),
    F("bin_cards_1h", "bin", "count", "cards of the BIN in 1 h", "该 BIN 1 小时内卡数", distinct("bin", HOUR, "card")),
    F("bin_declined_share_1h", "bin", "share", "declined share of the BIN in 1 h", "该 BIN 1 小时内拒绝率",
      share("bin", HOUR, "declined")),
    F("bin_fraud_rate", "bin", "share", "known fraud rate of the BIN", "该 BIN 已知欺诈率", fraud_rate("bin", 30 * DAY)),
    F("partner_declined_share_1h", "partner", "share", "declined share of the partner in 1 h",
      "该合作方 1 小时内拒绝率", share("partner", HOUR, "declined")),
    F("corridor_count_1d", "corridor", "count", "payments in the corridor in 1 day", "该走廊 1 天内交易数",
      count("corridor", DAY)),
    F("corridor_fraud_rate", "corridor", "share", "known fraud rate of the corridor", "该走廊已知欺诈率",
      fraud_rate("corridor", 30 * DAY)),
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


def for_models(rows: Float) -> Float:
    """The matrix as models see it: growing quantities held at their cap. A copy."""
    out = rows.copy()
    for index, feature in enumerate(CATALOGUE):
        if feature.cap is not None:
            np.minimum(out[:, index], feature.cap, out=out[:, index])
    return out
