"""`tidegate silence`: keep what fits some matchers quiet for a while, list silences, end one early."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.routing.silence import Silence

NAME = "silence"
HELP = "keep notifications quiet by matchers for a stated time and reason, try matchers, list silences, end one early"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = (
        "silence what fits all matchers: corridor='CN>*', partner!=acme, typology='T01|T02', 'severity>=S3' "
        "(S3 or milder; S1 is the worst, so 'severity<=S3' would silence S1 too)"
    )
    add = verbs.add_parser("add", help=text, description=text)
    add.add_argument(
        "matchers",
        nargs="+",
        metavar="MATCHER",
        help="label=value, label!=value, severity>=S3 (S3 or milder)",
    )
    add.add_argument(
        "--for", dest="length", required=True, metavar="TIME", help="how long: 30m, 2h, 1d12h; 30d at most"
    )
    add.add_argument(
        "--in", dest="later", default="0s", metavar="TIME", help="begin after this time (default: now)"
    )
    text = "count the alerts that matchers fit now, before anybody silences them"
    trying = verbs.add_parser("preview", help=text, description=text)
    trying.add_argument("matchers", nargs="+", metavar="MATCHER", help="as for `silence add`")
    text = "list the silences that hold, are planned or ended within the last week"
    listing = verbs.add_parser("list", help=text, description=text)
    text = "end a silence now"
    expire = verbs.add_parser("expire", help=text, description=text)
    expire.add_argument("id", metavar="ID", help="as `silence list` shows it")
    for verb in (add, expire):
        verb.add_argument("--reason", required=True, help="why; it is kept in the audit trail")
        options.add_who(verb)
    for verb in (add, trying, listing, expire):
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Add, try, list or expire."""
    import msgspec

    from alerts.redis_store import RedisStore
    from alerts.routing.matching import length_ms
    from alerts.routing.previewing import preview
    from alerts.routing.silence import new_silence
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    store, now = RedisStore(address_of(settings)), time.time_ns() // 1_000_000
    if args.verb == "list":
        return _list(store.silences(), now, as_json=args.json)
    if args.verb == "preview":
        found = msgspec.to_builtins(preview(store, args.matchers))
        showing.show(
            {**found, "examples": [one["id"] for one in found["examples"]]}, "preview", as_json=args.json
        )
        return 0
    actor, role = options.who_of(args, settings)
    if args.verb == "add":
        begins = now + length_ms(args.later, "--in")
        silence = new_silence(
            args.matchers, actor, args.reason, now, begins, begins + length_ms(args.length, "--for")
        )
        found = preview(store, args.matchers)
        store.add_silence(silence, role)
        told = {"matched": found.matched, "waiting": found.waiting, "severities": found.severities}
        worst = found.severities.get("S1", 0)
        if not args.json:
            showing.say(f"it fits {found.matched} of {found.looked} open alerts now, {worst} of them S1")
        showing.show({**msgspec.to_builtins(silence), **told}, "silence", as_json=args.json)
        return 0
    if not store.expire_silence(args.id, actor, role, args.reason, now):
        raise SettingsError(
            f"{args.id}: no such silence, or it has ended; `tidegate silence list` shows them"
        )
    showing.show({"id": args.id, "ended_by": actor, "at": now}, "silence", as_json=args.json)
    return 0


def _list(silences: list[Silence], now: int, *, as_json: bool) -> int:
    import msgspec

    told = [{**msgspec.to_builtins(one), "state": one.state(now)} for one in silences]
    if as_json or not told:
        showing.show({"silences": told}, "silences", as_json=as_json)
        return 0
    for one in silences:
        print(
            f"{one.id}  {one.state(now):8}  until {showing.moment(one.ends_at)}  {' '.join(one.matchers)}  "
            f"{one.actor}: {one.reason}"
        )
    return 0
