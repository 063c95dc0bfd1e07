"""`tidegate drill`: play an attack or a loss through the real parts and score it; history, due dates, joint records."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from dataflow.settings import Settings

NAME = "drill"
HELP = "play a simulated attack or a loss through the real parts and score it; history, trend and due dates"
DRILLS = (
    "card_testing", "account_takeover", "partner_compromise", "corridor_surge", "data_leak", "payment_outage",
    "store_loss", "restore",
)  # fmt: skip
VERBS = {
    "history": "what was played and how it went",
    "due": "when each is due",
    "tabletop": "training without the engine: list the exercises, or take the one named (exit code 1: not passed)",
    "training": "who is trained in what, and until when",
    "export": "the record of one drill for one party of a joint drill, signed",
    "verify": "whether such a record is as it was signed",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = "; ".join(f"`{name}`: {text}" for name, text in VERBS.items())
    parser.add_argument(
        "what", metavar="SCENARIO", choices=(*DRILLS, *VERBS), help=f"{', '.join(DRILLS)}; or {verbs}"
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="tabletop: the exercise; export: id of the drill; verify: the file",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of world, attack and people (default 1)"
    )
    parser.add_argument("--drill", choices=DRILLS, help="history: of this one alone")
    parser.add_argument("--no-history", action="store_true", help="do not keep the result")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE",
        help='tabletop: answers as JSON, {"question": ["option"]}, instead of asking for them',
    )  # fmt: skip
    parser.add_argument("--party", metavar="PARTY", help="export: for whom, as in docs/drills.md")
    parser.add_argument("--out", type=Path, metavar="FILE", help="export: file to write to (mode 0600)")
    parser.add_argument(
        "--key", action="append", metavar="KEY",
        help="verify: public key (base64) to trust, as `audit key` prints it; may be repeated (default: the key ring's)",
    )  # fmt: skip
    options.add_who(parser)
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Play and score, 1 when a target is missed; or do one of VERBS."""
    settings = options.settings_of(args)
    options.at_least("--seed", args.seed, 0)
    if args.what in ("history", "due"):
        from dataflow.drill.shown import shown

        return shown(args, settings)
    if args.what in ("tabletop", "training"):
        from dataflow.drill.tabletop import tabletop, trained

        return (tabletop if args.what == "tabletop" else trained)(args, settings)
    if args.what == "export":
        return _export(args, settings)
    if args.what == "verify":
        from alerts.drills.parties import PURPOSE
        from dataflow.response.evidence_file import verify

        args.file = Path(_named(args, "the file"))
        return verify(args, settings, PURPOSE)
    return _play(args, settings)


def _named(args: argparse.Namespace, what: str) -> str:
    if not args.name:
        raise SettingsError(f"drill {args.what}: name {what}")
    return str(args.name)


def _play(args: argparse.Namespace, settings: Settings) -> int:
    actor, role = options.who_of(args, settings)
    from alerts.drills.book import drill_book
    from alerts.drills.history import keep, run_of
    from dataflow.drill.play import play
    from dataflow.store_access import opened

    book = drill_book()
    plans = settings.emergency.book()
    drill = book.named(args.what)
    card = play(drill, book, plans, settings, args.seed)
    if not args.no_history:
        now, plan = time.time_ns() // 1_000_000, plans.plan(drill.kind)
        done = run_of(card, seed=args.seed, actor=actor, at=now, book=book.version, plan=plan)
        with opened(settings) as store:
            keep(store, done, role)
        showing.say(f"kept as {done.id}")
    for one in card.missed:
        showing.say(f"missed: {one}")
    result = {
        "scenario": card.scenario,
        "passed": card.passed,
        "targets": card.targets,
        "measured": card.measured,
    }
    showing.show(result, f"drill {card.scenario}", as_json=args.json)
    return 0 if card.passed else 1


def _export(args: argparse.Namespace, settings: Settings) -> int:
    actor, role = options.who_of(args, settings)
    id_ = _named(args, "the drill, as `tidegate drill history` shows its id")
    if not args.party or args.out is None:
        raise SettingsError("drill export: say for whom (--party) and into which file (--out)")
    from alerts.custody.private_files import replace_private
    from dataflow.drill.export import exported
    from dataflow.store_access import opened

    with opened(settings) as store:
        data = exported(settings, store, id_, args.party, actor, role, time.time_ns() // 1_000_000)
    replace_private(args.out, data)
    told = {"run": id_, "party": args.party, "file": str(args.out), "lines": data.count(b"\n")}
    showing.show(told, "drill export", as_json=args.json)
    return 0
