"""A believable morning for the console: decisions, alerts, dead letters, deliveries, beats.

Everything is derived from a seed and from the time given, so that pictures repeat.
"""

from __future__ import annotations

import random

from alerts.alert import hit_of, needs_alert
from alerts.minutes import Minutes, add_decision, add_hit, head_of
from alerts.routing.keeping import Delivery, Saved
from alerts.store import Commit, Store
from models.decision import (
    Action,
    Band,
    Counters,
    DeadLetter,
    Decision,
    Reason,
    RuleHit,
    Versions,
    encode_decision,
)

MINUTE = 60_000
VERSIONS = Versions(model="m-000042", rules="core-7f3a91", lists="none", fx="2026-11-20")
CORRIDORS = (("GB", "CN", "GBP", 1.27), ("DE", "CN", "EUR", 1.08), ("JP", "SG", "JPY", 0.0067))
CORRIDORS += (("US", "HK", "USD", 1.0), ("BR", "CN", "BRL", 0.18), ("CN", "AE", "CNY", 0.14))
# Rule, its action, band and typology, and what the two languages say of the payment.
SIGNS: tuple[tuple[str, Action, Band, str, str, str, str, str], ...] = (
    (
        "R001",
        "DECLINE",
        "critical",
        "T01",
        "14 payments in 1 h, usual is 1",
        "1 小时内 14 笔付款，通常为 1 笔",
        "9 declines of this card in 10 min",
        "10 分钟内此卡被拒 9 次",
    ),
    (
        "R007",
        "HOLD",
        "high",
        "T02",
        "device changed 12 min ago, usual gap is 90 days",
        "12 分钟前更换设备，通常间隔 90 天",
        "new device and credential change within 24 h",
        "24 小时内更换设备并修改凭证",
    ),
    (
        "R013",
        "HOLD",
        "high",
        "T07",
        "4 payments just below USD 10,000 today, usual is 0",
        "今日 4 笔略低于 1 万美元，通常为 0 笔",
        "sum of today is above the reporting line",
        "当日合计超过申报线",
    ),
    (
        "R018",
        "STEP_UP",
        "medium",
        "T17",
        "first payment to this payee, 6 times the usual amount",
        "首次向该收款人付款，金额为平时 6 倍",
        "payee was added 20 min ago",
        "收款人 20 分钟前添加",
    ),
)


def decision(i: int, at: int, rng: random.Random, fraud: bool) -> Decision:
    """One decided payment; a fraud carries a rule and reasons."""
    origin, target, currency, rate = rng.choice(CORRIDORS)
    dollars = rng.lognormvariate(5.6 if fraud else 4.0, 0.9)
    person = rng.randrange(31) if fraud else 100 + rng.randrange(300)
    risk = rng.uniform(0.52, 0.93) if fraud else min(rng.betavariate(1, 16), 0.45)
    rule, action, band, typology, en, zh, rule_en, rule_zh = SIGNS[person % len(SIGNS)]
    zero = 1 if currency == "JPY" else 100
    channel = rng.choice(("cnp", "cnp", "wallet", "transfer"))
    context: dict[str, str | float | int | None] = {
        "amount": round(dollars / rate * zero), "currency": currency, "amount_usd": round(dollars, 2),
        "channel": channel,
        "card": f"card_1_{person:026d}", "customer": f"cust_1_{person:026d}",
        "device": f"dev_1_{person % 17 if fraud else person:026d}", "ip": f"ip_1_{person:026d}",
        "merchant": f"SYNTH-SHOP-{rng.randrange(40):02d}", "payee": f"payee_1_{person % 50:026d}",
        "issuer_country": origin, "payer_country": origin, "payee_country": target,
        "ip_country": "NG" if fraud else origin, "ship_country": target, "bin": "400000", "last4": "0002",
        "corridor": f"{origin}>{target}:{currency}:{channel}", "order_id": f"o-{i}",
    }  # fmt: skip
    if not fraud:
        return Decision(
            id=f"tx-{i:06d}", event_time=at, risk=risk, band="low", action="APPROVE",
            versions=VERSIONS, context=context, scores={"logistic": risk},
        )  # fmt: skip
    return Decision(
        id=f"tx-{i:06d}",
        event_time=at,
        risk=risk,
        band="critical" if risk > 0.85 else "high",
        action=action,
        rules=[RuleHit(id=rule, version="1", action=action, severity=band, typology=typology)],
        reasons=[
            Reason(
                code="card_count_1h", kind="feature", text_en=en, text_zh=zh, observed=14, usual=1, share=2.31
            ),
            Reason(
                code="amount_ratio",
                kind="feature",
                share=1.12,
                observed=dollars,
                usual=41.0,
                text_en=f"amount USD {dollars:,.0f}, this customer's usual is USD 41",
                text_zh=f"金额 {dollars:,.0f} 美元，该客户通常为 41 美元",
            ),
            Reason(
                code="ip_country_mismatch",
                kind="feature",
                share=0.74,
                text_en=f"IP address in NG, card issued in {origin}",
                text_zh=f"IP 位于 NG，发卡国为 {origin}",
            ),
            Reason(
                code="hour_likelihood",
                kind="feature",
                share=0.31,
                text_en="03:00 local time, outside this customer's hours",
                text_zh="当地 03:00，不在该客户常用时段",
            ),
            Reason(
                code="merchant_known",
                kind="feature",
                share=-0.42,
                text_en="paid at this merchant 3 times before",
                text_zh="此前在该商户付款 3 次",
            ),
            Reason(code=rule, kind="rule", text_en=rule_en, text_zh=rule_zh),
        ],
        not_assessed=["R021"] if i % 3 == 0 else [],
        scores={"logistic": risk * 0.95, "forest": min(risk * 1.02, 0.99), "half_space": 0.71},
        versions=VERSIONS,
        context=context,
    )


def fill(store: Store, now: int, seed: int = 7, minutes: int = 90) -> None:
    """Commit a morning that ends at `now`, with a burst of fraud in its last half hour."""
    rng = random.Random(seed)
    start = now - minutes * MINUTE
    made: list[Decision] = []
    for minute in range(minutes):
        burst = minute > minutes - 35
        for _ in range(rng.randrange(14, 26)):
            at = start + minute * MINUTE + rng.randrange(MINUTE)
            made.append(decision(len(made), at, rng, rng.random() < (0.06 if burst else 0.006)))
    made.sort(key=lambda d: d.event_time)
    dead = [
        DeadLetter(
            reason=reason, detail=detail, place=f"tg:in {now - n}-0", undecodable=reason == "malformed"
        )
        for n, (reason, detail) in enumerate(
            [("malformed", "Expected `int`, got `str` - at `$.amount`")] * 5
            + [("future_event", "event_time is 2 h ahead of received_at")] * 2
            + [("conflicting_duplicate", "tx-000118 came before with other content")]
        )
    ]
    counters = Counters(
        events_in=len(made) + 78, transactions=len(made) + 3, behaviours=40, labels=25, controls=2,
        undecodable=5, decided=len(made), dead_lettered=2, duplicates=1, others=3, late=4, labels_unmatched=1,
    )  # fmt: skip
    commit(store, made, dead, counters, now)
    model = "m-000042"
    latency = {"latency_p50_ms": 1.9, "latency_p99_ms": 11.2}
    beats: dict[str, dict[str, str | int | float]] = {
        "scorer": {"rate": 21.4, "lag": 0.4, **latency, "position": f"{now - 300}-0", "model": model},
        "learner": {"restarts": 2, "model": model, "model_at": now - 17 * MINUTE},
        "sender": {},
        "simulator": {"rate": 21.0},
    }
    for number, (process, status) in enumerate(beats.items()):
        status = {"status": "ok", "pid": 4101 + number, "restarts": 0, **status}
        store.beat(process, {**status}, now - 2000)
    waiting = store.alerts(("open",), "newest", 50)
    for n, alert in enumerate(waiting[-5:]):
        store.resolve(
            alert.id,
            alert.version,
            "legitimate" if n == 2 else "fraud",
            "lin",
            now - n * 9 * MINUTE,
            "senior",
        )
    store.mark_learned(waiting[-1].event_ids)
    attempts = [
        Delivery(webhook_id="wh_1", alert_id=waiting[0].id, url="https://oncall.example/hook", attempt=1,
                 at=now - 4 * MINUTE, outcome="retry", status=503, detail="next in 30 s"),
        Delivery(webhook_id="wh_1", alert_id=waiting[0].id, url="https://oncall.example/hook", attempt=2,
                 at=now - 3 * MINUTE, outcome="delivered", status=204),
    ]  # fmt: skip
    store.save_routing(0, Saved(deliveries=attempts))


def commit(store: Store, made: list[Decision], dead: list[DeadLetter], counters: Counters, now: int) -> None:
    """One batch behind what the store has."""
    cursors = store.cursors()
    sums: Minutes = {}
    encoded = [encode_decision(d) for d in made]
    hits = [hit_of(d, cursors["hits"] + n + 1) for n, d in enumerate(d for d in made if needs_alert(d))]
    for line in encoded:
        add_decision(sums, head_of(line))
    for hit in hits:
        add_hit(sums, hit)
    store.commit(
        Commit(
            first_decision_ordinal=cursors["decisions"] + 1,
            decisions=encoded,
            hits=hits,
            first_dead_ordinal=cursors["dead"] + 1,
            dead=dead,
            counters=counters,
            minutes=sums,
            stream_time=now,
        )
    )
