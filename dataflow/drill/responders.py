"""Simulated people: they hear the page, acknowledge, declare, contain, notify and verify, each after a seeded delay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from alerts.drills.book import Drill, People, measures_of
from alerts.emergency.plan_book import Book
from alerts.notices.clocks import Notice
from alerts.response.acts import Acknowledge, AnyAct, Move, NoticeSent, Situation
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.incident import Incident
from alerts.response.measure import Measure
from alerts.routing.intent import Intent

FIRST, SECOND = "drill-on-call", "drill-commander"


class Responders:
    """A first person who answers and proposes, a second one who approves. done: the incident is recovered.

    over_at: when the attack or outage is over, ms; people cannot recover before. paged_at: when the first page went out.
    """

    def __init__(
        self, core: ResponseCore, drill: Drill, people: People, plans: Book, draw: np.random.Generator
    ) -> None:
        self.core, self.drill, self.plans = core, drill, plans
        self.delays = {
            name: int(1000 * delay.median * np.exp(delay.spread * draw.standard_normal()))
            for name, delay in (
                ("acknowledge", people.acknowledge), ("declare", people.declare), ("propose", people.propose),
                ("approve", people.approve), ("notify", people.notify), ("verify", people.verify),
            )
        }  # fmt: skip
        self.paged_at: int | None = None
        self.over_at: int | None = None
        self.done = False
        self._since = 0
        self._notified = False
        self._measures: list[str] = []

    def incident(self) -> Incident | None:
        """The incident of the drill, once it is there."""
        found = [one for one in self.core.incidents(live=False) if one.kind == self.drill.kind]
        return found[0] if found else None

    def measures(self) -> list[Measure]:
        """What they put in force."""
        return [self.core.measure(id_) for id_ in self._measures]

    def contained_at(self) -> int | None:
        """When the last of their measures took effect, ms; None while one has not."""
        effective = [measure.effective_at for measure in self.measures()]
        return max((at for at in effective if at is not None), default=None) if all(effective) else None

    def hear(self, intents: Sequence[Intent], now: int) -> None:
        """What the router sent out."""
        one = self.incident()
        if one is None or self.paged_at is not None:
            return
        if any(subject.id == one.id for intent in intents for subject in intent.subjects):
            self.paged_at = now

    def act(self, now: int, stream: int) -> None:
        """Do what is due at `now`; stream: its time. Both ms."""
        one = self.incident()
        if one is None or self.done or self.paged_at is None:
            return
        clock = Clock(now, stream)
        if one.acknowledged_at is None:
            # Somebody who has answered once and sees it get worse answers again at once.
            if self._waited("acknowledge", self.paged_at if not self._since else now, now):
                self._perform(Acknowledge(incident=one.id, actor=FIRST, role="on_call"), clock)
        elif one.phase == "triage":
            if self._waited("declare", self._since, now):
                self._perform(Move(incident=one.id, actor=FIRST, role="on_call", to="declare"), clock)
        elif not self._measures:
            if self._waited("propose", self._since, now):
                self._propose(one, clock)
        elif any(measure.state == "proposed" for measure in self.measures()):
            if self._waited("approve", self._since, now):
                for measure in self.measures():
                    self.core.approve(measure.id, SECOND, "commander", clock, "drill")
                self._since = now
        elif not self._notified and self.contained_at() is not None:
            if self._waited("notify", self.contained_at() or now, now):
                self._notify(one, clock)
        elif self.over_at is not None and self._waited("verify", max(self.over_at, self._since), now):
            self._recover(one, clock)

    def _waited(self, step: str, since: int, now: int) -> bool:
        return now >= since + self.delays[step] or (step == "acknowledge" and since == now)

    def _perform(self, act: AnyAct, clock: Clock) -> None:
        self.core.perform(act, clock)
        self._since = clock.now

    def _propose(self, one: Incident, clock: Clock) -> None:
        for wanted in measures_of(self.drill, self.plans, one.scope):
            new, _ = self.core.propose(
                wanted.verb, wanted.scope, f"drill {self.drill.id}", FIRST, "on_call", clock, minutes=wanted.minutes,
                above_usd=wanted.above_usd, incident=one.id,
            )  # fmt: skip
            self._measures.append(new.id)
        self._since = clock.now

    def _notify(self, one: Incident, clock: Clock) -> None:
        """Send the notices that are owed for certain and whose clock runs; drills send them nowhere."""
        for notice in self.notices(clock.now):
            if notice.owed == "yes" and notice.state in ("due", "soon", "late"):
                digest = hashlib.sha256(f"{one.id} {notice.id}".encode()).hexdigest()
                act = NoticeSent(
                    incident=one.id, actor=SECOND, role="commander", deadline=notice.id, digest=digest,
                    reason="drill: noted as sent, sent nowhere",
                )  # fmt: skip
                self._perform(act, clock)
        self._notified = True

    def notices(self, now: int) -> list[Notice]:
        """What is owed to whom in the incident; none without one."""
        one = self.incident()
        return [] if one is None or self.core.notices is None else self.core.notices.of(one, now)

    def late_ms(self, now: int) -> int:
        """How late the latest notice is that is owed for certain, sent or not."""
        return max((notice.late_ms for notice in self.notices(now) if notice.owed == "yes"), default=0)

    def _recover(self, one: Incident, clock: Clock) -> None:
        for measure in self.measures():
            if measure.state == "in_force":
                self.core.end(measure.id, SECOND, "commander", "drill: nothing bad comes any more", clock)
        who = {"incident": one.id, "actor": SECOND, "role": "commander"}
        self.core.perform(Situation(**who, reason="contained, verified, service restored"), clock)
        self.core.perform(Move(**who, to="recover", reason="verified"), clock)
        self.core.perform(Move(**who, to="review"), clock)
        self.done = True
