"""The router: changes in, notifications out, on whatever clock it is given. Pure; its state is RouterState.

A subject enters the groups of the routes that take it. A group goes out `group_wait` after it began and then at
most every `group_interval`; what nobody acknowledges is repeated and escalated. Silences and incidents keep
subjects quiet, and everything that was not said stays in its group until it is said, acknowledged or resolved.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import msgspec

from alerts.routing.change import Change
from alerts.routing.composing import Draft, drafts_of, released, storm_end, to_fallback
from alerts.routing.groups import Groups
from alerts.routing.intent import Intent
from alerts.routing.judging import (
    Item,
    hush,
    next_timer,
    opens,
    told_of_acknowledgement,
    told_of_end,
)
from alerts.routing.muting import muted
from alerts.routing.plan import Plan
from alerts.routing.reasons import (
    Acknowledged,
    AcknowledgedNotice,
    Quiet,
    Resolved,
    ResolvedBefore,
)
from alerts.routing.silence import Silence, silence_notice
from alerts.routing.state import Group, RouterState, Seen, Tracked

DAY_MS = 24 * 3600 * 1000
KEEP_CLOSED_MS = 3 * DAY_MS
"""How long a resolved subject is remembered, so that it can be opened again and asked about; a notice for a day."""
KEEP_OPEN_MS = 14 * DAY_MS
"""How long an alert is remembered that nobody touches: it was repeated and escalated, and whoever acts on it later makes
it known again."""
AGAIN_MS = 60_000
_TAKEN = ("acknowledged", "snoozed")


class Router:
    """Decides who hears what, when and why. `state` is changed in place; save `state.changes()` after a step.

    With another plan than the one the state was made by, groups whose routes are still there keep their timers
    and members; what moves is not told to a receiver that has heard it. live_from: stream time before which alerts are
    history, which nobody is told of.
    """

    def __init__(self, plan: Plan, state: RouterState, now: int, live_from: int = 0) -> None:
        self.plan, self.state, self.live_from = plan, state, live_from
        self._groups = Groups(plan, state)
        self._silences: Sequence[Silence] = ()
        # (when to look, key): to forget it, if its time is over by then.
        self._ends = [(_keep_until(subject), key) for key, subject in state.tracked.items()]
        heapq.heapify(self._ends)
        if state.wide.plan != plan.digest:
            for subject in list(state.tracked.values()):
                if subject.groups or subject.closed_at is None:
                    self._groups.place(subject, now)
            state.wide.plan = plan.digest

    def step(
        self,
        now: int,
        changes: Iterable[Change] = (),
        silences: Sequence[Silence] | None = None,
        unheard: Iterable[Intent] = (),
    ) -> list[Intent]:
        """Take the changes in and return what is due at `now` (ms), worst first.

        silences: all that hold, are planned or ended lately; None: as before. unheard: pages that no receiver took.
        """
        drafts: list[Draft] = []
        if silences is not None:
            self._silences = silences
        for change in [*self._silences_at(now), *changes]:
            drafts += self._take(change, now)
        for intent in unheard:
            drafts += self._unheard(intent, now)
        for group in self._groups.due(now):
            drafts += self._go_out(group, now)
        self._forget(now)
        return released(self.plan, self.state, drafts, now)

    def due(self) -> int | None:
        """When the next step has something to do; None: not before something changes."""
        moments = [self._groups.next_due(), storm_end(self.plan, self.state)]
        for silence in self._silences:
            seen = self.state.wide.silences.get(silence.id)
            if seen and seen.active:
                moments.append(silence.ends_at)
                if not seen.warned:
                    moments.append(silence.ends_at - self.plan.silence_notice)
        return min((moment for moment in moments if moment is not None), default=None)

    def _take(self, change: Change, now: int) -> list[Draft]:
        subject = self.state.tracked.get(change.key)
        if subject is None:
            if change.state == "resolved":
                return []
            subject = self.state.tracked[change.key] = Tracked(change)
        else:
            was = subject.change
            if was.kind == "notice" and subject.closed_at:
                return []
            joins = change.incident is not None and change.incident != was.incident
            if change.version and change.version <= was.version:
                if not joins:
                    return []
                change = msgspec.structs.replace(was, incident=change.incident)
            elif change.incident is None and was.incident is not None:
                change = msgspec.structs.replace(change, incident=was.incident)
            worse = change.severity < was.severity
            if was.state == "resolved" and change.state != "resolved":
                subject.life, subject.closed_at = subject.life + 1, None
            elif was.state in _TAKEN and worse:
                # What was acknowledged was a lesser problem; this one nobody has taken yet. An alert says by itself
                # whether that is so: somebody may have taken it again, or snoozed it at this severity too.
                subject.life += 1
                if change.state == was.state and change.kind != "alert":
                    change = msgspec.structs.replace(change, state="open")
            subject.change = change
        self.state.touched.add(f"t:{change.key}")
        subject.seen = now
        heapq.heappush(self._ends, (_keep_until(subject), change.key))
        if change.state == "resolved":
            self._close(subject, now)
            if change.kind == "incident":
                self._groups.wake(now)
        self._groups.place(subject, now)
        if change.state not in _TAKEN:
            return []
        # Whoever else was paged stops as soon as somebody has taken it: that does not wait for the group.
        return [
            draft
            for key in list(subject.groups)
            for draft in self._process(self.state.groups[key], [change.key], now)
        ]

    def _unheard(self, intent: Intent, now: int) -> list[Draft]:
        """To the fallback, unless somebody has taken all of it meanwhile."""
        fallback = self.plan.fallback
        if not fallback or intent.receiver == fallback:
            return []
        keys = {change.key for change in intent.subjects}
        keys |= self._groups.members.get(intent.thread.partition(".")[0], set())
        told = [
            subject
            for key in sorted(keys)
            if (subject := self.state.tracked.get(key)) is not None
            and subject.change.state == "open"
            and (sent := subject.sent.get(intent.receiver)) is not None
            and sent.message == intent.id
        ]
        if not told and not intent.kinds and all(c.kind != "notice" for c in intent.subjects):
            return []
        self.state.touched.update(f"t:{subject.change.key}" for subject in told)
        return [to_fallback(self.plan, intent, told, now)]

    def _close(self, subject: Tracked, now: int) -> None:
        subject.closed_at = now
        heapq.heappush(self._ends, (_keep_until(subject), subject.change.key))

    def _forget(self, now: int) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, key = heapq.heappop(self._ends)
            subject = self.state.tracked.get(key)
            if subject is None or _keep_until(subject) > now:
                continue
            if subject.change.kind == "incident" and subject.closed_at is None:
                heapq.heappush(self._ends, (now + KEEP_OPEN_MS, key))
                continue
            for group in [self.state.groups[name] for name in subject.groups]:
                self._groups.leave(group, subject)
                self._groups.scheduled(group)
            del self.state.tracked[key]
            self.state.touched.add(f"t:{key}")

    def _go_out(self, group: Group, now: int) -> list[Draft]:
        everybody = group.timer_due is not None and group.timer_due <= now
        if group.flush_due is not None and group.flush_due <= now:
            group.flush_due, group.flushed = None, now
        keys = self._groups.members[group.key] if everybody else self._groups.pending[group.key]
        if everybody:
            group.timer_due = None
        return self._process(group, sorted(keys), now)

    def _process(self, group: Group, keys: Sequence[str], now: int) -> list[Draft]:
        """What these members of the group are due for; sets the group's timer and lets go of what has ended."""
        route = self.plan.routes[group.route]
        items: list[Item] = []
        news: list[Tracked] = []
        for key in keys:
            subject = self.state.tracked[key]
            state = subject.change.state
            receivers = list(self.plan.reached(route.notify, now))
            mute = self._mute(subject.change, now)
            if subject.groups[group.key].gone:
                news.append(subject)
                self._groups.leave(group, subject)
            elif state == "resolved":
                self._end(subject, receivers, mute, items, now)
                news.append(subject)
                self._groups.leave(group, subject)
            elif mute is not None:
                group.muted = True
                hush(subject, receivers, mute, now)
            elif state in _TAKEN:
                items += told_of_acknowledgement(self.plan, subject)
                hush(subject, receivers, Acknowledged(state), now)
                news.append(subject)
            else:
                items += opens(self.plan, route, group, subject, now)
                member = subject.groups[group.key]
                if subject.change.kind == "notice" and (member.since is not None or not route.notify):
                    # Said once: nobody can resolve it.
                    self._close(subject, now)
                    self._groups.leave(group, subject)
                elif (timer := next_timer(route, subject, group.key)) is not None:
                    # In the past: nobody is on call for it. Somebody may be later.
                    timer = timer if timer > now else now + AGAIN_MS
                    group.timer_due = min(timer, group.timer_due or timer)
            self._groups.settled(group, subject)
            self.state.touched.add(f"t:{key}")
        drafts = drafts_of(self.plan, group, [*items, *self._threads(group, news)], now)
        self._groups.scheduled(group)
        return drafts

    def _end(
        self, subject: Tracked, receivers: list[str], mute: Quiet | None, items: list[Item], now: int
    ) -> None:
        told = list(told_of_end(self.plan, subject))
        if mute is None:
            items += told
        elif told:
            hush(subject, [item.receiver for item in told], mute, now)
        if not subject.sent:
            hush(subject, receivers, ResolvedBefore(), now)

    def _threads(self, group: Group, news: Sequence[Tracked]) -> list[Item]:
        """The state of the group's threads at on-call services, where it changed. It pages nobody, so it is
        not muted."""
        items: list[Item] = []
        for receiver, says in group.threads.items():
            spec = self.plan.receivers.get(receiver)
            if says == "resolved" or spec is None or not spec.threaded:
                continue
            states = self._groups.states_of(group, receiver)
            about = [subject for subject in news if receiver in subject.sent]
            if "open" in states or not (about or not states):
                continue
            if states and says == "open" and spec.hears_acknowledged:
                items += [Item(subject, receiver, AcknowledgedNotice(), "acknowledged") for subject in about]
            elif not states and spec.hears_resolved:
                items += [Item(subject, receiver, Resolved(), "resolved") for subject in about]
        return items

    def _mute(self, change: Change, now: int) -> Quiet | None:
        return muted(change, self.state.tracked, self._silences, self.live_from, now)

    def _silences_at(self, now: int) -> list[Change]:
        """Follow silences over their ends; the notices that are due."""
        known, notices = self.state.wide.silences, []
        for silence in self._silences:
            active = silence.active(now)
            seen = known.get(silence.id)
            if seen is None:
                if active:
                    known[silence.id] = Seen(active)
                continue
            if not active and seen.active:
                seen.active = False
                notices.append(silence_notice(silence, "ended", now))
                self._groups.wake(now)
            elif active and not seen.warned and now >= silence.ends_at - self.plan.silence_notice:
                seen.warned = True
                notices.append(silence_notice(silence, "ending", now))
        for gone in known.keys() - {silence.id for silence in self._silences}:
            if known.pop(gone).active:
                self._groups.wake(now)
        return notices


def _keep_until(subject: Tracked) -> int:
    if subject.closed_at is None:
        return subject.seen + KEEP_OPEN_MS
    return subject.closed_at + (DAY_MS if subject.change.kind == "notice" else KEEP_CLOSED_MS)
