"""Words of the rule table on the Models page. Key: (English, Chinese)."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "col.rule": ("Rule", "规则"),
    "rules.days": ("Days", "天数"),
    "rules.days_of": ("{days} d", "{days} 天"),
    "rules.title": ("Title", "名称"),
    "rules.hits": ("Hits", "命中"),
    "rules.daily": ("By day", "每日"),
    "rules.precision": ("Precision", "准确率"),
    "rules.precision.help": (
        "Share of fraud among hits whose outcome counts: a day as a whole once its label time is over, before that only "
        "what an analyst judged. Stopped payments without a label count neither way.",
        "结果可计的命中中欺诈所占比例：标签期限已过的日子整日计入，此前仅计分析员判定者。被拦截且无标签的付款不计。",
    ),
    "rules.settled": ("Frauds / settled", "欺诈 / 已结算"),
    "rules.alone": ("Alone", "独占"),
    "rules.alone.help": (
        "Share of its hits that no other rule in force hit: what would pass without it.",
        "其命中中没有其他生效规则命中的比例，即去掉本规则后会放过的部分。",
    ),
    "rules.overlap": ("Overlap", "重叠"),
    "rules.overlap.help": (
        "Share of its hits that the other rule hit too.",
        "其命中中另一规则同样命中的比例。",
    ),
    "rules.usd": ("USD hit", "涉及美元"),
    "rules.fraud_usd": ("USD fraud", "欺诈美元"),
    "rules.fraud_usd.help": ("Of hits known to be fraud so far.", "目前已知为欺诈的命中金额。"),
    "rules.no_hits": ("No rule hit a payment in the last {days} days.", "最近 {days} 天没有规则命中。"),
    "rules.silent": ("No hit: {count} rules ({rules})", "无命中：{count} 条规则（{rules}）"),
    "rules.unknown": (
        "This rule is not in the pack that the settings name; it hit while another pack was in force.",
        "设置所指的规则包中没有此规则；其命中发生在其他规则包生效期间。",
    ),
    "rules.not_in_pack": ("not in this pack", "不在此规则包中"),
    "rules.with": ("Hit together with: {rules}", "同时命中：{rules}"),
    "rules.alerts": ("Alerts of this rule", "此规则的警报"),
    "rules.runbook": ("Runbook: what to do about a hit", "处置手册：命中后怎么办"),
    "rules.say_silent": ("It did not hit in these days.", "这些天没有命中。"),
    "rules.say_hits": (
        "{hits} payments hit, {usd}; {alone} of them by no other rule.",
        "命中 {hits} 笔，{usd}；其中 {alone} 笔没有其他规则命中。",
    ),
    "rules.say_precision": (
        "{frauds} of {settled} settled were fraud ({share}).",
        "已结算 {settled} 笔中 {frauds} 笔为欺诈（{share}）。",
    ),
    "rules.say_open": ("None has settled yet.", "均尚未结算。"),
}
