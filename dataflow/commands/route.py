"""`tidegate route`: check a routing file, show who would hear of what, tell why something did or did not page anybody."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, route_why, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.redis_store import RedisStore
    from alerts.routing.plan import Plan
    from alerts.routing.view import View
    from dataflow.settings import Settings

NAME = "route"
HELP = "check and show the routing, tell why an alert paged whom or did not, find gaps, send again"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        options.add_config(made)
        options.add_json(made)
        return made

    check = verb(
        "check", "say what is wrong with a routing file, and who would hear of something (exit 1: wrong)"
    )
    check.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="routing file (default: the one in force)"
    )
    check.add_argument("--no-secrets", action="store_true", help="leave the receivers' secrets unread")
    check.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE",
        help="a label of an imagined alert (severity=S1, corridor=CN>US, …); shows its way and who hears",
    )  # fmt: skip
    check.add_argument(
        "--at", metavar="TIME", help="when it is imagined to come up: 2026-11-28T03:00Z (default: now)"
    )
    shown = verb(
        "show", "print the routing tree in force, the receivers' state and who is on call until when"
    )
    shown.add_argument("--at", metavar="TIME", help="who is on call then: 2026-11-28T03:00Z (default: now)")
    verb("example", "print a routing file to start from")
    why = verb("why", "tell why an alert (or incident, or all of an entity) paged whom, or did not")
    why.add_argument(
        "id", nargs="?", default="", metavar="ID",
        help="id of an alert, incident, message or trouble of ours (process_silent:scorer), or an entity's token "
        "(default: what came up last)",
    )  # fmt: skip
    why.add_argument("--limit", type=int, default=10, metavar="N", help="at most N subjects (default 10)")
    why.add_argument("--zh", action="store_true", help="in Chinese")
    verb("reconcile", "compare alerts stored with pages delivered; exit 1 if there are gaps")
    sent = verb("sent", "list what was delivered or given up, newest first")
    sent.add_argument("--dead", action="store_true", help="only what was given up")
    sent.add_argument("--limit", type=int, default=50, metavar="N", help="at most N (default 50)")
    test = verb("test", "send a test message to a receiver now and tell what it answered (exit 1: not taken)")
    test.add_argument("receiver", metavar="RECEIVER", help="a receiver of the routing in force, by name")
    resend = verb("resend", "have a message sent again under its id")
    resend.add_argument("message", metavar="MESSAGE_ID", help="as `route sent` and `route why` show it")
    resend.add_argument("--reason", required=True, help="why; it is kept in the audit trail")
    options.add_who(resend)


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    settings = options.settings_of(args)
    if args.verb == "check":
        return _check(args, settings)
    if args.verb == "test":
        return _test(args, settings)
    if args.verb == "example":
        from importlib.resources import files

        print((files("alerts") / "data" / "routing_example.toml").read_text("utf-8"), end="")
        return 0
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    if args.verb == "show":
        return _show(args, settings)
    store, now = RedisStore(address_of(settings)), time.time_ns() // 1_000_000
    if args.verb == "why":
        options.at_least("--limit", args.limit, 1)
        return route_why.why(store, args.id, args.limit, "zh" if args.zh else "en", as_json=args.json)
    if args.verb == "reconcile":
        import msgspec

        found = store.reconcile(now)
        showing.show(msgspec.to_builtins(found), "reconciliation", as_json=args.json)
        return 1 if found.gaps else 0
    if args.verb == "sent":
        return _sent(args, store)
    actor, role = options.who_of(args, settings)
    from alerts.routing.archive import is_kept

    if not is_kept(store, args.message):
        raise SettingsError(f"{args.message}: no such message is kept; `tidegate route sent` lists them")
    store.ask_resend(args.message, actor, role, args.reason, now)
    showing.show({"message": args.message, "asked_by": actor}, "resend", as_json=args.json)
    return 0


def _check(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.routing.plan import load_plan
    from dataflow.sender import plan_of, receivers_of

    try:
        plan = plan_of(settings) if args.file is None else load_plan(args.file, [])
        if not args.no_secrets:
            receivers_of(plan)
    except SettingsError as error:
        showing.say(str(error))
        return 1
    told: dict[str, Any] = {"receivers": len(plan.receivers), "routes": len(plan.routes), "plan": plan.digest}
    if args.label:
        told |= _imagined(plan, args.label, options.moment_of(args.at))
    showing.show(told, str(args.file or settings.routing or "routing"), as_json=args.json)
    return 0


def _test(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.receivers.message import message_to_try
    from alerts.receivers.post import addresses_of, new_client
    from alerts.receivers.receiver import Wire
    from alerts.receivers.registry import receiver_of
    from dataflow.sender import plan_of

    plan, now = plan_of(settings), time.time_ns() // 1_000_000
    spec = plan.receivers.get(args.receiver)
    if spec is None:
        known = ", ".join(plan.receivers) or "there is none"
        raise SettingsError(f"{args.receiver!r} is no receiver of the routing in force: {known}")
    receiver = receiver_of(spec)
    message = message_to_try(args.receiver, now, settings.webhooks.console_url)
    answer = receiver.send(message, now, Wire(new_client(), addresses_of))
    verdict = receiver.verdict(answer)
    told = {
        "receiver": args.receiver,
        "place": receiver.place,
        "message": message.intent.id,
        "verdict": verdict,
    }
    showing.show(told | {"status": answer.status, "detail": answer.detail}, "test", as_json=args.json)
    return 0 if verdict == "delivered" else 1


def _imagined(plan: Plan, labels: list[str], now: int) -> dict[str, Any]:
    from alerts.routing.imagining import imagine, imagined

    found = imagine(plan, imagined(dict(label.partition("=")[::2] for label in labels), now), now)
    first = {name: target for step in found.steps if step.level == 0 for name, target in step.told.items()}
    later = [
        {"level": step.level, "at": showing.moment(step.at), "would hear": list(step.told)}
        for step in found.steps
        if step.level
    ]
    told: dict[str, Any] = {
        "would take it": found.takers,
        "would hear": [f"{name} ({target})" if name != target else name for name, target in first.items()],
        "if nobody acknowledges": later,
        "asked": [
            f"{one.path}: {one.verdict.replace('_', ' ')}"
            + (f" ({', '.join(one.failed)})" if one.failed else "")
            for one in found.branches
        ],
    }
    return told | ({"fallback": found.fallback} if found.fallback else {})


def _show(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.routing.matching import length_text
    from alerts.routing.shifts import shifts
    from dataflow.sender import plan_of

    plan, now = plan_of(settings), time.time_ns() // 1_000_000
    view, running = _view(settings, plan, now)
    duty = shifts(plan, options.moment_of(args.at))
    if args.json:
        on_call = {one.schedule: one.person for one in duty}
        told = {
            **msgspec.to_builtins(view),
            "on_call": on_call,
            "shifts": msgspec.to_builtins(duty),
            "in_force": running,
        }
        showing.show(told, "routing", as_json=True)
        return 0
    for row in view.routes:
        times = (("wait", row.wait), ("interval", row.interval), ("repeat", row.repeat))
        said = ", ".join(f"{name} {length_text(value)}" for name, value in times)
        chain = f", escalation {row.escalation}" if row.escalation else ""
        what, whom = " ".join(row.match) or "everything", ", ".join(row.notify) or "nobody"
        print(f"{'  ' * row.depth}{row.name}  {what}  -> {whom}  {said}{chain}")
    for shift in duty:
        until = f" until {showing.moment(shift.until)}, then {shift.then or 'nobody'}" if shift.until else ""
        print(f"on call  {shift.schedule} ({shift.timezone}): {shift.person or 'nobody'}{until}")
    for one in view.receivers:
        state = one.breaker.replace("_", " ") if running else "not running"
        last = f", last took one {showing.moment(one.delivered_at)}" if one.delivered_at else ""
        print(f"receiver  {one.name} ({one.kind}, rate {one.rate}): {state}, {one.owed} in flight{last}")
    print(f"fallback  {view.fallback or 'none'}")
    return 0


def _view(settings: Settings, plan: Plan, now: int) -> tuple[View, bool]:
    """The plan of the settings, with the receivers' state if a sender runs by it."""
    from alerts.redis_store import RedisStore
    from alerts.routing.view import view_of
    from dataflow.store_access import address_of
    from models.errors import StoreError

    try:
        found = RedisStore(address_of(settings)).routing_view(now)
    except StoreError:
        found = None
    if found is not None and found.digest == plan.digest:
        return found, True
    return view_of(plan), False


def _sent(args: argparse.Namespace, store: RedisStore) -> int:
    from alerts.routing.reasons import code

    options.at_least("--limit", args.limit, 1)
    done = store.dead_messages(args.limit) if args.dead else store.done_messages(args.limit)
    rows: list[dict[str, Any]] = [
        {
            "message": one.intent.id, "receiver": one.intent.receiver, "outcome": one.outcome, "at": one.at,
            "attempts": one.attempts, "says": one.intent.says, "reason": code(one.intent.reason),
            "about": one.intent.subjects[0].key if one.intent.subjects else "", "total": one.intent.total,
        }
        for one in done
    ]  # fmt: skip
    if args.json:
        showing.show({"messages": rows}, "sent", as_json=True)
        return 0
    for row in rows:
        more = f" and {row['total'] - 1} more" if row["total"] > 1 else ""
        print(
            f"{showing.moment(row['at'])}  {row['outcome']:9}  {row['receiver']}  {row['reason']}  "
            f"{row['about']}{more}  {row['message']}"
        )
    return 0
