"""What tests of the sender share: alerts in a store, a sender over real sockets, a virtual clock."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from alerts.alert import Alert, hit_of
from alerts.receivers.attempts import Attempts, InLine
from alerts.receivers.post import Resolve, addresses_of, new_client
from alerts.receivers.receiver import Wire
from alerts.receivers.registry import receiver_of
from alerts.receivers.specs import WebhookReceiver
from alerts.routing.intent import message_id
from alerts.routing.plan import Plan, default_plan, read_plan
from alerts.routing.sender import Sender
from alerts.store import Commit, Store
from models.decision import Counters, Decision, Reason, RuleHit, Versions, encode_decision
from tests.receiver import SECRET, Hook

OTHER = "whsec_" + base64.b64encode(b"another published test key, 32 b").decode()
ENV = {"HOOK": SECRET, "OTHER": OTHER, "PAGER": "0123456789abcdef0123456789abcdef"}
T0 = 1_700_000_000_000


def decision(n: int, severity: str = "critical", card: str | None = None) -> Decision:
    """A decision that opens an alert on a card of its own, with a token that must not leave the house."""
    rule = RuleHit(id="R1", version="1", action="HOLD", severity=severity, typology="T12")  # type: ignore[arg-type]
    reason = Reason(
        code="card_count_1h", kind="feature", text_en="14 payments in 1 h", text_zh="1 小时 14 笔"
    )
    return Decision(
        id=f"e{n}", event_time=T0 + n, risk=0.97, band="medium", action="HOLD", rules=[rule], reasons=[reason],
        versions=Versions("m", "r", "l", "f"),
        context={
            "card": card or f"tok_secret_{n}", "payer": f"tok_payer_{n}", "amount_usd": 12.5, "corridor": "CN>US",
        },
    )  # fmt: skip


def raise_alerts(
    store: Store, first: int, count: int, severity: str = "critical", now: int = 0, card: str | None = None
) -> list[Alert]:
    """Commit `count` decisions, by default each an alert on a card of its own. now: the writer's clock."""
    made = [decision(n, severity, card) for n in range(first, first + count)]
    store.commit(
        Commit(
            first_decision_ordinal=first, decisions=[encode_decision(d) for d in made],
            hits=[hit_of(d, first + i) for i, d in enumerate(made)], first_dead_ordinal=1, dead=[],
            counters=Counters(), minutes={}, stream_time=made[-1].event_time, now=now,
        )
    )  # fmt: skip
    return [alert for d in made for alert in store.alerts_of("card", str(d.context["card"]), 1)]


def local(hook: Hook, **settings: object) -> WebhookReceiver:
    """The hook as a webhook of tidegate.toml."""
    return WebhookReceiver(url=hook.url, secret_env="HOOK", allow_private=True, **settings)  # type: ignore[arg-type]


def sender_of(
    store: Store,
    plan: Plan | str | list[WebhookReceiver],
    environ: Mapping[str, str] = ENV,
    resolve: Resolve = addresses_of,
    console_url: str = "",
    attempts: Attempts | None = None,
) -> Sender:
    """A sender by a plan, a routing file's text, or webhooks; attempts are made in line."""
    if isinstance(plan, str):
        plan = read_plan(plan, "routes.toml")
    elif isinstance(plan, list):
        plan = default_plan(plan)
    made = {name: receiver_of(spec, environ) for name, spec in plan.receivers.items()}
    return Sender(store, plan, made, attempts or InLine(), Wire(new_client(), resolve), console_url)


def advance(sender: Sender, now: int, until: int) -> int:
    """Step from due to due on the virtual clock, as the process does on the real one."""
    while now <= until:
        due = sender.step(now)
        now = until + 1 if due is None else max(due, now)
    return until


def page_id(alert: Alert, url: str, severity: str = "S1") -> str:
    """The id of the message that pages an alert alone for its severity."""
    return message_id(url, [(alert.id, severity)])
