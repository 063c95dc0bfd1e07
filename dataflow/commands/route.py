"""`tidegate route`: check a routing file, show who would hear of what, tell why something did or did not page anybody."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.redis_store import RedisStore
    from alerts.routing.plan import Plan
    from alerts.routing.view import View
    from alerts.routing.why import Why
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
        help="a label of an imagined alert (severity=S1, corridor=CN>US, …); shows its routes and receivers",
    )  # fmt: skip
    verb("show", "print the routing tree in force, the receivers' state and who is on call")
    verb("example", "print a routing file to start from")
    why = verb("why", "tell why an alert (or incident:ID) paged whom, or did not")
    why.add_argument("id", metavar="ALERT_ID", help="as the console and the messages show it")
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
        return _why(args, store)
    if args.verb == "reconcile":
        import msgspec

        found = store.reconcile(now)
        showing.show(msgspec.to_builtins(found), "reconciliation", as_json=args.json)
        return 1 if found.gaps else 0
    if args.verb == "sent":
        return _sent(args, store)
    actor, role = options.who_of(args, settings)
    if not store.done_by_id([args.message]) and not store.routing_parts([f"o:{args.message}"]):
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
        told |= _imagined(plan, args.label)
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


def _imagined(plan: Plan, labels: list[str]) -> dict[str, Any]:
    from typing import get_args

    from alerts.routing.change import Change, Kind

    given = dict(label.partition("=")[::2] for label in labels)
    kind, severity = given.pop("type", "alert"), given.pop("severity", "S2")
    if kind not in get_args(Kind) or severity not in ("S1", "S2", "S3", "S4"):
        raise SettingsError(f"--label: type is one of {', '.join(get_args(Kind))}, severity S1 to S4")
    change = Change(kind=kind, id="imagined", severity=severity, at=0, labels=given)  # type: ignore[arg-type]
    now = time.time_ns() // 1_000_000
    routes = plan.matching(change)
    reached = plan.reached([target for route in routes for target in route.notify], now)
    return {
        "would take it": [route.path for route in routes],
        "would hear": [f"{name} ({target})" if name != target else name for name, target in reached.items()],
    }


def _show(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.routing.matching import length_text
    from dataflow.sender import plan_of

    plan, now = plan_of(settings), time.time_ns() // 1_000_000
    view, running = _view(settings, plan, now)
    if args.json:
        told = {**msgspec.to_builtins(view), "on_call": plan.on_call(now), "in_force": running}
        showing.show(told, "routing", as_json=True)
        return 0
    for row in view.routes:
        times = (("wait", row.wait), ("interval", row.interval), ("repeat", row.repeat))
        said = ", ".join(f"{name} {length_text(value)}" for name, value in times)
        chain = f", escalation {row.escalation}" if row.escalation else ""
        what, whom = " ".join(row.match) or "everything", ", ".join(row.notify) or "nobody"
        print(f"{'  ' * row.depth}{row.name}  {what}  -> {whom}  {said}{chain}")
    for name, person in plan.on_call(now).items():
        print(f"on call  {name}: {person or 'nobody'}")
    for one in view.receivers:
        state = one.breaker.replace("_", " ") if running else "not running"
        print(f"receiver  {one.name} ({one.kind}, rate {one.rate}): {state}")
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


def _why(args: argparse.Namespace, store: RedisStore) -> int:
    found = store.why(args.id)
    if found is None:
        alert = store.alert(args.id)
        if alert is None:
            raise SettingsError(f"{args.id}: there is no such alert")
        showing.say(
            f"{args.id}: the router has no record of it. It is {alert.status}; either the sender has not read it yet "
            "(tidegate status), or it was resolved before the sender saw it or more than three days ago"
        )
        return 1
    language = "zh" if args.zh else "en"
    if args.json:
        showing.show(_answer(found, language), "why", as_json=True)
        return 0
    for line in _sentences(found, language):
        print(line)
    return 0


def _answer(found: Why, language: str) -> dict[str, Any]:
    import msgspec

    from alerts.routing.reasons import code, sentence

    told: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("heard", "unheard", "history"):
        for row, part in zip(told[name], getattr(found, name), strict=True):
            row |= {"code": code(part.reason), "text": sentence(part.reason, language)}
    return told


def _sentences(found: Why, language: str) -> list[str]:
    from alerts.routing.reasons import sentence

    change = found.change
    out = [f"{change.kind} {change.id}: {change.severity}, {change.state}"]
    out += [
        f"route      {one.route}" + (f", looked at again {showing.moment(one.due)}" if one.due else "")
        for one in found.routes
    ]
    out += [
        f"told       {one.receiver} at {showing.moment(one.at)}: {sentence(one.reason, language)} "
        f"[{one.fate.replace('_', ' ')}, {one.attempts} attempts, {one.message}]"
        for one in found.heard
    ]
    out += [
        f"not told   {one.receiver or 'anybody'} since {showing.moment(one.since)}: {sentence(one.reason, language)}"
        for one in found.unheard
    ]
    out += [
        f"history    {showing.moment(one.at)} {one.receiver or '-'}: {sentence(one.reason, language)}"
        for one in found.history
    ]
    return out


def _sent(args: argparse.Namespace, store: RedisStore) -> int:
    from alerts.routing.reasons import code

    options.at_least("--limit", args.limit, 1)
    # Of what was given up there may be little among much that was delivered.
    found = store.done_messages(20_000 if args.dead else args.limit)
    done = [one for one in found if not args.dead or one.outcome == "dead"][: args.limit]
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
