"""`tidegate plan`: the emergency plan: list it, show, check, print, its history, and record a new version."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from alerts.emergency.plan import Plan
    from alerts.emergency.plan_book import Book

NAME = "plan"
HELP = "the emergency plan: list, show, check, print to paper, history; exit 1: something is not in order"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    texts = {
        "list": "list the plans in force with version, review date and digest",
        "show": "show one plan: people, steps, channels, containment, recovery",
        "check": "find overdue reviews, unverified contacts, missing deputies, changed versions (exit 1: an alarm)",
        "print": "print a plan as Markdown or HTML, with version and digest on every page",
        "history": "list every version of a plan: what it changed, who approved it",
        "record": "put versions that are new into the register, so that they cannot be changed unseen",
    }
    made = {name: verbs.add_parser(name, help=text, description=text) for name, text in texts.items()}
    for name in ("show", "print"):
        made[name].add_argument("id", metavar="ID", help="kind of incident, as `tidegate plan list` names it")
        made[name].add_argument(
            "--version", metavar="V", default="", help="version (default: the one in force)"
        )
        made[name].add_argument("--language", choices=("en", "zh"), help="default: console.language")
    made["history"].add_argument("id", metavar="ID", nargs="?", help="plan (default: all)")
    made["print"].add_argument("--html", action="store_true", help="a page for paper (default: Markdown)")
    made["print"].add_argument("--out", type=Path, metavar="FILE", help="file to write to (default: stdout)")
    made["check"].add_argument(
        "--copy", type=Path, action="append", default=[], metavar="FILE",
        help="a printed copy (Markdown, HTML) to compare with what is in force; may be repeated",
    )  # fmt: skip
    for name, verb in made.items():
        verb.add_argument(
            "--plans", type=Path, metavar="DIR", help="folder of plans (default: emergency.plans)"
        )
        if name != "record":
            verb.add_argument(
                "--on", metavar="DAY", help="the day to look at, YYYY-MM-DD (default: today, UTC)"
            )
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """List, show, check, print, tell the history or record."""
    from alerts.emergency.plan_book import load_book

    settings = options.settings_of(args)
    folder = args.plans or settings.emergency.folder
    book = load_book(folder)
    if args.verb == "record":
        return _record(args, book, folder)
    if args.verb in ("show", "print"):
        args.language = args.language or settings.console.language
    verbs = {"list": _list, "show": _show, "check": _check, "print": _print, "history": _history}
    args.folder, args.told = folder, settings.console.language
    return verbs[args.verb](args, book, _day(args.on))


def _day(text: str | None) -> dt.date:
    if text is None:
        return dt.datetime.now(dt.UTC).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--on is {text!r}: give a day as in 2026-11-25") from None


def _list(args: argparse.Namespace, book: Book, day: dt.date) -> int:
    rows = [_row(plan) for id_ in book.plans if (plan := book.in_force(id_, day)) is not None]
    if args.json:
        showing.show({"on": str(day), "plans": rows}, "plans", as_json=True)
        return 0
    from dataflow.evaluation.report import Table

    names = ["id", "version", "owner", "review_by", "code"]
    cells = [[str(row[name]) for name in names] for row in rows]
    showing.show_tables(f"{len(rows)} plans in force on {day}", [Table("emergency plans", "", names, cells)])
    return 0


def _row(plan: Plan) -> dict[str, Any]:
    from alerts.emergency.plan import short_code

    return {
        "id": plan.id, "version": plan.version, "effective_from": str(plan.effective_from),
        "review_by": str(plan.review_by), "owner": plan.owner, "deputy": plan.deputy, "code": short_code(plan.digest),
        "digest": plan.digest, "title_en": plan.title.en, "title_zh": plan.title.zh,
    }  # fmt: skip


def _show(args: argparse.Namespace, book: Book, day: dt.date) -> int:
    import msgspec

    from alerts.emergency.printing import printed

    plan = book.plan(args.id, args.version, day)
    if args.json:
        fields = [msgspec.to_builtins(one) for one in book.letters.field]
        told = {**_row(plan), "plan": msgspec.to_builtins(plan), "letter_fields": fields}
        showing.show(told, "plan", as_json=True)
        return 0
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(file=sys.stdout)
    with console.capture() as drawn:
        console.print(Markdown(printed(plan, book, args.language, "markdown", day)))
    # Written by ourselves: rich would end the process with code 1 when the reader has gone.
    sys.stdout.write(drawn.get())
    return 0


def _check(args: argparse.Namespace, book: Book, day: dt.date) -> int:
    from alerts.emergency.findings import findings
    from alerts.emergency.printing import stale_copies
    from alerts.emergency.reading import read_text
    from alerts.response.kinds import KINDS

    copies = [(str(path), read_text(path)) for path in args.copy]
    found = [*findings(book, day, tuple(kind.plan for kind in KINDS)), *stale_copies(book, copies, day)]
    alarms = sum(one.level == "alarm" for one in found)
    if args.json:
        told = {
            "on": str(day), "ok": alarms == 0, "alarms": alarms, "warnings": len(found) - alarms,
            "findings": [one._asdict() for one in found],
        }  # fmt: skip
        showing.show(told, "plan check", as_json=True)
    else:
        from dataflow.response.plan_check import told_placeholders

        rest = told_placeholders(found, book, args.folder, args.told)
        for one in rest:
            print(f"{one.level}: {one.subject}: {one.text} ({one.code})")
        print(f"{len(book.plans)} plans, {alarms} alarms, {len(found) - alarms} warnings on {day}")
    return 1 if alarms else 0


def _print(args: argparse.Namespace, book: Book, day: dt.date) -> int:
    from alerts.emergency.printing import printed

    plan = book.plan(args.id, args.version, day)
    text = printed(plan, book, args.language, "html" if args.html else "markdown", day)
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")
    elif not args.json:
        sys.stdout.write(text)
    if args.json or args.out is not None:
        told = {"id": plan.id, "version": plan.version, "digest": plan.digest, "file": str(args.out or "")}
        showing.show(told | ({} if args.out else {"text": text}), "plan print", as_json=args.json)
    return 0


def _history(args: argparse.Namespace, book: Book, day: dt.date) -> int:
    if args.id is not None:
        book.plan(args.id)
    rows = []
    for id_, versions in book.plans.items():
        for plan in versions if args.id in (None, id_) else []:
            kept = book.register.of(plan.id, plan.version)
            rows.append(
                {
                    **_row(plan), "in_force": plan is book.in_force(id_, day), "what_en": plan.change.text.en,
                    "what_zh": plan.change.text.zh, "by": plan.change.by, "approved_by": plan.change.approved_by,
                    "actions": plan.change.actions, "recorded_on": str(kept.recorded_on) if kept else None,
                    "unchanged": kept.digest == plan.digest if kept else None,
                }
            )  # fmt: skip
    if args.json:
        showing.show({"on": str(day), "versions": rows}, "plan history", as_json=True)
        return 0
    for row in rows:
        state = "in force" if row["in_force"] else f"from {row['effective_from']}"
        recorded = f"recorded {row['recorded_on']}" if row["recorded_on"] else "not recorded"
        print(
            f"{row['id']} {row['version']} {row['code']} {state}, {recorded}, {row['by']}: {row['what_en']}"
        )
    return 0


def _record(args: argparse.Namespace, book: Book, folder: Path) -> int:
    from alerts.emergency.plan_book import SHARED, register_line, unrecorded

    new = unrecorded(book)
    path = folder / SHARED / "register.toml"
    if new:
        today = dt.datetime.now(dt.UTC).date()
        try:
            with path.open("a", encoding="utf-8") as out:
                out.write("".join(register_line(plan, today) for plan in new))
        except OSError as error:
            raise PlanError(
                f"{path}: cannot be written: {error.strerror}; keep the plans in your own folder"
            ) from None
    told = {"recorded": [f"{plan.id} {plan.version}" for plan in new], "file": str(path)}
    showing.show(told, "plan record", as_json=args.json)
    return 0
