"""The groups of the router: who is in which, what is pending, and which is due next. Pure."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator

from alerts.routing.judging import hush
from alerts.routing.plan import Plan, Route
from alerts.routing.reasons import WaitingForGroup
from alerts.routing.state import Group, Member, RouterState, Tracked


class Groups:
    """Index over the groups of a state. members, pending: keys of subjects by group."""

    def __init__(self, plan: Plan, state: RouterState) -> None:
        self._plan, self._state = plan, state
        self.members: dict[str, set[str]] = {key: set() for key in state.groups}
        self.pending: dict[str, set[str]] = {key: set() for key in state.groups}
        for key, subject in state.tracked.items():
            for group, member in subject.groups.items():
                self.members[group].add(key)
                if member.pending:
                    self.pending[group].add(key)
        self._muted = {key for key, group in state.groups.items() if group.muted}
        # (due, key); an entry that is no longer the group's due time is skipped when it comes up.
        self._placed = {key: due for key, group in state.groups.items() if (due := _due(group)) is not None}
        self._heap = [(due, key) for key, due in self._placed.items()]
        heapq.heapify(self._heap)

    def place(self, subject: Tracked, now: int) -> None:
        """Put a subject into the groups of the routes that take it as it is now, pending in each.

        What is resolved stays where it was, to be told of there.
        """
        ended = subject.change.state == "resolved"
        known = {key for key in subject.groups if self._state.groups[key].route in self._plan.routes}
        wanted = dict.fromkeys(known) if ended and known else self._wanted(subject)
        for key in [key for key in subject.groups if key not in wanted]:
            group = self._state.groups[key]
            if key in known:
                subject.groups[key].gone = True
                self._touch(group, subject, now)
            else:
                self.leave(group, subject)
                self.scheduled(group)
        for key, found in wanted.items():
            if key not in subject.groups:
                if found is None or (ended and not subject.sent):
                    continue
                route, labels = found
                if key not in self._state.groups:
                    self._state.groups[key] = Group(key, route.path, labels, now)
                    self.members[key], self.pending[key] = set(), set()
                subject.groups[key] = Member()
                self.members[key].add(subject.change.key)
            subject.groups[key].gone = False
            self._touch(self._state.groups[key], subject, now)
        self._state.touched.add(f"t:{subject.change.key}")

    def _wanted(self, subject: Tracked) -> dict[str, tuple[Route, dict[str, str]] | None]:
        wanted: dict[str, tuple[Route, dict[str, str]] | None] = {}
        for route in self._plan.matching(subject.change):
            labels = {label: subject.change.value(label) for label in route.group_by}
            text = "\x1e".join([route.path, *(f"{name}\x1f{value}" for name, value in labels.items())])
            wanted[hashlib.sha256(text.encode()).hexdigest()[:24]] = route, labels
        return wanted

    def _touch(self, group: Group, subject: Tracked, now: int) -> None:
        route = self._plan.routes[group.route]
        subject.groups[group.key].pending = True
        self.pending[group.key].add(subject.change.key)
        due = (
            group.created + route.wait if group.flushed is None else max(now, group.flushed + route.interval)
        )
        if group.flush_due is None or due < group.flush_due:
            group.flush_due = due
        if subject.change.state == "open":
            new = [name for name in self._plan.reached(route.notify, now) if name not in subject.sent]
            if new:
                hush(subject, new, WaitingForGroup(group.flush_due), now)
        self.scheduled(group)

    def settled(self, group: Group, subject: Tracked) -> None:
        """The subject was looked at."""
        self.pending[group.key].discard(subject.change.key)
        if group.key in subject.groups:
            subject.groups[group.key].pending = False

    def leave(self, group: Group, subject: Tracked) -> None:
        """The subject is no longer of this group."""
        del subject.groups[group.key]
        self.members[group.key].discard(subject.change.key)
        self.pending[group.key].discard(subject.change.key)

    def scheduled(self, group: Group) -> None:
        """Keep the group's place in the order of due times; a group without members is let go."""
        self._state.touched.add(f"g:{group.key}")
        if not self.members[group.key]:
            for index in (self._state.groups, self.members, self.pending):
                del index[group.key]
            self._muted.discard(group.key)
            return
        if group.muted:
            self._muted.add(group.key)
        due = _due(group)
        if due is not None and self._placed.get(group.key) != due:
            self._placed[group.key] = due
            heapq.heappush(self._heap, (due, group.key))

    def due(self, now: int) -> Iterator[Group]:
        """Groups that are due, each once; the caller processes each before it asks for the next."""
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._placed.get(key) == due:
                del self._placed[key]
            group = self._state.groups.get(key)
            if group is not None and _due(group) == due:
                yield group

    def soon(self, now: int) -> list[str]:
        """Keys of groups that are due."""
        if not self._heap or self._heap[0][0] > now:
            return []
        return [key for key, due in self._placed.items() if due <= now]

    def next_due(self) -> int | None:
        """When the next group is due."""
        while self._heap:
            due, key = self._heap[0]
            group = self._state.groups.get(key)
            if group is not None and _due(group) == due:
                return due
            heapq.heappop(self._heap)
            if self._placed.get(key) == due:
                del self._placed[key]
        return None

    def wake(self, now: int) -> None:
        """A silence or an incident ended: look again at everybody in groups where it mattered."""
        for key in sorted(self._muted):
            group = self._state.groups[key]
            group.muted = False
            for name in self.members[key]:
                self._state.tracked[name].groups[key].pending = True
                self._state.touched.add(f"t:{name}")
            self.pending[key] = set(self.members[key])
            group.flush_due = now
            self.scheduled(group)
        self._muted.clear()

    def states_of(self, group: Group, receiver: str) -> set[str]:
        """The states of members that the receiver was told of and that are not over."""
        states: set[str] = set()
        for key in self.members[group.key]:
            subject = self._state.tracked[key]
            if receiver in subject.sent and not subject.groups[group.key].gone:
                states.add(subject.change.state)
                if "open" in states:
                    break
        return states - {"resolved"}


def _due(group: Group) -> int | None:
    dues = [due for due in (group.flush_due, group.timer_due) if due is not None]
    return min(dues, default=None)
