"""Training at the table with a store: begin, answer, abandon, each one change of one document, and audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.emergency.plan_book import Book
from alerts.response.containing import ResponseStore
from alerts.response.documents import Write
from alerts.response.effects import Owed
from alerts.tabletop import sitting as life
from alerts.tabletop.exercise import Exercise
from alerts.tabletop.fitting import Table, fitted, plan_trained
from alerts.tabletop.rules import TrainingRules, day_of, training_rules
from alerts.tabletop.sitting import Sitting
from alerts.tabletop.standing import Standing, standings
from models.errors import IncidentError, PlanError, StoreError

RIGHT = "drill.tabletop"


class Tabletop:
    """exercises: by id. book: the plans they are fitted to."""

    def __init__(
        self, store: ResponseStore, exercises: dict[str, Exercise], book: Book, rules: TrainingRules | None = None
    ) -> None:  # fmt: skip
        self.store, self.exercises, self.book = store, exercises, book
        self.rules = training_rules() if rules is None else rules

    def table(self, id_: str, now: int) -> Table:
        """An exercise that can be played. Raises PlanError: there is none, or it does not fit its plan."""
        if id_ not in self.exercises:
            known = ", ".join(self.exercises)
            raise PlanError(
                f"there is no exercise {id_!r}: choose from {known}",
                zh=f"没有推演科目 {id_!r}，可选：{known}",
            )
        return fitted(self.exercises[id_], self.book, day_of(now))

    def sittings(self) -> list[Sitting]:
        """All there ever were, oldest first."""
        return sittings_in(self.store)

    def sitting(self, id_: str) -> Sitting:
        """One sitting. Raises IncidentError when there is none of this id."""
        body = self.store.document("tabletop", id_)
        if body is None:
            raise IncidentError(f"there is no sitting {id_!r:.80}", zh=f"没有此次推演 {id_!r:.80}")
        return msgspec.msgpack.decode(body, type=Sitting)

    def begin(self, exercise: str, person: str, role: str, now: int) -> Sitting:
        """A new sitting; who has one of this exercise that still runs goes on with it. Raises RefusedError, PlanError."""
        rights.require(role, RIGHT)
        new = life.begun(self.table(exercise, now), person, role, now)
        for one in self.sittings():
            if (one.person, one.exercise, one.state) == (person, exercise, "running"):
                same = (one.exercise_digest, one.plan_digest) == (new.exercise_digest, new.plan_digest)
                if same and not life.lapsed(one, self.rules, now):
                    return one
                self._change(one, lambda before: life.abandoned(before, person, now), role, now)
        self._keep(None, new, "began", role, now)
        return new

    def answer(
        self, id_: str, question: str, chosen: Sequence[str], person: str, role: str, now: int
    ) -> Sitting:
        """Answer the question that is put. Raises RefusedError, IncidentError, PlanError, StoreError."""
        rights.require(role, RIGHT)
        one = self.sitting(id_)
        table = self.table(one.exercise, now)
        return self._change(
            one,
            lambda before: life.answered(before, table, self.rules, question, chosen, person, now),
            role,
            now,
        )

    def abandon(self, id_: str, person: str, role: str, now: int) -> Sitting:
        """Give it up. Raises RefusedError, IncidentError."""
        rights.require(role, RIGHT)
        return self._change(self.sitting(id_), lambda before: life.abandoned(before, person, now), role, now)

    def standings(self, now: int) -> list[Standing]:
        """Who is trained in what."""
        return standings(self.sittings(), digests_of(self.exercises, self.book, now), self.rules, now)

    def _change(self, before: Sitting, change: Callable[[Sitting], Sitting], role: str, now: int) -> Sitting:
        after = change(before)
        action = {"running": "", "done": "completed", "abandoned": "abandoned"}[after.state]
        self._keep(before, after, action, role, now)
        return after

    def _keep(self, before: Sitting | None, after: Sitting, action: str, role: str, now: int) -> None:
        """One atomic step: the sitting, and what the audit chain is owed; whoever settles what is owed writes it."""
        owed = [self._audit(after, action, role, now)] if action else []
        write = Write(
            "tabletop", after.id, 0 if before is None else before.version, after.version,
            msgspec.msgpack.encode(after), after.state == "running",
        )  # fmt: skip
        if not self.store.respond([write], owed=owed):
            raise StoreError(f"the sitting {after.id} was changed elsewhere: look at it again")
        for effect in owed:
            if effect.audit is not None:
                self.store.append_audit(effect.audit, effect.id)
            self.store.settled(effect.id)

    def _audit(self, one: Sitting, action: str, role: str, now: int) -> Owed:
        after = {
            "exercise": one.exercise, "exercise_sha256": one.exercise_digest, "plan": one.plan,
            "plan_sha256": one.plan_digest, "answers": len(one.answers), "score": one.score, "passed": one.passed,
            "expires_on": one.expires_on,
        }  # fmt: skip
        entry = AuditEntry(one.person, role, action, "tabletop", one.id, now, after=after)
        return Owed(id=f"tabletop:{one.id}:{action}", audit=entry)


def sittings_in(store: ResponseStore) -> list[Sitting]:
    """All there ever were in a store, oldest first."""
    found = [msgspec.msgpack.decode(body, type=Sitting) for body in store.documents("tabletop", False)]
    return sorted(found, key=lambda one: (one.started_at, one.id))


def digests_of(exercises: Mapping[str, Exercise], book: Book, now: int) -> dict[str, str]:
    """The digest of the plan that each exercise trains now, by the exercise's id."""
    return {
        one.id: plan_trained(book, one.plan, day_of(now)).digest
        for one in exercises.values()
        if one.plan in book.plans
    }
