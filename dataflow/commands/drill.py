"""`tidegate drill`: play an attack or a loss through the real parts and score it; history, trend and what is due."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from dataflow.commands import options, showing

if TYPE_CHECKING:
    from alerts.drills.card import Card
    from dataflow.settings import Settings

NAME = "drill"
HELP = "play a simulated attack or a loss through the real parts and score it; history, trend and due dates"
DRILLS = (
    "card_testing", "account_takeover", "partner_compromise", "corridor_surge", "data_leak", "payment_outage",
    "store_loss", "restore",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what", metavar="SCENARIO", choices=(*DRILLS, "history", "due"),
        help=f"{', '.join(DRILLS)}; or `history`: what was played and how it went; or `due`: when each is due",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of world, attack and people (default 1)"
    )
    parser.add_argument("--drill", choices=DRILLS, help="history: of this one alone")
    parser.add_argument("--no-history", action="store_true", help="do not keep the result")
    options.add_who(parser)
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Play and score, 1 when a target is missed; or show what was played."""
    settings = options.settings_of(args)
    options.at_least("--seed", args.seed, 0)
    if args.what in ("history", "due"):
        return _shown(args, settings)
    actor, role = options.who_of(args, settings)
    from alerts.drills.book import drill_book
    from dataflow.drill.play import play

    book = drill_book()
    plans = settings.emergency.book()
    card = play(book.named(args.what), book, plans, settings, args.seed)
    if not args.no_history:
        from alerts.drills.history import DrillRun, keep
        from dataflow.store_access import opened

        now = time.time_ns() // 1_000_000
        plan = plans.plan(book.named(args.what).kind)
        with opened(settings) as store:
            keep(
                store,
                DrillRun(
                    id=f"{args.what}-{now}", drill=args.what, at=now, seed=args.seed, actor=actor, book=book.version,
                    plan=f"{plan.id} {plan.version}", card=card,
                ),
                role,
            )  # fmt: skip
    _told(card, as_json=args.json)
    return 0 if card.passed else 1


def _told(card: Card, *, as_json: bool) -> None:
    result = {
        "scenario": card.scenario,
        "passed": card.passed,
        "targets": card.targets,
        "measured": card.measured,
    }
    for one in card.missed:
        showing.say(f"missed: {one}")
    showing.show(result, f"drill {card.scenario}", as_json=as_json)


def _shown(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.drills.book import drill_book, due_drills
    from alerts.drills.history import last_runs, runs, trends
    from dataflow.store_access import opened

    with opened(settings) as store:
        found = runs(store, args.drill or "")
    if args.what == "due":
        due = due_drills(drill_book(), last_runs(found), time.time_ns() // 1_000_000)
        if args.json:
            showing.show({"due": msgspec.to_builtins(due)}, "", as_json=True)
            return 0
        for one in due:
            last = "never played" if one.last is None else f"last played {_day(one.last)}"
            print(f"{'LATE ' if one.late else ''}{one.due} {one.drill}, {last}")
        return 0
    if args.json:
        told = {"runs": msgspec.to_builtins(found), "trend": msgspec.to_builtins(trends(found))}
        showing.show(told, "", as_json=True)
        return 0
    for run_ in found:
        missed = "" if run_.card.passed else ": " + "; ".join(run_.card.missed)
        print(
            f"{_day(run_.at)} {run_.drill} seed {run_.seed} {'passed' if run_.card.passed else 'MISSED'}{missed}"
        )
    for name, trend in trends(found).items():
        times = ", ".join(
            f"{metric} {_number(value)} (before {_number(trend.before[metric])})"
            for metric, value in trend.last.items()
        )
        print(f"{name}: {trend.passed} of {trend.runs} passed; {times}")
    if not found:
        print("no drill was played yet")
    return 0


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / 1000))
