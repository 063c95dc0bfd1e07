"""Signals: what rules know of accounts and documents. Models do not learn from them.

They come from graphs of accounts and from papers that most streams do not carry. A column that is missing throughout
would only dilute the columns a learner samples, so these stay with the rules until a measurement says otherwise.
"""

from __future__ import annotations

from models.catalogue.feature import F
from models.flows import (
    CYCLE,
    CYCLE_DAYS,
    DWELL,
    FUNDED_HOUR,
    PASSED_DAY,
    PASSED_HOUR,
    PASSES_WEEK,
    PAYERS_DAY,
    RETURNED,
)
from models.formulas import documents, flow
from models.trade import AMOUNTS_APART, GOODS_DIFFER, PARTIES_DIFFER, PRICE, VALUE_OF_WEIGHT

SIGNALS: tuple[F, ...] = (
    # the account money leaves
    F("account_passed_share_1h", "account", "share", "share of what the account received in 1 h that has left it",
      "该账户 1 小时内收款已转出的比例", flow(PASSED_HOUR)),
    F("account_funded_share_1h", "account", "share", "share of the payment that the account received in 1 h",
      "该笔付款中 1 小时内收到资金的比例", flow(FUNDED_HOUR)),
    F("account_dwell_seconds", "account", "seconds", "time the money stayed in the account", "资金在账户停留时间",
      flow(DWELL)),
    F("account_passes_7d", "account", "count", "times in 7 days that a credit left the account within 1 h",
      "7 天内收款 1 小时内即转出的次数", flow(PASSES_WEEK)),
    F("account_passed_share_1d", "account", "share", "share of what the account received in 1 day that has left it",
      "该账户 1 天内收款已转出的比例", flow(PASSED_DAY)),
    F("account_payers_1d", "account", "count", "payers of the account's last credits in 1 day",
      "该账户 1 天内最近几笔收款的付款人数", flow(PAYERS_DAY)),
    F("cycle_payments", "account", "count", "payments in the cycle that this payment closes", "该笔付款闭合的资金环笔数",
      flow(CYCLE)),
    F("cycle_returned_share", "account", "share", "share of the value that returns to where the cycle began",
      "资金环回流至起点的比例", flow(RETURNED)),
    F("cycle_days", "account", "days", "time since the cycle began", "距资金环起点时间", flow(CYCLE_DAYS)),
    # the stream
    F("days_watched", "transaction", "days", "time since the first payment Tidegate saw", "距系统首笔交易时间",
      lambda v: v.watched),
    # order, payment and waybill
    F("documents_parties_differ", "transaction", "flag", "order, payment and waybill name different people",
      "订单、支付单、运单人员不一致", documents(PARTIES_DIFFER)),
    F("documents_amounts_apart", "transaction", "share", "gap between the amounts of order, payment and waybill",
      "订单、支付单、运单金额差距", documents(AMOUNTS_APART)),
    F("documents_goods_differ", "transaction", "flag", "order and waybill name different goods", "订单与运单货物不一致",
      documents(GOODS_DIFFER)),
    F("price_deviation", "goods", "deviations", "price a piece in deviations from that of such goods",
      "单价偏离同类商品（标准差）", documents(PRICE)),
    F("value_of_weight_deviation", "goods", "deviations", "value of a kilogram in deviations from that of such goods",
      "单位重量价值偏离同类商品（标准差）", documents(VALUE_OF_WEIGHT)),
)  # fmt: skip
