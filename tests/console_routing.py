"""A morning of the router for the tests and pictures of the console: who was paged, and who was not and why."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from alerts.merging import RuleSnooze
from alerts.routing.silence import Silence, new_silence
from alerts.store import Store
from tests.receiver import Hook, hook
from tests.sending import advance, sender_of
from tests.test_console_pages import opened

MINUTE = 60_000
TREE = """
fallback = "mail"
[route]
notify = ["team"]
group_by = ["id"]
group_wait = "30s"
[[route.routes]]
name = "archive-copy"
match = ["type=alert|incident"]
notify = ["archive"]
repeat_interval = "0s"
continue = true
[[route.routes]]
name = "incidents"
match = ["type=incident"]
notify = ["schedule:duty"]
group_wait = "0s"
repeat_interval = "30m"
escalation = "leads"
[[route.routes]]
name = "pages"
match = ["type=alert", "severity=S1"]
notify = ["schedule:duty"]
group_wait = "10s"
repeat_interval = "1h"
escalation = "leads"
continue = true
[[route.routes]]
name = "team-copy"
match = ["type=alert", "severity<=S2"]
[[route.routes]]
name = "warnings"
match = ["type=notice", "stage=warned"]
notify = []
[[people]]
name = "duty-analyst"
receivers = ["pager"]
[[people]]
name = "duty-lead"
receivers = ["pager", "mail"]
[[schedules]]
name = "duty"
timezone = "Asia/Shanghai"
[[schedules.layers]]
people = ["duty-analyst", "duty-lead"]
start = 2026-11-23T09:00:00
every_days = 7
[[escalations]]
name = "leads"
steps = [{after = "10m", notify = ["person:duty-lead"]}]
"""


def tree_of(**hooks: Hook) -> str:
    """The tree with these hooks as its receivers."""
    return TREE + "".join(
        f'[[receivers]]\ntype = "webhook"\nname = "{name}"\nurl = "{one.url}"\nsecret_env = "HOOK"\n'
        "allow_private = true\n"
        for name, one in hooks.items()
    )


def fill_routing(store: Store, now: int) -> Silence:
    """Route what the store has over the last 40 minutes; one receiver is gone, one in trouble; returns the silence."""
    begin = now - 40 * MINUTE
    with hook() as team, hook() as pager, hook() as mail, hook() as archive:
        team.virtual = pager.virtual = mail.virtual = archive.virtual = True
        archive.status = 410
        sender = sender_of(store, tree_of(team=team, pager=pager, mail=mail, archive=archive))
        waiting = store.alerts(("open",), "priority", 50)
        first, second, third, *_ = [alert for alert in waiting if not store.incident_of([alert.id])]
        corridor = str(second.decision.context["corridor"]).partition(":")[0]
        quiet = new_silence(
            [f"corridor={corridor}:*"],
            "lin",
            "the acquirer tests its new gateway",
            begin,
            begin,
            now + 11 * MINUTE,
        )
        store.add_silence(quiet, "senior")
        later = new_silence(
            ["partner=psp-7"], "ma", "planned work", begin, now + 90 * MINUTE, now + 180 * MINUTE
        )
        store.add_silence(later, "senior")
        over = new_silence(["corridor=BR>*"], "lin", "a wrong rule", begin, begin, now)
        store.add_silence(over, "senior")
        store.expire_silence(over.id, "lin", "senior", "mended", begin + 9 * MINUTE)
        advance(sender, begin, begin + 2 * MINUTE)
        store.set_status(first.id, first.version, "acknowledged", "wang", begin + 3 * MINUTE, "senior")
        advance(sender, begin + 3 * MINUTE, now - 12 * MINUTE)
        snoozed = third
        store.set_status(
            snoozed.id,
            snoozed.version,
            "snoozed",
            "wang",
            now - 11 * MINUTE,
            "senior",
            "the customer is called back",
        )
        rule = snoozed.decision.rules[0].id if snoozed.decision.rules else "R007"
        store.snooze_rule(
            RuleSnooze(
                rule=rule, entity_kind="card", entity="card_1_00000000000000000000000007", severity="S3",
                since=now - MINUTE, until=now + 50 * MINUTE, actor="lin", role="senior", reason="a known test card",
            ),
            now - MINUTE,
        )  # fmt: skip
        mail.status = 503
        advance(sender, now - 11 * MINUTE, now)
        store.beat(
            "sender", {"status": "live", "pid": 4103, "restarts": 0, "wrong": "", **sender.status(now)}, now
        )
    return quiet


def page(part: str = "", language: str = "en", name: str = "routing", **query: Any) -> AppTest:
    app = opened("overview", language)
    app.query_params["lang"] = language
    if part:
        app.query_params["part"] = part
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"views/{name}.py").run()
    assert not app.exception
    return app
