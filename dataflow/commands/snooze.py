"""`tidegate snooze`: keep a rule quiet on an entity for a while, list all snoozes, end one early."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.redis_store import RedisStore

NAME = "snooze"
HELP = "keep a rule's alerts on an entity quiet for a stated time and reason, list all snoozes, end one early"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "list everything that is snoozed: alerts, and rules on entities, the first to end first"
    listing = verbs.add_parser("list", help=text, description=text)
    text = "keep a rule quiet on an entity; anything worse than the severity is heard all the same"
    setting = verbs.add_parser("set", help=text, description=text)
    text = "end the snooze of a rule on an entity now"
    lift = verbs.add_parser("lift", help=text, description=text)
    for verb in (setting, lift):
        verb.add_argument("rule", metavar="RULE", help="a rule's id, MODEL or LIST")
        verb.add_argument("entity_kind", metavar="KIND", help="kind of entity: card, device, merchant, …")
        verb.add_argument("entity", metavar="ENTITY", help="the token events carry")
    setting.add_argument(
        "--severity", default="S3", choices=("S1", "S2", "S3", "S4"), help="the worst alert it keeps quiet"
    )
    setting.add_argument("--for", dest="length", required=True, metavar="TIME", help="how long: 30m, 2h")
    for verb in (setting, lift):
        verb.add_argument("--reason", required=True, help="why; it is kept in the audit trail")
        options.add_who(verb)
    for verb in (listing, setting, lift):
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """List, set or lift."""
    import msgspec

    from alerts.merging import RuleSnooze, snooze_key
    from alerts.redis_store import RedisStore
    from alerts.routing.matching import length_ms
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    store, now = RedisStore(address_of(settings)), time.time_ns() // 1_000_000
    if args.verb == "list":
        return _list(store, as_json=args.json)
    actor, role = options.who_of(args, settings)
    if args.verb == "set":
        snooze = RuleSnooze(
            rule=args.rule, entity_kind=args.entity_kind, entity=args.entity, severity=args.severity, since=now,
            until=now + length_ms(args.length, "--for"), actor=actor, role=role, reason=args.reason,
        )  # fmt: skip
        store.snooze_rule(snooze, now)
        showing.show(msgspec.to_builtins(snooze), "snooze", as_json=args.json)
        return 0
    key = snooze_key(args.rule, args.entity_kind, args.entity)
    if not store.lift_snooze(key, actor, role, args.reason, now):
        raise SettingsError(
            f"{args.rule} on {args.entity_kind} {args.entity} is not snoozed; `tidegate snooze list` shows what is"
        )
    showing.show({"lifted": key.split("\x1f"), "by": actor, "at": now}, "snooze", as_json=args.json)
    return 0


def _list(store: RedisStore, *, as_json: bool) -> int:
    from alerts.rule_snoozes import snoozes_of

    rows = snoozes_of(store)
    if as_json or not rows:
        showing.show({"snoozes": [row._asdict() for row in rows]}, "snoozes", as_json=as_json)
        return 0
    for row in rows:
        what = f"alert {row.alert_id}" if row.alert_id else f"rule {row.rule}"
        print(
            f"until {showing.moment(row.until)}  {what}  {row.entity_kind} {row.entity}  {row.severity}  "
            f"{row.actor}: {row.reason}"
        )
    return 0
