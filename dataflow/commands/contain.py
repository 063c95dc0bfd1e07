"""`tidegate contain`: propose a containment, try it, put it in force with a second person, undo it."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.emergency.plan import Plan
    from alerts.emergency.presets import Proposal
    from alerts.response.clock import Clock
    from alerts.response.core import ResponseCore
    from alerts.response.measure import Measure
    from dataflow.settings import Settings

NAME = "contain"
HELP = "contain a surge in the running stream: propose, dry-run, approve, refuse, undo, list"
VERBS = ("suspend", "step_up", "hold", "limit", "hold_payouts", "freeze", "rules_only", "rollback")
LOOK_S = 0.02


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "list what waits for approval or is in force"
    listing = verbs.add_parser("list", help=text, description=text)
    listing.add_argument("--all", action="store_true", help="also what is over")
    text = (
        "say what it would have stopped among the newest decisions, good payments above all; changes nothing"
    )
    dry = verbs.add_parser("dry-run", help=text, description=text)
    text = "propose a measure; in force at once if it is narrow and stops little, else a second person approves it"
    propose = verbs.add_parser("propose", help=text, description=text)
    for verb in (dry, propose):
        verb.add_argument("what", choices=VERBS, help="what payments in scope get")
        verb.add_argument(
            "--scope", action="append", default=[], metavar="KEY=VALUE",
            help="corridor, partner, merchant, bin, device, card, customer, payee, party, ip, channel, issuer_country;"
            " repeat it to narrow, leave it out for the whole service",
        )  # fmt: skip
        verb.add_argument("--above-usd", type=float, metavar="N", help="limit: hold payments above this")
    dry.add_argument("--hours", type=float, metavar="N", help="look back so far (default 24)")
    propose.add_argument("--minutes", type=int, metavar="N", help="how long (default 60); then it is undone")
    propose.add_argument("--incident", metavar="ID", help="the incident it belongs to")
    propose.add_argument("--model", default="", metavar="VERSION", help="rollback: the snapshot to serve")
    text = "propose a measure that the plan of an incident has prepared; without PRESET: list them"
    preset = verbs.add_parser("preset", help=text, description=text)
    preset.add_argument("incident", metavar="INCIDENT", help="the incident it belongs to")
    preset.add_argument("preset", metavar="PRESET", nargs="?", help="its id in the plan")
    preset.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the incident's own scope does not say",
    )
    preset.add_argument("--model", default="", metavar="VERSION", help="rollback: the snapshot to serve")
    text = "put a proposal in force; another person than who proposed it, where two are needed"
    approve = verbs.add_parser("approve", help=text, description=text)
    text = "turn a proposal down"
    refuse = verbs.add_parser("refuse", help=text, description=text)
    text = "end a measure before its time"
    undo = verbs.add_parser("undo", help=text, description=text)
    for verb in (approve, refuse, undo):
        verb.add_argument("id", metavar="ID", help="of the measure, as `contain list` shows it")
    for verb in (propose, refuse, undo):
        verb.add_argument("--reason", required=True, help="why; it stands in the audit chain")
    preset.add_argument("--reason", default="", help="why (default: what the plan says of it)")
    approve.add_argument("--reason", default="", help="what speaks for it")
    for verb in (propose, preset, approve):
        verb.add_argument(
            "--wait", type=float, default=10.0, metavar="S",
            help="wait so long for the flow to take it (default 10; 0: do not wait)",
        )  # fmt: skip
    for verb in (listing, dry, propose, preset, approve, refuse, undo):
        if verb not in (listing, dry):
            options.add_who(verb)
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Do what is asked and show the measure; 1 when the flow did not take it in time."""
    from dataflow.store_access import response_of

    settings = options.settings_of(args)
    core, clock = response_of(settings)
    title = f"contain {args.verb}"
    if args.verb == "list":
        return _list(core, args)
    if args.verb == "dry-run":
        radius = core.dry_run(args.what, scope_of(args.scope), args.above_usd, args.hours)
        showing.show(_told(radius), title, as_json=args.json)
        if radius.covered == 0:
            showing.say(
                f"tidegate: NOTHING IS COVERED: none of {radius.decisions:,} decisions looked at is in this scope; "
                "is it written as payments carry it? A measure on it would stop nothing"
            )
        return 0
    actor, role = options.who_of(args, settings)
    if args.verb == "preset" and args.preset is None:
        return _presets(core, settings, args)
    if args.verb == "preset":
        what, reason = _prepared(core, settings, args)
        one, _ = core.propose(
            what.verb, what.scope, args.reason or reason, actor, role, clock, minutes=what.minutes,
            above_usd=what.above_usd, model=args.model, incident=args.incident,
        )  # fmt: skip
    elif args.verb == "propose":
        one, _ = core.propose(
            args.what, scope_of(args.scope), args.reason, actor, role, clock, minutes=args.minutes,
            above_usd=args.above_usd, model=args.model, incident=args.incident,
        )  # fmt: skip
    elif args.verb == "approve":
        core.approve(args.id, actor, role, clock, args.reason)
        one = core.measure(args.id)
    else:
        one = _end(core, args, actor, role, clock)
    taken = _taken(core, one, args.wait) if one.state == "in_force" else None
    told = _told(one)
    if taken is not None and one.approved_at is not None:
        told |= {"effective_at": taken, "effective_after_s": round((taken - one.approved_at) / 1000, 3)}
    showing.show(told, title, as_json=args.json)
    if one.state == "in_force" and taken is None and args.wait > 0:
        showing.say(
            f"tidegate: the flow has not taken {one.id} within {args.wait:g} s; it lies in the control lane: "
            "is the scorer running? `tidegate status` tells"
        )
        return 1
    return 0


def _plan(core: ResponseCore, settings: Settings, id_: str) -> tuple[Plan, dict[str, str]]:
    """The plan an incident follows, and the incident's scope."""
    incident = core.incident(id_)
    if incident.plan is None:
        raise SettingsError(f"{id_} follows no plan: none was in force when it was opened")
    return settings.emergency.book().plan(incident.plan.id, incident.plan.version), incident.scope


def _presets(core: ResponseCore, settings: Settings, args: argparse.Namespace) -> int:
    plan, _ = _plan(core, settings, args.incident)
    if args.json:
        showing.show({"plan": plan.id, "presets": [_told(one) for one in plan.containment]}, "", as_json=True)
        return 0
    for one in plan.containment:
        text = one.text.in_(settings.console.language)
        needs = f", takes {', '.join(one.scope_from)} from the incident" if one.scope_from else ""
        print(f"{one.id}: {one.verb.replace('_', ' ')} for {one.minutes} min{needs}: {text}")
    return 0


def _prepared(core: ResponseCore, settings: Settings, args: argparse.Namespace) -> tuple[Proposal, str]:
    """What the preset proposes in this incident, and the plan's words for it."""
    from alerts.emergency.presets import proposal

    plan, scope = _plan(core, settings, args.incident)
    found = next((one for one in plan.containment if one.id == args.preset), None)
    if found is None:
        there = ", ".join(one.id for one in plan.containment)
        raise SettingsError(f"plan {plan.id} {plan.version} has no preset {args.preset!r}: {there}")
    return proposal(found, {**scope, **scope_of(args.scope)}), found.text.in_(settings.console.language)


def scope_of(given: list[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs as a scope. SettingsError for anything else."""
    scope = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            raise SettingsError(f"--scope {pair!r}: give KEY=VALUE, as in --scope corridor=CN\\>US")
        if key in scope:
            raise SettingsError(f"--scope {key} is given twice: one measure has one {key}")
        scope[key] = value
    return scope


def _end(core: ResponseCore, args: argparse.Namespace, actor: str, role: str, clock: Clock) -> Measure:
    one = core.measure(args.id)
    wanted = "proposed" if args.verb == "refuse" else "in_force"
    if one.state != wanted:
        other = "undo" if one.state == "in_force" else "refuse" if one.state == "proposed" else ""
        remedy = f"use `contain {other}`" if other else "there is nothing to end"
        raise SettingsError(f"{one.id} is {one.state.replace('_', ' ')}: {remedy}")
    core.end(args.id, actor, role, args.reason, clock)
    return core.measure(args.id)


def _taken(core: ResponseCore, one: Measure, wait_s: float) -> int | None:
    """When the flow took the measure, ms; None if it has not while we waited."""
    until = time.monotonic() + wait_s
    while True:
        found = core.store.effects([one.control_id])
        if found or time.monotonic() >= until:
            return found.get(one.control_id)
        time.sleep(LOOK_S)


def _told(value: object) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(value)
    return told


def _list(core: ResponseCore, args: argparse.Namespace) -> int:
    found = core.measures(live=not args.all)
    if args.json:
        showing.show({"measures": [_told(one) for one in found]}, "", as_json=True)
        return 0
    for one in found:
        stops = "" if one.radius is None else f", dry run: {one.radius.good:,.1f} good payments stopped"
        by = f"proposed by {one.proposed_by}" + (
            f", approved by {one.approved_by}" if one.approved_by else ""
        )
        print(f"{one.id} {one.state.replace('_', ' ')}: {one.text}, {one.minutes} min, {by}{stops}")
    if not found:
        print("no containment waits or is in force")
    return 0
