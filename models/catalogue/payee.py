"""What is known of the payee, the BIN, the partner and the corridor."""

from __future__ import annotations

from models.catalogue.feature import F
from models.formulas import age_days, count, days_since, distinct, fraud_rate, outcome, profile, share
from models.memory import DEVIATE
from models.outcomes import (
    FRAUDS_MONTH,
    GOOD_SINCE,
    KNOWN_MONTH,
    LAST_FRAUD,
    LAST_PLAIN,
    PLAIN_RUN,
    RECENT,
    RUN,
)
from models.view import DAY, HOUR, USD_SCALE

PAYEE: tuple[F, ...] = (
    # payee, BIN, partner, corridor
    F("payee_payers_24h", "payee", "count", "payers to the payee in 24 h", "24 小时内向该收款人付款的人数",
      distinct("payee", DAY, "customer")),
    F("payee_payers_7d", "payee", "count", "payers to the payee in 7 days", "7 天内向该收款人付款的人数",
      distinct("payee", 7 * DAY, "customer")),
    F("payee_usd_1d", "payee", "usd", "amount to the payee in 1 day", "该收款人 1 天内收款金额",
      lambda v: v.sums["payee", DAY, "usd"] / USD_SCALE),
    F("payee_fraud_rate", "payee", "share", "known fraud rate of the payee", "该收款人已知欺诈率",
      fraud_rate("payee", FRAUDS_MONTH, KNOWN_MONTH)),
    F("payee_age_days", "payee", "days", "days since the payee's first payment", "该收款人首笔收款至今天数",
      age_days("payee"), cap=30.0),
    F("amount_payee_robust_deviation", "payee", "deviations",
      "amount in deviations from the payee's typical one", "金额偏离该收款人典型金额（标准差）",
      profile("payee", DEVIATE), cap=100.0),
    F("payee_days_since_fraud", "payee", "days", "days since the last payment to the payee known as fraud",
      "距该收款人上一笔已知欺诈天数",
      days_since("payee", LAST_FRAUD), cap=60.0),
    F("payee_fraud_run", "payee", "count", "known frauds to the payee with no good payment after them",
      "该收款人连续已知欺诈数",
      outcome("payee", RUN), cap=50.0),
    F("payee_good_since_fraud", "payee", "count", "payments to the payee known as good since the last fraud",
      "该收款人上次欺诈后已知正常交易数",
      outcome("payee", GOOD_SINCE), cap=50.0),
    F("payee_fraud_share_recent", "payee", "share", "frauds among the last few known outcomes to the payee",
      "该收款人最近几笔已知结果中的欺诈占比",
      outcome("payee", RECENT)),
    F("payee_days_since_plain_fraud", "payee", "days",
      "days since the last known fraud to the payee of an ordinary amount", "距该收款人上一笔金额正常的已知欺诈天数",
      days_since("payee", LAST_PLAIN), cap=60.0),
    F("payee_plain_fraud_run", "payee", "count",
      "known frauds to the payee of an ordinary amount with no good payment after them",
      "该收款人连续金额正常的已知欺诈数",
      outcome("payee", PLAIN_RUN), cap=50.0),
    F("bin_cards_1h", "bin", "count", "cards of the BIN in 1 h", "该 BIN 1 小时内卡数", distinct("bin", HOUR, "card")),
    F("bin_declined_share_1h", "bin", "share", "declined share of the BIN in 1 h", "该 BIN 1 小时内拒绝率",
      share("bin", HOUR, "declined")),
    F("bin_fraud_rate", "bin", "share", "known fraud rate of the BIN",
      "该 BIN 已知欺诈率", fraud_rate("bin", FRAUDS_MONTH, KNOWN_MONTH)),
    F("partner_declined_share_1h", "partner", "share", "declined share of the partner in 1 h",
      "该合作方 1 小时内拒绝率", share("partner", HOUR, "declined")),
    F("corridor_count_1d", "corridor", "count", "payments in the corridor in 1 day", "该走廊 1 天内交易数",
      count("corridor", DAY)),
    F("corridor_fraud_rate", "corridor", "share", "known fraud rate of the corridor", "该走廊已知欺诈率",
      fraud_rate("corridor", FRAUDS_MONTH, KNOWN_MONTH)),
)  # fmt: skip
