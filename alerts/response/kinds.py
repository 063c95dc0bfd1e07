"""The kinds of incident: what each is called, and how urgent it is before anything is known of it."""

from __future__ import annotations

import msgspec

from alerts.response.incident import Urgency


class Kind(msgspec.Struct, frozen=True):
    """One kind. detected: the watch finds it by itself; otherwise a person declares it."""

    id: str
    title_en: str
    title_zh: str
    urgency: Urgency
    detected: bool = False

    @property
    def plan(self) -> str:
        """One plan a kind, of the same name."""
        return self.id


KINDS = (
    Kind("card_testing", "Card-testing burst", "银行卡试探攻击", "high", True),
    Kind("partner_compromise", "Partner compromise", "合作方被入侵", "high", True),
    Kind("corridor_surge", "Corridor surge", "通道欺诈激增", "high", True),
    Kind("account_takeover", "Account-takeover wave", "账户盗用潮", "high", True),
    Kind("model_collapse", "Model collapse", "模型失效", "medium", True),
    Kind("list_outage", "List outage", "名单失效", "medium", True),
    Kind("dead_letter_flood", "Dead-letter flood", "死信激增", "medium", True),
    Kind("availability_burn", "Availability burn", "可用性告急", "high", True),
    Kind("data_leak", "Data leak", "数据泄露", "critical", True),
    Kind("key_compromise", "Key compromise", "密钥泄露", "critical"),
    Kind("store_loss", "Store loss", "存储丢失", "critical", True),
    Kind("payment_outage", "Payment outage", "支付中断", "critical", True),
    Kind("partner_default", "Partner default", "合作方违约", "high"),
    Kind("sanctions_wave", "Sanctions-list hit wave", "制裁名单命中潮", "high"),
    Kind("phishing_campaign", "Phishing campaign", "钓鱼攻击", "medium"),
)
BY_ID = {kind.id: kind for kind in KINDS}
