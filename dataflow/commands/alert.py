"""`tidegate alert`: list alerts, show one, and take a step in its life by hand (docs/alerts.md)."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any, get_args

from alerts.alert import Severity, Status, Verdict
from dataflow.commands import options, showing
from models.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from alerts.alert import Alert
    from alerts.lifecycle import Verb
    from alerts.redis_store import RedisStore

NAME = "alert"
HELP = "list and show alerts; acknowledge, assign, resolve, confirm, refuse, escalate, snooze or reopen one"
STEPS: dict[str, tuple[Verb, str]] = {
    "ack": ("acknowledge", "say that you work on it: nobody is paged for it again unless it worsens"),
    "assign": ("assign", "give it to a person, or to nobody with --nobody"),
    "resolve": ("resolve", "give a verdict; under four eyes it waits for a second person"),
    "confirm": ("confirm", "confirm the verdict that another person proposed"),
    "refuse": ("refuse", "refuse the verdict that another person proposed; needs --reason"),
    "withdraw": ("withdraw", "take back the verdict that you proposed"),
    "escalate": ("escalate", "hand it to somebody senior"),
    "snooze": ("snooze", "let it wait for its time"),
    "reopen": ("reopen", "let it wait for somebody again"),
    "undo": ("undo", "take back the verdict of a resolved alert; a correction follows its labels"),
}
"""By the verb of the command line, the step of alerts/lifecycle.py and what it does."""
_WAITING: tuple[Status, ...] = tuple(status for status in get_args(Status) if status != "resolved")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "list alerts, the most urgent (risk × amount) first"
    listing = verbs.add_parser("list", help=text, description=text)
    listing.add_argument(
        "--status",
        action="append",
        choices=get_args(Status),
        help="may be repeated (default: all but resolved)",
    )
    listing.add_argument(
        "--severity", action="append", choices=get_args(Severity), help="may be repeated (default: all)"
    )
    listing.add_argument("--assigned-to", metavar="NAME", help="only those of this person")
    listing.add_argument(
        "--limit", type=int, default=50, metavar="N", help="how many at the most (default: 50)"
    )
    text = "show one alert: what it is about, how it stands, and who did what to it"
    made = {"list": listing, "show": verbs.add_parser("show", help=text, description=text)}
    for name, (_, text) in STEPS.items():
        made[name] = verbs.add_parser(name, help=text, description=text)
    for name, verb in made.items():
        if name != "list":
            verb.add_argument("id", metavar="ID", help="the alert's id, as `list` and the console show it")
        if name in STEPS:
            verb.add_argument(
                "--reason", default="", metavar="TEXT", help="why; it is kept in the audit trail"
            )
            verb.add_argument(
                "--if-version", type=int, metavar="N", help="only if the alert still has this version"
            )
            options.add_who(verb)
        options.add_config(verb)
        options.add_json(verb)
    made["resolve"].add_argument(
        "verdict", metavar="VERDICT", choices=get_args(Verdict), help="fraud, legitimate or unsure"
    )
    whom = made["assign"].add_mutually_exclusive_group(required=True)
    whom.add_argument("--to", metavar="NAME", help="the person")
    whom.add_argument("--nobody", action="store_true", help="take the assignment back")
    made["snooze"].add_argument(
        "--for",
        dest="length",
        metavar="TIME",
        help="how long: 30m, 2h (default: 4h, or the longest of its severity)",
    )


def run(args: argparse.Namespace) -> int:
    """List, show, or take a step."""
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    store = RedisStore(address_of(settings))
    store.four_eyes = settings.four_eyes
    if args.verb == "list":
        return _list(store, args)
    if args.verb == "show":
        return _show(store, args)
    actor, role = options.who_of(args, settings)
    return _step(store, args, actor, role, time.time_ns() // 1_000_000)


def _list(store: RedisStore, args: argparse.Namespace) -> int:
    options.at_least("--limit", args.limit, 1)
    statuses = tuple(args.status or _WAITING)
    narrowed = bool(args.severity or args.assigned_to)
    # What is narrowed down here is looked for among all that have the status.
    most = sum(store.alert_counts().get(status, 0) for status in statuses) if narrowed else args.limit
    found = [
        alert
        for alert in store.alerts(statuses, "priority", max(most, 1))
        if (not args.severity or alert.severity in args.severity)
        and (not args.assigned_to or alert.assigned_to == args.assigned_to)
    ][: args.limit]
    if args.json:
        showing.show({"alerts": [_facts(alert) for alert in found]}, "alerts", as_json=True)
        return 0
    for alert in found:
        who = f"  {alert.assigned_to}" if alert.assigned_to else ""
        print(
            f"{alert.id}  {alert.severity}  {_standing(alert)}  {alert.typology}  {alert.entity_kind} {alert.entity}  "
            f"×{alert.count}  USD {alert.amount_usd:,.2f}{who}"
        )
    showing.say(f"{len(found)} alerts")
    return 0


def _show(store: RedisStore, args: argparse.Namespace) -> int:
    import msgspec

    alert = store.alert(args.id)
    if alert is None:
        raise StoreError(f"there is no alert {args.id}: `tidegate alert list` shows what there is")
    trail = store.audit_of("alert", alert.id, 200)
    if args.json:
        told = {
            **_facts(alert),
            "decision": msgspec.to_builtins(alert.decision),
            "event_ids": alert.event_ids,
        }
        showing.show(
            {**told, "audit": [msgspec.to_builtins(entry) for entry in trail]}, "alert", as_json=True
        )
        return 0
    facts = _facts(alert)
    times = {name: showing.moment(value) for name, value in facts.items() if name in _TIMES and value}
    reasons = {f"why {n}": reason.text_en for n, reason in enumerate(alert.decision.reasons, 1)}
    known = {name: value for name, value in {**facts, **times, **reasons}.items() if value is not None}
    showing.show(known, "alert", as_json=False)
    for entry in trail:
        why = f": {entry.reason}" if entry.reason else ""
        print(f"{showing.moment(entry.at)}  {entry.actor} ({entry.role})  {entry.action}{why}")
    return 0


def _step(store: RedisStore, args: argparse.Namespace, actor: str, role: str, now: int) -> int:
    from alerts.lifecycle import Step
    from alerts.routing.matching import length_ms
    from alerts.store import Conflict

    verb, _ = STEPS[args.verb]
    to = None
    if verb == "assign" and not args.nobody:
        to = args.to.strip()
        if not to:
            raise SettingsError("--to is a person's name; --nobody takes an assignment back")
    length = args.length if verb == "snooze" else None
    step = Step(
        verb=verb, actor=actor, role=role, reason=args.reason.strip(), to=to,
        verdict=args.verdict if verb == "resolve" else None,
        until=None if length is None else now + length_ms(length, "--for"),
    )  # fmt: skip
    before = store.alert(args.id)
    if before is None:
        raise StoreError(f"there is no alert {args.id}: `tidegate alert list` shows what there is")
    if before.claimed_by not in (None, actor) and (before.claimed_until or 0) > now:
        showing.say(
            f"note: {before.claimed_by} has it open until {showing.moment(before.claimed_until or 0)}"
        )
    result = store.step(args.id, args.if_version, step, now)
    if isinstance(result, Conflict):
        present = result.current
        showing.say(
            f"not written: {args.id} is at version {present.version} ({_standing(present)}), not {args.if_version}; "
            f"look at it again with `tidegate alert show {args.id}`"
        )
        if args.json:
            showing.show({"conflict": True, **_facts(present)}, "alert", as_json=True)
        return 1
    if args.json:
        showing.show(_facts(result), "alert", as_json=True)
        return 0
    waits = "; a second person has to confirm it" if result.status == "proposed" and verb == "resolve" else ""
    owner = f", assigned to {result.assigned_to}" if result.assigned_to else ""
    print(f"{result.id}: {_standing(result)}{owner}, version {result.version}{waits}")
    return 0


def _standing(alert: Alert) -> str:
    """The status, with the verdict there is or is proposed and by whom."""
    if alert.status == "proposed":
        return f"proposed: {alert.proposed_verdict} by {alert.proposed_by}"
    return alert.status if alert.verdict is None else f"{alert.status}: {alert.verdict}"


_TIMES = (
    "first_time", "last_time", "opened_at", "claimed_until", "acknowledged_at", "snoozed_until", "proposed_at",
    "resolved_at",
)  # fmt: skip


def _facts(alert: Alert) -> dict[str, Any]:
    """What a person works by; the worst decision and the payments' ids are in `show --json`."""
    names = (
        "id", "version", "status", "severity", "typology", "entity_kind", "entity", "count", "amount_usd", "priority",
        "claimed_by", "assigned_to", "assigned_by", "acknowledged_by", "snoozed_by", "snooze_reason", "verdict",
        "resolved_by", "proposed_verdict", "proposed_by", "confirmed_by", "learned", *_TIMES,
    )  # fmt: skip
    return {name: getattr(alert, name) for name in names}
