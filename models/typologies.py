"""The typologies of fraud that rules and alerts name, in English and Chinese."""

from __future__ import annotations

NAMES: dict[str, tuple[str, str]] = {
    "T01": ("card testing", "卡测试"),
    "T02": ("account takeover", "账户盗用"),
    "T03": ("triangulation", "三角欺诈"),
    "T04": ("refund abuse", "退款滥用"),
    "T05": ("transaction laundering", "交易洗钱"),
    "T06": ("mule account", "钱骡账户"),
    "T07": ("structuring", "拆分交易"),
    "T08": ("pass-through", "快进快出"),
    "T09": ("dormant account awake", "休眠账户激活"),
    "T10": ("impossible travel", "不可能的行程"),
    "T11": ("country mismatch", "国家不一致"),
    "T12": ("shared device or card", "设备或卡共用"),
    "T13": ("high-risk corridor", "高风险通道"),
    "T14": ("merchant bust-out", "商户卷款"),
    "T15": ("unusual hour", "异常时段"),
    "T16": ("credential stuffing", "撞库"),
    "T17": ("new-payee scam", "新收款人诈骗"),
    "T18": ("round trip of money", "资金回流"),
    "T19": ("documents disagree", "单证不符"),
    "T20": ("list evasion", "规避名单"),
    "MODEL": ("unusual pattern (model)", "模型异常"),
    "LIST": ("watched entity (list)", "观察名单对象"),
}
"""By code; MODEL stands for what no rule raised, LIST for what only the watch list did."""


def name_of(code: str, language: str = "en") -> str:
    """The typology's name, the code itself where it has none."""
    return NAMES.get(code, (code, code))[language == "zh"]
