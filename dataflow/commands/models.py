"""`tidegate models`: how the candidates stand, who serves, and an operator's choice of the champion."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from dataflow.commands import options, showing
from models.errors import StoreError

if TYPE_CHECKING:
    from dataflow.settings import Settings
    from models.learner_report import LearnerReport

NAME = "models"
HELP = "list the candidate models of the running system, pin one as champion, release the pin, trust a source of labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "list the candidates with their standing, who serves, and the changes so far"
    listing = verbs.add_parser("list", help=text, description=text)
    text = "have one candidate serve whatever the tests say, until `unpin`"
    pin = verbs.add_parser("pin", help=text, description=text)
    pin.add_argument(
        "name", metavar="NAME", help="stack, logistic, forest, boosted, base or known_good (docs/models.md)"
    )
    text = "leave the choice to the tests again; what served before the pin serves"
    unpin = verbs.add_parser("unpin", help=text, description=text)
    text = "learn from a source of labels as usual again, and what was held back of it last"
    trust = verbs.add_parser("trust", help=text, description=text)
    trust.add_argument(
        "name", metavar="SOURCE", help="as `list` names it, such as actor:alice or source:chargeback"
    )
    for verb in (pin, unpin, trust):
        verb.add_argument("--reason", required=True, help="why; it is kept with the change")
        verb.add_argument("--actor", help="who decides it (default: console.actor of the settings)")
    for verb in (listing, pin, unpin, trust):
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """List, pin, unpin or trust."""
    settings = options.settings_of(args)
    verbs = {"list": _list, "trust": _trust}
    return verbs.get(args.verb, _choose)(args, settings)


def _list(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    store = RedisStore(address_of(settings))
    report, changes = store.learner_report(), store.model_changes()
    if report is None:
        raise StoreError("the learner has published no model yet: wait until enough labels have settled")
    if args.json:
        told = {**msgspec.to_builtins(report), "changes": msgspec.to_builtins(changes)}
        showing.show(told, "models", as_json=True)
        return 0
    print(f"champion {report.champion}" + (f", pinned by {report.pinned}" if report.pinned else ""))
    print(f"model {report.version}, {report.examples:,} examples learnt, {report.frauds:,} of them frauds")
    _learning(report)
    _table(report)
    _costs(report)
    for mark in report.marks[-5:]:
        print(f"{_day(mark.at)} {mark.kind} {mark.name}: {mark.text_en}")
    for change in changes[-10:]:
        print(
            f"{_day(change.at)} {change.kind}: {change.before} to {change.after}, {change.actor}: {change.reason}"
        )
    return 0


def _table(report: LearnerReport) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ("log_loss", "average_precision", "roc_auc", "recall", "calibration_error")
    table = Table(
        title=f"{report.standings[0].settled:,} payments settled" if report.standings else "nothing settled"
    )
    table.add_column("candidate")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for standing in report.standings:
        mark = " *" if standing.name == report.champion else ""
        table.add_row(standing.name + mark, *(_number(getattr(standing, name)) for name in names))
    console = Console()
    with console.capture() as drawn:
        console.print(table)
    # Written by ourselves: rich would end the process with code 1 when the reader has gone.
    sys.stdout.write(drawn.get())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / 1000))


def _choose(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.champion_choice import choose_champion
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of
    from models.champions import AUTOMATIC

    name = AUTOMATIC if args.verb == "unpin" else args.name
    reason, actor = args.reason.strip(), (args.actor or settings.console.actor).strip()
    store = RedisStore(address_of(settings))
    entry = choose_champion(store, name, actor, settings.console.role, reason, time.time_ns() // 1_000_000)
    told = {"champion": name, "actor": actor, "reason": reason, "entry": entry}
    showing.show(told, f"models {args.verb}", as_json=args.json)
    return 0


def _learning(report: LearnerReport) -> None:
    """Whether learning holds labels back, and from whom."""
    print(f"learning {report.learning}")
    for surge in report.surges:
        print(f"  {surge.reason_en}, since {_day(surge.since)}")


def _costs(report: LearnerReport) -> None:
    """The threshold in force beside the one of least cost."""
    curve = report.costs
    if curve is None:
        return
    best = curve.best
    least = "no alert at all" if best.threshold >= 1.0 else f"alerts from risk {best.threshold:.4f} on"
    print(
        f"alerts from risk {curve.in_force:.4f} on ({curve.chosen_by}); least cost: {least}, "
        f"{best.cost_per_day:,.0f} USD and {best.alerts_per_day:,.1f} alerts a day"
    )


def _trust(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.label_trust import trust_labels
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    actor = args.actor or settings.console.actor
    store = RedisStore(address_of(settings))
    role = settings.console.role
    entry = trust_labels(store, args.name, actor, role, args.reason, time.time_ns() // 1_000_000)
    told = {"trusted": args.name, "actor": actor.strip(), "reason": args.reason.strip(), "entry": entry}
    showing.show(told, "models trust", as_json=args.json)
    return 0
