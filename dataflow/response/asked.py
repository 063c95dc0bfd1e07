"""Acts in an incident from the arguments of `tidegate incident`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from alerts.response import acts
from alerts.response.incident import Fact, Impacts
from alerts.response.kinds import BY_ID
from alerts.response.phases import Phase
from alerts.response.review import Action, PlanDecision
from dataflow.commands.contain import scope_of
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.response.clock import Clock
    from alerts.response.core import ResponseCore


def declare(core: ResponseCore, args: argparse.Namespace, actor: str, role: str, clock: Clock) -> str:
    """Declare an incident; its id."""
    if args.kind not in BY_ID:
        raise SettingsError(f"there is no kind {args.kind!r}: choose from {', '.join(BY_ID)}")
    incident, _ = core.declare(
        args.kind, scope_of(args.scope), actor, role, args.reason, clock, urgency=args.urgency, alerts=args.alert,
        exposed_usd=args.exposed_usd, rate=args.rate,
    )  # fmt: skip
    return incident.id


def act_of(args: argparse.Namespace, actor: str, role: str, now: int) -> acts.AnyAct:
    """The act that was asked for. now: ms."""
    who = {"incident": args.id, "actor": actor, "role": role, "reason": args.reason}
    match args.verb:
        case "ack":
            return acts.Acknowledge(**who, page=args.page)
        case "assign":
            return acts.Assign(**who, page=args.page, person=args.person)
        case "phase":
            return acts.Move(**who, to=_phase(args.to))
        case "close":
            return acts.Move(**who, to="closed")
        case "note":
            return acts.Note(**who)
        case "attach":
            return acts.Attach(**who, alert=args.alert)
        case "decide":
            return acts.Decide(**who, text=args.text)
        case "report":
            return acts.Situation(**who)
        case "grade":
            return acts.Regrade(**who, severity=args.severity)
        case "know":
            return acts.Know(**who, facts=_facts(args.fact), impacts=_impacts(args))
        case "step":
            return acts.StepDone(**who, step=args.step, verify=args.verify)
        case "handover":
            return acts.Handover(**who, to=args.to)
        case "write":
            # What a section says is the reason of the act.
            return acts.WriteReview(**{**who, "reason": ""}, section=args.section, text=args.reason)
        case "action":
            new = Action(id=args.action, text=args.text, owner=args.owner, due=args.due)
            return acts.AddAction(**who, action=new)
        case "done":
            return acts.ActionDone(**who, action=args.action, day=args.day)
        case _:
            decision = PlanDecision(
                outcome=args.outcome, reason=args.reason, by=actor, at=now, version=args.plan_version,
                actions=args.answers,
            )  # fmt: skip
            return acts.DecidePlan(**who, decision=decision)


def _phase(text: str) -> Phase:
    name = text.replace("-", "_")
    for phase in get_args(Phase):
        if phase == name:
            return phase  # type: ignore[no-any-return]
    raise SettingsError(f"there is no phase {text!r}: choose from {', '.join(get_args(Phase))}")


def _impacts(args: argparse.Namespace) -> Impacts:
    found = Impacts(
        customers=args.customers, records=args.records, loss_usd=args.loss_usd, outage_min=args.outage_min,
        payments_failed=args.payments_failed,
    )  # fmt: skip
    for name in ("customers", "records", "loss_usd", "outage_min", "payments_failed"):
        value = getattr(found, name)
        if value is not None and not 0 <= value < 1e15:
            raise SettingsError(f"--{name.replace('_', '-')} is {value}: give a number of 0 or more")
    return found


def _facts(given: list[str]) -> dict[str, Fact]:
    """`NAME=VALUE` pairs; true, false and numbers become what they are."""
    facts: dict[str, Fact] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"--fact {pair!r}: give NAME=VALUE")
        facts[name] = _fact(value)
    return facts


def _fact(text: str) -> Fact:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
