"""`tidegate lists`: red, amber and green lists: show, add, remove; take in and give out shared indicators."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.lists.kept import Kept
    from alerts.store import Store
    from dataflow.settings import Settings

NAME = "lists"
HELP = "block, watch and allow lists: show, add, remove, import and export shared indicators"
_ENTITIES = (
    "card", "customer", "device", "ip", "merchant", "payee", "bin", "partner", "corridor", "account", "party",
    "issuer_country",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    texts = {
        "show": "list what is on the lists, with source, confidence, reason and end",
        "add": "put an entity on a list, in the running stream from its next event on",
        "remove": "take an entity off a list",
        "import": "take in a file of shared indicators of an exchange (docs/lists.md)",
        "export": "write our own entries as shared indicators that only members of the exchange can test",
    }
    made = {name: verbs.add_parser(name, help=text, description=text) for name, text in texts.items()}
    for name in ("show", "add", "remove"):
        made[name].add_argument(
            "list", metavar="LIST", choices=("block", "watch", "allow"), help="block, watch or allow",
            nargs="?" if name == "show" else None,
        )  # fmt: skip
    for name in ("add", "remove"):
        made[name].add_argument(
            "entity", metavar="ENTITY", choices=_ENTITIES, help=f"kind of entity: {', '.join(_ENTITIES)}"
        )
        made[name].add_argument("token", metavar="TOKEN", nargs="?", help="the token events carry")
        made[name].add_argument(
            "--value", action="store_true",
            help="read the clear value from the terminal or stdin instead; only its token is kept",
        )  # fmt: skip
        made[name].add_argument(
            "--form", choices=("card", "account", "email", "phone", "ip", "plain"),
            help="what the clear value is (default: by the kind of entity); plain beside a TOKEN: the sender's own id",
        )  # fmt: skip
        made[name].add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept and audited")
    adding = made["add"]
    adding.add_argument("--source", required=True, metavar="TEXT", help="where it is known from")
    adding.add_argument("--confidence", type=int, required=True, metavar="N", help="0 to 100")
    adding.add_argument("--days", type=float, metavar="N", help="how long; needed unless --law")
    adding.add_argument(
        "--law", action="store_true", help="the law demands it: no end, FREEZE, compliance only"
    )
    adding.add_argument(
        "--action", choices=("APPROVE", "STEP_UP", "HOLD", "DECLINE", "FREEZE"),
        help="what it asks for (default: block DECLINE, watch STEP_UP)",
    )  # fmt: skip
    for name in ("import", "export"):
        made[name].add_argument("file", type=Path, metavar="FILE", help="file of indicators (JSON lines)")
        made[name].add_argument(
            "--exchange", required=True, metavar="NAME", help="exchange, by [lists] of the settings"
        )
    for name, verb in made.items():
        if name != "show":
            options.add_who(verb)
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Show, add, remove, import or export."""
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    store = RedisStore(address_of(settings))
    now = time.time_ns() // 1_000_000
    verbs = {"show": _show, "add": _add, "remove": _remove, "import": _import, "export": _export}
    return verbs[args.verb](args, settings, store, now)


def _show(args: argparse.Namespace, _settings: Settings, store: Store, now: int) -> int:
    from alerts.lists.changing import in_force
    from models.lists import Lists

    found = in_force(store, now)
    version = Lists(one.entry for one in found).version
    rows = [_row(one) for one in found if args.list in (None, one.entry.list)]
    if args.json:
        waiting = len(store.awaited_indicators())
        showing.show({"version": version, "awaited": waiting, "entries": rows}, "lists", as_json=True)
        return 0
    for row in rows:
        until = "no end" if row["until"] is None else _day(row["until"])
        print(
            f"{row['list']:5} {row['entity']} {row['token']} until {until}, {row['action']}, {row['source']}, "
            f"confidence {row['confidence']}: {row['reason']}"
            + (" (by law)" if row["basis"] == "law" else "")
        )
    print(f"{len(rows)} entries, version {version}")
    return 0


def _row(one: Kept) -> dict[str, Any]:
    entry = one.entry
    return {
        "list": entry.list, "entity": entry.entity, "token": entry.token, "action": entry.asks,
        "source": entry.source, "reason": entry.reason, "confidence": entry.confidence, "basis": entry.basis,
        "until": entry.until, "added_by": one.added_by, "added_at": one.added_at, "shared": sorted(one.hashes),
    }  # fmt: skip


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / 1000))


def _add(args: argparse.Namespace, settings: Settings, store: Store, now: int) -> int:
    import msgspec

    from alerts.lists.adding import new_entry
    from alerts.lists.changing import add_entries

    actor, role = options.who_of(args, settings)
    token, hashes = _token(args, settings)
    entry = new_entry(
        args.list, args.entity, token, source=args.source, reason=args.reason, confidence=args.confidence,
        days=args.days, by_law=args.law, action=args.action, at=store.stream_time() or now,
    )  # fmt: skip
    add_entries(store, [entry], actor=actor, role=role, now=now, hashes={entry.key: hashes})
    given = {"until": None, "basis": entry.basis, **msgspec.to_builtins(entry)}
    showing.show({**given, "action": entry.asks, "actor": actor}, "lists add", as_json=args.json)
    return 0


def _remove(args: argparse.Namespace, settings: Settings, store: Store, now: int) -> int:
    from alerts.lists.changing import remove_entries

    actor, role = options.who_of(args, settings)
    token, _ = _token(args, settings)
    remove_entries(
        store, [(args.list, args.entity, token)], actor=actor, role=role, now=now, reason=args.reason
    )
    told = {"list": args.list, "entity": args.entity, "token": token, "actor": actor, "reason": args.reason}
    showing.show(told, "lists remove", as_json=args.json)
    return 0


def _token(args: argparse.Namespace, settings: Settings) -> tuple[str, dict[str, str]]:
    """The token, and the value's hashes in our exchanges where the value is known."""
    from alerts.custody.pseudonym import Pseudonyms
    from alerts.lists.adding import shared_hashes
    from alerts.lists.tokens import check_token, form_of, normalised, token_of
    from dataflow.worker import ring_of

    if (args.token is None) != args.value:
        raise SettingsError("give the entity's TOKEN, or --value to read its clear value")
    if not args.value:
        if args.verb == "add":
            check_token(args.entity, args.token, plain=args.form == "plain")
        return args.token, shared_hashes(settings.lists.all(), args.entity, args.token)
    form = form_of(args.entity, args.form or "")
    # Not an argument: those stand in the list of processes for everybody to read.
    text = getpass.getpass("value: ") if sys.stdin.isatty() else sys.stdin.readline()
    normal = normalised(form, text)
    hashes = {one.name: f"{form}:{one.hash(form, normal)}" for one in settings.lists.all()}
    return token_of(Pseudonyms(ring_of(settings)), form, normal), hashes


def _import(args: argparse.Namespace, settings: Settings, store: Store, now: int) -> int:
    from alerts.lists.importing import import_shared

    actor, role = options.who_of(args, settings)
    told = import_shared(
        store, settings.lists.exchange(args.exchange), args.file.read_bytes(), str(args.file), actor=actor, role=role,
        now=now, block_from=settings.lists.block_from,
    )  # fmt: skip
    showing.show({"exchange": args.exchange, **told._asdict()}, "lists import", as_json=args.json)
    return 0


def _export(args: argparse.Namespace, settings: Settings, store: Store, now: int) -> int:
    from alerts.lists.exporting import export_shared

    actor, role = options.who_of(args, settings)
    exchange = settings.lists.exchange(args.exchange)
    data, count, without = export_shared(store, exchange, actor=actor, role=role, now=now)
    with os.fdopen(os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(data)
    told = {"exchange": args.exchange, "indicators": count, "without_hash": without, "file": str(args.file)}
    showing.show(told, "lists export", as_json=args.json)
    return 0
