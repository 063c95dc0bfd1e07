"""What people do in an incident, each act a value. applying.py says what it changes.

Whether the actor's role may ask for it at all is `right` in the table of alerts/rights.py.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from alerts.alert import Severity
from alerts.response.incident import Fact, Impacts
from alerts.response.phases import Phase
from alerts.response.review import Action, PlanDecision


class Act(msgspec.Struct, frozen=True, kw_only=True, tag_field="act"):
    """What every act has. reason: why, or the text itself where the act is a text."""

    right: ClassVar[str] = "incident.note"
    incident: str
    actor: str
    role: str
    reason: str = ""


class Acknowledge(Act, frozen=True, tag="acknowledge"):
    """Somebody answers the page; with `page` for that role of the team."""

    right: ClassVar[str] = "incident.acknowledge"
    page: str = ""


class Move(Act, frozen=True, tag="move"):
    """On to another phase."""

    right: ClassVar[str] = "incident.command"
    to: Phase


class Handover(Act, frozen=True, tag="handover"):
    """The command goes to another person at the end of a shift; reason: what that person must know."""

    right: ClassVar[str] = "incident.command"
    to: str


class Assign(Act, frozen=True, tag="assign"):
    """A role of the team goes to a person."""

    right: ClassVar[str] = "incident.command"
    page: str
    person: str


class Note(Act, frozen=True, tag="note"):
    """Something seen or done, written down."""


class Attach(Act, frozen=True, tag="attach"):
    """An alert belongs to it; reason: what speaks for that, if it has to be said."""

    alert: str


class Decide(Act, frozen=True, tag="decide"):
    """A decision for the log; reason: why it was taken, text: what."""

    right: ClassVar[str] = "incident.command"
    text: str


class Situation(Act, frozen=True, tag="situation"):
    """A situation report."""


class Regrade(Act, frozen=True, tag="regrade"):
    """A person sets the severity."""

    right: ClassVar[str] = "incident.command"
    severity: Severity


class Know(Act, frozen=True, tag="know"):
    """Facts become known, by the names the notices ask for; impacts among them move the severity."""

    facts: dict[str, Fact] = {}
    impacts: Impacts = Impacts()


class StepDone(Act, frozen=True, tag="step"):
    """A step of the plan is done; `verify`: it is looked at whether it worked, by another person than who did it."""

    right: ClassVar[str] = "incident.command"
    step: str
    verify: bool = False


class NoticeSent(Act, frozen=True, tag="notice_sent"):
    """A notice went out. missing: content it lacked; then a reason is needed. at: when, if not just now (ms)."""

    right: ClassVar[str] = "incident.notify"
    deadline: str
    digest: str
    missing: list[str] = []
    at: int | None = None


class NoticeNotApplicable(Act, frozen=True, tag="notice_not_applicable"):
    """A notice is not owed after all; or owed again."""

    right: ClassVar[str] = "incident.notify"
    deadline: str
    owed: bool = False


class WriteReview(Act, frozen=True, tag="write_review"):
    """Text of a section of the review."""

    right: ClassVar[str] = "incident.review"
    section: str
    text: str


class AddAction(Act, frozen=True, tag="add_action"):
    """Something to be done, with an owner and a due day; the same id again replaces it."""

    right: ClassVar[str] = "incident.review"
    action: Action


class ActionDone(Act, frozen=True, tag="action_done"):
    """An action of the review is done, also long after the incident has closed. day: YYYY-MM-DD."""

    right: ClassVar[str] = "incident.review"
    action: str
    day: str


class DecidePlan(Act, frozen=True, tag="decide_plan"):
    """What becomes of the emergency plan."""

    right: ClassVar[str] = "incident.review"
    decision: PlanDecision


AnyAct = (
    Acknowledge | Move | Handover | Assign | Note | Attach | Decide | Situation | Regrade | Know | StepDone
    | NoticeSent | NoticeNotApplicable | WriteReview | AddAction | ActionDone | DecidePlan
)  # fmt: skip
