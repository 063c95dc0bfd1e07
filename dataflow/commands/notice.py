"""`tidegate notice`: what an incident obliges us to tell, by when; drafts; and the record that a notice went out."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dataflow.commands import options, showing
from models.errors import PlanError, SettingsError, StoreError

if TYPE_CHECKING:
    from alerts.notices.clocks import Notice
    from alerts.notices.facts import IncidentFacts
    from alerts.store import Store
    from dataflow.settings import Settings

NAME = "notice"
HELP = (
    "notification clocks of an incident: what is owed to whom by when, drafts, what was sent (exit 1: late)"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    texts = {
        "list": "list every notice that is owed or may be, the most urgent first (exit 1: one is late)",
        "draft": "write the draft of a notice, with its gaps marked and named",
        "sent": "record that a notice went out; audited",
        "waive": "record that a notice is not owed, and why; audited",
    }
    made = {name: verbs.add_parser(name, help=text, description=text) for name, text in texts.items()}
    for name, verb in made.items():
        if name != "list":
            verb.add_argument("id", metavar="ID", help="notice, as `tidegate notice list` names it")
        verb.add_argument("incident", metavar="INCIDENT", nargs="?", help="as `incident list` shows it")
        verb.add_argument(
            "--facts", type=Path, metavar="FILE", help="facts as JSON, without an incident (docs/notices.md)"
        )
        if name in ("list", "sent"):
            verb.add_argument("--at", metavar="TIME", help="ISO 8601 with its zone (default: now)")
        if name in ("draft", "sent"):
            verb.add_argument("--language", choices=("en", "zh"), help="default: console.language")
        if name in ("sent", "waive"):
            options.add_who(verb)
            verb.add_argument("--reason", default="", help="why; needed for gaps and for a waiver")
        options.add_config(verb)
        options.add_json(verb)
    made["draft"].add_argument("--out", type=Path, metavar="FILE", help="file to write to (default: stdout)")
    made["waive"].add_argument(
        "--again", action="store_true", help="take the waiver back: it is owed after all"
    )


def run(args: argparse.Namespace) -> int:
    """List, draft, record as sent or as not owed."""
    settings = options.settings_of(args)
    verbs = {"list": _list, "draft": _draft, "sent": _sent, "waive": _waive}
    return verbs[args.verb](args, settings)


def _facts(args: argparse.Namespace, settings: Settings, language: str = "en") -> IncidentFacts:
    """The facts of the incident, or of the file."""
    from alerts.notices.facts import read_facts
    from alerts.notices.of_incident import facts_of
    from dataflow.store_access import response_of

    if (args.incident is None) == (args.facts is None):
        raise SettingsError("give an INCIDENT, or --facts with a file; not both")
    if args.incident is not None:
        return facts_of(response_of(settings)[0].incident(args.incident), language)
    try:
        return read_facts(args.facts.read_bytes(), str(args.facts))
    except OSError as error:
        raise PlanError(f"{args.facts}: cannot be read: {error.strerror}") from None


def _store(settings: Settings) -> Store:
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    return RedisStore(address_of(settings))


def _with_record(facts: IncidentFacts, settings: Settings) -> IncidentFacts:
    """Facts with what the audit chain says was sent and waived; as they are when there is no store."""
    import msgspec

    from alerts.notices.sending import recorded

    try:
        sent, waived = recorded(_store(settings), facts.incident)
    except StoreError as error:
        showing.say(f"what was sent is taken from the facts alone: {error}")
        return facts
    return msgspec.structs.replace(facts, sent={**facts.sent, **sent}, waived={**facts.waived, **waived})


def _list(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.notices.clocks import notices_of, worst

    now, facts = options.moment_of(args.at), _facts(args, settings)
    if args.incident is None:
        facts = _with_record(facts, settings)
    found = notices_of(facts, settings.notices, now)
    late = any(one.state == "late" and one.owed == "yes" for one in found)
    if args.json:
        told = {
            "incident": facts.incident,
            "at": now,
            "worst": worst(found),
            "notices": msgspec.to_builtins(found),
        }
        showing.show(told, "notices", as_json=True)
        return 1 if late else 0
    from rich.console import Console
    from rich.text import Text

    language = settings.console.language
    console = Console(file=sys.stdout)
    for one in found:
        style = {"late": "bold red", "soon": "yellow"}.get(one.state, "") if one.owed == "yes" else "dim"
        with console.capture() as drawn:
            console.print(Text(_line(one, now, language), style=style))
        sys.stdout.write(drawn.get())
    owed = sum(one.owed == "yes" for one in found)
    print(f"{owed} notices owed, {len(found) - owed} not decided yet, worst: {worst(found) or 'none'}")
    return 1 if late else 0


def _line(one: Notice, now: int, language: str) -> str:
    parts = [f"{one.state:7} {one.id}", one.recipient.in_(language), one.stage.in_(language)]
    if one.due is not None:
        local = dt.datetime.fromtimestamp(one.due / 1000, ZoneInfo(one.timezone))
        parts.append(
            f"by {local:%Y-%m-%d %H:%M} {one.timezone} ({one.within}{', own line' if one.own_line else ''})"
        )
        if one.state in ("due", "soon"):
            parts.append(f"{_hours(one.due - now)} left")
    if one.late_ms:
        parts.append(f"{_hours(one.late_ms)} late")
    if one.needs:
        parts.append(f"find out: {', '.join(one.needs)}")
    if not one.published:
        parts.append("holidays of that year are not official yet")
    if one.reason:
        parts.append(one.reason)
    return " · ".join(parts)


def _hours(ms: int) -> str:
    minutes = -(-ms // 60_000)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _draft(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.notices.drafting import draft_notice

    language = args.language or settings.console.language
    made = draft_notice(args.id, _facts(args, settings, language), settings.notices, language)
    told: dict[str, Any] = made._asdict()
    if args.out is not None:
        args.out.write_text(made.text, encoding="utf-8")
        told = {**told, "file": str(args.out)}
    elif not args.json:
        sys.stdout.write(made.text)
    if args.json:
        showing.show(told, "notice draft", as_json=True)
    elif made.missing:
        showing.say(f"not ready, it lacks: {', '.join(made.missing)}")
    return 0


def _sent(args: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from alerts.notices.drafting import draft_notice
    from alerts.notices.sending import record_sent
    from alerts.response.acts import NoticeSent
    from dataflow.store_access import response_of

    actor, role = options.who_of(args, settings)
    now, language = time.time_ns() // 1_000_000, args.language or settings.console.language
    facts, at = _facts(args, settings, language), None if args.at is None else options.moment_of(args.at)
    if args.incident is None:
        sent = record_sent(
            _store(settings), args.id, facts, settings.notices, actor=actor, role=role, now=now, sent_at=at,
            language=language, reason=args.reason,
        )  # fmt: skip
        told = msgspec.to_builtins(sent)
    else:
        draft = draft_notice(args.id, facts, settings.notices, language)
        core, clock = response_of(settings)
        core.perform(
            NoticeSent(
                incident=args.incident, actor=actor, role=role, reason=args.reason, deadline=args.id, digest=draft.digest,
                missing=draft.missing, at=at,
            ),
            clock,
        )  # fmt: skip
        told = msgspec.to_builtins(core.incident(args.incident).notices[args.id])
    showing.show({"id": args.id, **told}, "notice sent", as_json=args.json)
    return 0


def _waive(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.notices.deadlines import known
    from alerts.notices.sending import record_waived
    from alerts.response.acts import NoticeNotApplicable
    from dataflow.store_access import response_of

    actor, role = options.who_of(args, settings)
    known(args.id)
    facts, now = _facts(args, settings), time.time_ns() // 1_000_000
    if args.incident is None:
        record_waived(
            _store(settings), args.id, facts.incident, actor=actor, role=role, now=now, reason=args.reason,
            again=args.again,
        )  # fmt: skip
    else:
        core, clock = response_of(settings)
        core.perform(
            NoticeNotApplicable(
                incident=args.incident, actor=actor, role=role, reason=args.reason, deadline=args.id, owed=args.again
            ),
            clock,
        )  # fmt: skip
    told = {"id": args.id, "incident": facts.incident, "owed": args.again, "reason": args.reason}
    showing.show(told, "notice waive", as_json=args.json)
    return 0
