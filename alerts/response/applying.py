"""What an act changes in an incident. Pure: an act that is not allowed in its present state raises IncidentError."""

from __future__ import annotations

import datetime as dt

import msgspec

from alerts.notices.of_incident import check_facts
from alerts.response.acts import (
    Acknowledge,
    ActionDone,
    AddAction,
    AnyAct,
    Assign,
    Attach,
    Decide,
    DecidePlan,
    Handover,
    Know,
    Move,
    Note,
    NoticeNotApplicable,
    NoticeSent,
    Regrade,
    Situation,
    StepDone,
    WriteReview,
)
from alerts.response.incident import KEPT_ALERTS, Done, Entry, Fact, Incident, Page, Sent, noted
from alerts.response.phases import ENDS, LIVE, check_move
from alerts.response.review import SECTIONS, PlanDecision, Review, check_complete
from models.errors import IncidentError

AFTERWARDS = (ActionDone, NoticeSent, NoticeNotApplicable)
"""What may also be said once it has ended: a final report to an authority can be due a month later."""


def applied(incident: Incident, act: AnyAct, now: int) -> Incident:
    """The incident after the act. Raises IncidentError when it is not allowed now."""
    if incident.phase in ENDS and not isinstance(act, AFTERWARDS):
        raise IncidentError(
            f"{incident.id} is {incident.phase}: what comes now is a new incident",
            zh=f"{incident.id} 已处于 {incident.phase}：之后发生的属于新事件",
        )
    reason = act.reason.strip()
    entry = Entry(at=now, actor=act.actor, kind=str(act.__struct_config__.tag), text=reason)
    match act:
        case Move():
            return _moved(incident, act, entry, now)
        case Acknowledge():
            return _acknowledged(incident, act, entry, now)
        case Handover():
            _needs(reason, "a handover says what the next one must know", "交接须写明下一位须知的内容")
            if incident.commander == act.to:
                raise IncidentError(f"{act.to} has the command already", zh=f"{act.to} 已是总指挥")
            return noted(incident, _with(entry, to=act.to), commander=act.to)
        case Assign():
            kept = [page for page in incident.team if page.role != act.page]
            page = Page(role=act.page, at=now, acknowledged_at=now, by=act.person)
            commander = act.person if act.page == "incident_commander" else incident.commander
            entry = _with(entry, role=act.page, person=act.person)
            return noted(incident, entry, team=[*kept, page], commander=commander)
        case Note():
            _needs(reason, "a note has a text", "记录须有内容")
            return noted(incident, entry)
        case Attach():
            if incident.phase not in LIVE:
                raise IncidentError(
                    f"{incident.id} is in {incident.phase}: what comes now is a new incident",
                    zh=f"{incident.id} 处于 {incident.phase}：之后发生的属于新事件",
                )
            if act.alert in incident.alert_ids:
                raise IncidentError(
                    f"{act.alert} belongs to {incident.id} already", zh=f"{act.alert} 已属于 {incident.id}"
                )
            return noted(
                incident, _with(entry, alert=act.alert), alert_count=incident.alert_count + 1,
                alert_ids=[*incident.alert_ids, act.alert][-KEPT_ALERTS:],
            )  # fmt: skip
        case Decide():
            _needs(reason and act.text.strip(), "a decision has a text and a reason", "决定须有内容与理由")
            return noted(incident, _with(entry, decision=act.text.strip()))
        case Situation():
            _needs(reason, "a situation report has a text", "态势报告须有内容")
            return noted(incident, entry, sitrep_at=now)
        case Regrade():
            _needs(reason, "say why the severity changes", "请说明改级理由")
            entry = _with(entry, before=incident.severity, after=act.severity)
            return noted(incident, entry, severity=act.severity, marks=[*incident.marks, "graded_by_hand"])
        case Know():
            return _known(incident, act, entry)
        case StepDone():
            return _step(incident, act, entry, now)
        case NoticeSent():
            if act.missing:
                _needs(
                    reason,
                    f"it lacks {', '.join(act.missing)}: say why it goes out all the same",
                    f"还缺 {', '.join(act.missing)}：请说明为何仍要发出",
                )
            at = now if act.at is None else act.at
            if at > now:
                raise IncidentError(
                    f"{act.deadline} cannot have gone out at a time that is yet to come",
                    zh=f"{act.deadline} 的发出时间不能在将来",
                )
            sent = Sent(at=at, by=act.actor, digest=act.digest, missing=act.missing, reason=reason)
            if act.deadline in incident.notices:
                raise IncidentError(
                    f"{act.deadline} was sent already; write a note about a correction",
                    zh=f"{act.deadline} 已发出；如有更正请写记录",
                )
            notices = {**incident.notices, act.deadline: sent}
            entry = _with(entry, deadline=act.deadline, digest=act.digest, sent_at=at)
            return noted(incident, entry, notices=notices)
        case NoticeNotApplicable():
            _needs(reason, "say why the notice is owed or not", "请说明为何须（或无须）通报")
            others = {k: v for k, v in incident.not_applicable.items() if k != act.deadline}
            marked = others if act.owed else {**others, act.deadline: reason}
            return noted(incident, _with(entry, deadline=act.deadline, owed=act.owed), not_applicable=marked)
        case _:
            return _reviewed(incident, act, entry)


def _moved(incident: Incident, act: Move, entry: Entry, now: int) -> Incident:
    if incident.phase == "review" and act.to == "closed":
        check_complete(incident.review)
        raise IncidentError(
            "the review is complete: go to phase plan_update, then close",
            zh="复盘已完成：请先进入 plan_update 阶段，再关闭",
        )
    check_move(incident.phase, act.to)
    if act.to == "dismissed":
        _needs(act.reason.strip(), "a dismissal says why it was none", "排除须说明理由")
    changes: dict[str, object] = {"phase": act.to}
    if act.to == "declare":
        changes["declared_at"] = now
    if act.to == "recover":
        changes["recovered_at"] = now
    if act.to in ENDS:
        changes["ended_at"] = now
    if act.to == "closed":
        check_complete(incident.review)
    if incident.phase == "recover" and act.to in ("contain", "investigate"):
        changes["recovered_at"] = None
    return noted(incident, _with(entry, before=incident.phase, after=act.to), **changes)


def _acknowledged(incident: Incident, act: Acknowledge, entry: Entry, now: int) -> Incident:
    waiting = [page.role for page in incident.team if page.acknowledged_at is None]
    if act.page and act.page not in [page.role for page in incident.team]:
        raise IncidentError(
            f"{act.page!r} was not paged; waiting are {', '.join(waiting) or 'none'}",
            zh=f"{act.page!r} 未被呼叫；等待响应的有：{', '.join(waiting) or '无'}",
        )
    if incident.acknowledged_at is not None and (not act.page or act.page not in waiting):
        raise IncidentError(f"{incident.id} is acknowledged already", zh=f"{incident.id} 已确认")
    role = act.page or next(iter(waiting), "")
    team = [
        msgspec.structs.replace(page, acknowledged_at=now, by=act.actor) if page.role == role else page
        for page in incident.team
    ]
    first = now if incident.acknowledged_at is None else incident.acknowledged_at
    return noted(
        incident, _with(entry, role=role), team=team, acknowledged_at=first,
        commander=incident.commander or act.actor,
    )  # fmt: skip


def _known(incident: Incident, act: Know, entry: Entry) -> Incident:
    given = {k: v for k, v in msgspec.structs.asdict(act.impacts).items() if v is not None}
    if not given and not act.facts:
        raise IncidentError("give at least one fact or impact", zh="请至少填写一项事实或影响")
    check_facts(act.facts)
    impacts = msgspec.structs.replace(incident.impacts, **given)
    facts = {**incident.facts, **act.facts}
    return noted(incident, _with(entry, **act.facts, **given), facts=facts, impacts=impacts)


def _step(incident: Incident, act: StepDone, entry: Entry, now: int) -> Incident:
    there = incident.plan.steps if incident.plan is not None else []
    if there and act.step not in there:
        plan = f"{incident.plan.id} {incident.plan.version}" if incident.plan is not None else ""
        raise IncidentError(
            f"plan {plan} has no step {act.step!r}: {', '.join(there)}",
            zh=f"预案 {plan} 没有步骤 {act.step!r}：{', '.join(there)}",
        )
    done = incident.steps.get(act.step)
    if act.verify:
        if done is None:
            raise IncidentError(
                f"step {act.step} is not done yet: it cannot be verified",
                zh=f"步骤 {act.step} 尚未完成，不能核验",
            )
        if done.by == act.actor:
            raise IncidentError(
                f"step {act.step} was done by {act.actor}: another person verifies it",
                zh=f"步骤 {act.step} 由 {act.actor} 完成：须由另一人核验",
            )
        after = msgspec.structs.replace(done, verified_by=act.actor)
    else:
        if done is not None:
            raise IncidentError(
                f"step {act.step} was done already, by {done.by}", zh=f"步骤 {act.step} 已由 {done.by} 完成"
            )
        after = Done(at=now, by=act.actor)
    steps = {**incident.steps, act.step: after}
    return noted(incident, _with(entry, step=act.step, verified=act.verify), steps=steps)


def _reviewed(
    incident: Incident, act: WriteReview | AddAction | ActionDone | DecidePlan, entry: Entry
) -> Incident:
    review = incident.review
    if isinstance(act, ActionDone):
        return _action_done(incident, act, entry)
    if review is None or incident.phase not in ("review", "plan_update"):
        raise IncidentError(
            f"the review is written in phase review, {incident.id} is in {incident.phase}",
            zh=f"复盘在复盘阶段填写，{incident.id} 处于 {incident.phase}",
        )
    match act:
        case WriteReview():
            if act.section not in SECTIONS:
                raise IncidentError(
                    f"there is no section {act.section!r}: {', '.join(SECTIONS)}",
                    zh=f"没有此章节 {act.section!r}：{', '.join(SECTIONS)}",
                )
            review = msgspec.structs.replace(review, sections={**review.sections, act.section: act.text})
            entry = _with(entry, section=act.section)
        case AddAction():
            _needs(act.action.owner.strip(), "an action has an owner", "整改项须有负责人")
            _needs(act.action.text.strip(), "an action says what is to be done", "整改项须写明要做什么")
            _day(act.action.due)
            others = [one for one in review.actions if one.id != act.action.id]
            review = msgspec.structs.replace(review, actions=[*others, act.action])
            entry = _with(entry, action=act.action.id, owner=act.action.owner, due=act.action.due)
        case DecidePlan():
            review = _decided(review, act.decision)
            entry = _with(entry, outcome=act.decision.outcome, version=act.decision.version)
    return noted(incident, entry, review=review)


def _action_done(incident: Incident, act: ActionDone, entry: Entry) -> Incident:
    review = incident.review or Review()
    there = [one.id for one in review.actions if one.done is None]
    if act.action not in there:
        open_ones = ", ".join(there) or "none"
        raise IncidentError(
            f"{incident.id} has no open action {act.action!r}; open are: {open_ones}",
            zh=f"{incident.id} 没有未完成的整改项 {act.action!r}；未完成的有：{open_ones}",
        )
    actions = [
        msgspec.structs.replace(one, done=_day(act.day)) if one.id == act.action else one
        for one in review.actions
    ]
    after = msgspec.structs.replace(review, actions=actions)
    return noted(incident, _with(entry, action=act.action, day=act.day), review=after)


def _day(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise IncidentError(
            f"{text!r} is no day: give it as YYYY-MM-DD", zh=f"{text!r} 不是日期：请写 YYYY-MM-DD"
        ) from None


def _decided(review: Review, decision: PlanDecision) -> Review:
    _needs(decision.reason.strip(), "a plan decision says why", "预案决定须有理由")
    if decision.outcome == "changed":
        _needs(
            decision.version.strip(),
            "name the version of the plan that brings the change",
            "请填写落实变更的预案版本",
        )
        known = {action.id for action in review.actions}
        unknown = [id_ for id_ in decision.actions if id_ not in known]
        if unknown or not decision.actions:
            there = ", ".join(sorted(known)) or "none yet"
            raise IncidentError(
                f"a change of plan answers actions of the review; there are: {there}",
                zh=f"预案变更须对应复盘的整改项；现有：{there}",
            )
    return msgspec.structs.replace(review, plan_decision=decision)


def _with(entry: Entry, **facts: Fact) -> Entry:
    return msgspec.structs.replace(entry, facts=facts)


def _needs(given: object, message: str, zh: str) -> None:
    if not given:
        raise IncidentError(message, zh)
