"""`tidegate incident`: list and follow incidents, act in them, review them, take their evidence out."""

from __future__ import annotations

import argparse
from pathlib import Path

from dataflow.commands import options, showing

NAME = "incident"
HELP = "follow incidents: list, declare, acknowledge, lead, report, review, close, evidence"
NEEDS_REASON = {
    "note": "what was seen or done", "decide": "why it was decided", "report": "the situation report",
    "handover": "what the next one must know", "grade": "why", "declare": "what happened",
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")

    def add(name: str, text: str, *, id_: bool = True) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text)
        if id_:
            verb.add_argument("id", metavar="ID", help="of the incident, as `incident list` shows it")
        options.add_config(verb)
        options.add_json(verb)
        return verb

    def act(name: str, text: str, *, id_: bool = True) -> argparse.ArgumentParser:
        verb = add(name, text, id_=id_)
        options.add_who(verb)
        if name in NEEDS_REASON:
            verb.add_argument("--reason", required=True, metavar="TEXT", help=NEEDS_REASON[name])
        else:
            verb.add_argument("--reason", default="", metavar="TEXT", help="why")
        return verb

    listing = add("list", "list incidents, those at work first", id_=False)
    listing.add_argument("--all", action="store_true", help="also what has ended")
    add("show", "show one with its timeline, clocks and measures")
    declare = act("declare", "declare one by hand", id_=False)
    declare.add_argument("kind", help="its kind, as docs/incidents.md lists them")
    declare.add_argument("--scope", action="append", default=[], metavar="KEY=VALUE", help="what it is about")
    declare.add_argument("--urgency", choices=("low", "medium", "high", "critical"), help="how fast it grows")
    declare.add_argument("--alert", action="append", default=[], metavar="ID", help="an alert it began with")
    declare.add_argument("--exposed-usd", type=float, default=0.0, metavar="N", help="money exposed")
    declare.add_argument("--rate", type=float, default=1.0, metavar="SHARE", help="share of it that is lost")
    ack = act("ack", "acknowledge it")
    ack.add_argument("--page", default="", metavar="ROLE", help="for this role of the team")
    assign = act("assign", "give a role of the team to a person")
    assign.add_argument("page", metavar="ROLE", help="of the team")
    assign.add_argument("person", metavar="PERSON", help="who has it from now on")
    act("phase", "go on to another phase").add_argument(
        "to", metavar="PHASE", help="as docs/incidents.md lists them"
    )
    act("note", "write down what was seen or done")
    act("attach", "an alert belongs to it").add_argument("alert", metavar="ALERT", help="id of the alert")
    act("decide", "write a decision into the log").add_argument(
        "text", metavar="DECISION", help="what was decided"
    )
    act("report", "write a situation report")
    act("grade", "set the severity").add_argument(
        "severity", choices=("S1", "S2", "S3", "S4"), help="the severity"
    )
    know = act("know", "write down facts; impacts among them move the severity")
    know.add_argument(
        "--fact", action="append", default=[], metavar="NAME=VALUE", help="by the name notices ask for"
    )
    for name in ("customers", "records", "payments-failed"):
        know.add_argument(f"--{name}", type=int, metavar="N", help="how many")
    for name in ("loss-usd", "outage-min"):
        know.add_argument(f"--{name}", type=float, metavar="N", help="how much")
    step = act("step", "a step of the plan is done")
    step.add_argument("step", metavar="STEP", help="its id in the plan")
    step.add_argument(
        "--verify", action="store_true", help="it is looked at whether it worked, by another person"
    )
    act("handover", "hand the command over").add_argument(
        "to", metavar="PERSON", help="who leads from now on"
    )
    act("write", "write a section of the review").add_argument(
        "section", metavar="SECTION", help="its name, as `show` names what is missing"
    )
    action = act("action", "add an action to the review, or change it")
    action.add_argument("action", metavar="ACTION", help="a short name")
    action.add_argument("--text", required=True, help="what is to be done")
    action.add_argument("--owner", required=True, help="who sees to it")
    action.add_argument("--due", required=True, metavar="DAY", help="until when, YYYY-MM-DD")
    done = act("done", "an action is done")
    done.add_argument("action", metavar="ACTION", help="its short name")
    done.add_argument("day", metavar="DAY", help="YYYY-MM-DD")
    plan = act("plan", "decide what becomes of the emergency plan")
    plan.add_argument("outcome", choices=("changed", "unchanged"), help="whether it changes")
    plan.add_argument("--plan-version", default="", metavar="V", help="the version that brings the change")
    plan.add_argument("--answers", action="append", default=[], metavar="ACTION", help="an action it answers")
    act("close", "close it, when its review is complete")
    add("actions", "list what reviews have left to do", id_=False)
    evidence = add("evidence", "write its evidence into a file that proves any change, signed")
    evidence.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to write to (mode 0600)"
    )
    options.add_who(evidence)
    verify = add(
        "verify", "find and locate every change of an evidence file; exit code 1 if there is one", id_=False
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="as `evidence` wrote it")
    verify.add_argument(
        "--key", action="append", metavar="KEY",
        help="public key (base64) to trust, as `audit key` prints it; may be repeated (default: the key ring's)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do what is asked."""
    from alerts.redis_store import RedisStore
    from dataflow.response.evidence_file import verify, write
    from dataflow.response.shown import hearing, listed, shown, to_do
    from dataflow.store_access import address_of, response_of

    settings = options.settings_of(args)
    if args.verb == "verify":
        return verify(args, settings)
    core, clock = response_of(settings)
    if args.verb == "list":
        return listed(core, args)
    if args.verb == "show":
        return shown(core, args, clock.now, RedisStore(address_of(settings)).why(f"incident:{args.id}"))
    if args.verb == "actions":
        return to_do(core, args, clock.now)
    if args.verb == "evidence":
        return write(args, settings, core, clock.now)
    from dataflow.response.asked import act_of, declare

    actor, role = options.who_of(args, settings)
    if args.verb == "declare":
        id_ = declare(core, args, actor, role, clock)
    else:
        id_ = args.id
        core.perform(act_of(args, actor, role, clock.now), clock)
    told = core.incident(id_)
    heard = {"tells": hearing(settings, told, clock.now)} if args.verb == "declare" else {}
    showing.show(
        {"id": told.id, "kind": told.kind, "severity": told.severity, "phase": told.phase, "version": told.version,
         "commander": told.commander, **heard}, f"incident {args.verb}", as_json=args.json,
    )  # fmt: skip
    return 0
