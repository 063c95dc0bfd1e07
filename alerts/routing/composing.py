"""Items become intents: one message a receiver, within its rate; what is over it is counted in a summary. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from alerts.routing.change import Change
from alerts.routing.intent import TOP, Intent, Says, message_id
from alerts.routing.judging import Item, note_held_back, note_sent
from alerts.routing.plan import Plan
from alerts.routing.reasons import (
    Escalated,
    Fallback,
    FirstNotification,
    NewAlerts,
    Sending,
    StormSummary,
    Worsened,
    code,
)
from alerts.routing.state import Group, RouterState, Storm, Tracked

_WEIGHT = (Escalated, Fallback, FirstNotification, Worsened, NewAlerts)


class Draft:
    """An intent before its receiver's rate is asked, with the items it is made of."""

    def __init__(self, intent: Intent, items: Sequence[Item]) -> None:
        self.intent, self.items = intent, items


def drafts_of(plan: Plan, group: Group, items: Iterable[Item], now: int) -> list[Draft]:
    """One draft for each receiver and kind of news."""
    parcels: dict[tuple[str, Says], list[Item]] = {}
    for item in items:
        parcels.setdefault((item.receiver, item.says), []).append(item)
    if not parcels:
        return []
    group.pages += 1
    page = f"{group.key}.{group.created}.{group.pages}"
    drafts = []
    for (receiver, says), parcel in parcels.items():
        parts = [(item.subject.change.key, item.what) for item in parcel]
        changes = [item.subject.change for item in parcel]
        intent = Intent(
            id=message_id(plan.receivers[receiver].known_as, parts),
            receiver=receiver,
            page=page if says == "open" else f"{page}.{says}",
            at=now,
            reason=_strongest(item.shown for item in parcel),
            says=says,
            thread=f"{group.key}.{group.created}",
            group=group.labels,
            subjects=worst(changes),
            counts=dict(Counter(change.severity for change in changes)),
            total=len(changes),
        )
        group.threads[receiver] = says
        # Kept at once: two groups that are due in the same moment must not tell a receiver the same.
        for item in parcel:
            note_sent(item, intent.id, item.shown, now)
        drafts.append(Draft(intent, parcel))
    return drafts


def to_fallback(plan: Plan, intent: Intent, subjects: Iterable[Tracked], now: int) -> Draft:
    """The page that every receiver failed to take, to the fallback; `subjects` are kept as told."""
    reason = Fallback("every_receiver_failed")
    id_ = message_id(plan.receivers[plan.fallback].known_as, [(intent.id, "fallback")])
    items = [Item(subject, plan.fallback, reason, "open") for subject in subjects]
    for item in items:
        note_sent(item, id_, reason, now)
    return Draft(
        msgspec.structs.replace(intent, id=id_, receiver=plan.fallback, page=id_, at=now, reason=reason),
        items,
    )


def worst(changes: Iterable[Change]) -> list[Change]:
    """The TOP worst, in a fixed order."""
    return sorted(changes, key=lambda change: (change.severity, change.key))[:TOP]


def _strongest(reasons: Iterable[Sending]) -> Sending:
    found = list(dict.fromkeys(reasons))
    for kind in _WEIGHT:
        for reason in found:
            if isinstance(reason, kind):
                return reason
    return found[0]


def released(plan: Plan, state: RouterState, drafts: list[Draft], now: int) -> list[Intent]:
    """What goes out now, worst first: summaries that are due, and drafts within their receivers' rates."""
    out = [summary for receiver in list(state.wide.storms) if (summary := _ended(plan, state, receiver, now))]
    for draft in sorted(drafts, key=lambda d: (d.intent.worst, d.intent.id)):
        intent, spec = draft.intent, plan.receivers[draft.intent.receiver]
        most = spec.most()
        # The end of a thread is not held back: without it the on-call service would go on paging.
        if most is None or (spec.threaded and intent.says != "open"):
            out.append(intent)
            continue
        storm = state.wide.storms.get(intent.receiver)
        if storm is None:
            storm = state.wide.storms[intent.receiver] = Storm(now)
        if storm.used < most[0] and not storm.total:
            storm.used += 1
            out.append(intent)
            continue
        _hold(storm, draft, summary_id(plan, intent.receiver, storm))
    return out


def _hold(storm: Storm, draft: Draft, summary: str) -> None:
    for item in draft.items:
        note_held_back(item, summary, StormSummary(code(item.shown)))
    intent = draft.intent
    storm.total += intent.total
    name = code(intent.reason)
    storm.kinds[name] = storm.kinds.get(name, 0) + 1
    for severity, count in intent.counts.items():
        storm.counts[severity] = storm.counts.get(severity, 0) + count
    storm.subjects = worst({change.key: change for change in (*storm.subjects, *intent.subjects)}.values())


def summary_id(plan: Plan, receiver: str, storm: Storm) -> str:
    """The id the summary of this window will have."""
    return message_id(plan.receivers[receiver].known_as, [("storm", str(storm.start))])


def storm_end(plan: Plan, state: RouterState) -> int | None:
    """When the next summary is due; None: nothing is held back."""
    ends = [
        _window_end(plan, receiver, storm) for receiver, storm in state.wide.storms.items() if storm.total
    ]
    return min(ends, default=None)


def _window_end(plan: Plan, receiver: str, storm: Storm) -> int:
    spec = plan.receivers.get(receiver)
    most = spec.most() if spec else None
    return storm.start + most[1] if most else storm.start


def _ended(plan: Plan, state: RouterState, receiver: str, now: int) -> Intent | None:
    storm = state.wide.storms[receiver]
    if now < _window_end(plan, receiver, storm):
        return None
    del state.wide.storms[receiver]
    # A receiver that a reload took away while something was held for it: the fallback hears it.
    to = receiver if receiver in plan.receivers else plan.fallback
    if not storm.total or not to:
        return None
    if plan.receivers[to].most():
        state.wide.storms[to] = Storm(now, used=1)
    known_as = plan.receivers[receiver].known_as if receiver in plan.receivers else receiver
    id_ = message_id(known_as, [("storm", str(storm.start))])
    return Intent(
        id=id_,
        receiver=to,
        page=id_,
        at=now,
        reason=StormSummary(max(storm.kinds, key=lambda kind: (storm.kinds[kind], kind))),
        thread=f"storm.{to}",
        subjects=storm.subjects,
        counts=storm.counts,
        total=storm.total,
        kinds=storm.kinds,
    )
