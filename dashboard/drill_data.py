"""The read model of drills, of what people were trained in, and of the book of plans.

It goes through the console's one read model (data.py), so that readings are shared and kept in the same way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import msgspec

from alerts.drills.book import DrillBook, DueDrill, drill_book, due_drills
from alerts.drills.history import DrillRun, last_runs, runs
from alerts.emergency.plan import Plan
from alerts.emergency.plan_book import Book
from alerts.emergency.settings import EmergencySettings
from alerts.jobs import Job
from alerts.response.containing import ResponseStore
from alerts.store import Store
from alerts.tabletop.core import Tabletop, digests_of, sittings_in
from alerts.tabletop.exercise import Exercise, load_exercises
from alerts.tabletop.rules import training_rules
from alerts.tabletop.sitting import Sitting
from alerts.tabletop.standing import Standing, standings
from dashboard.data import JOBS_SHOWN, ReadModel
from dashboard.readings import Pulse, Reading
from models.errors import PlanError

JOB_KINDS = ("drill", "drill_export")
FILES_FRESH_S = 5.0
"""The files of plans and exercises are read anew after this: it takes some 100 ms."""
T = TypeVar("T")


class Drills(msgspec.Struct, frozen=True):
    """due: the first first. runs: newest first. jobs: of drills and their exports, newest first."""

    pulse: Pulse
    due: list[DueDrill]
    runs: list[DrillRun]
    jobs: list[Job]


class Files(msgspec.Struct, frozen=True):
    """The book of plans and the exercises; wrong: why one of them cannot be read."""

    book: Book | None
    exercises: dict[str, Exercise]
    wrong: str = ""


class Training(msgspec.Struct, frozen=True):
    """sittings: all, oldest first; standings: the most urgent first."""

    sittings: list[Sitting]
    standings: list[Standing]


class DrillData:
    """Readings and verbs of the Drills page; shared by all sessions of the console."""

    def __init__(self, model: ReadModel, emergency: EmergencySettings) -> None:
        self.model, self.emergency = model, emergency
        self._lock = threading.Lock()
        self._files: tuple[float, Files] | None = None

    def drills(self) -> Reading[Drills]:
        """What is due, what was played, and what is asked for."""

        def take(store: Store) -> Drills:
            found = runs(cast("ResponseStore", store))
            jobs = [job for job in store.jobs(JOBS_SHOWN) if job.kind in JOB_KINDS]
            due = due_drills(drill_book(), last_runs(found), self.model.now())
            return Drills(Pulse(store.stream_time(), store.beats()), due, found[::-1], jobs)

        return self.model.read("drills", take)

    def book(self) -> DrillBook:
        """The drills there are."""
        return drill_book()

    def files(self) -> Files:
        """Plans and exercises as their files say it, as of FILES_FRESH_S ago at most."""
        with self._lock:
            now = time.monotonic()
            if self._files is None or now - self._files[0] > FILES_FRESH_S:
                self._files = (now, self._read())
            return self._files[1]

    def _read(self) -> Files:
        try:
            book = self.emergency.book()
        except PlanError as error:
            return Files(None, {}, str(error))
        try:
            return Files(book, load_exercises(self.emergency.folder))
        except PlanError as error:
            return Files(book, {}, str(error))

    def training(self) -> Reading[Training]:
        """Who sat, sits, and is trained in what."""

        def take(store: Store) -> Training:
            files, now = self.files(), self.model.now()
            found = sittings_in(cast("ResponseStore", store))
            digests = {} if files.book is None else digests_of(files.exercises, files.book, now)
            return Training(found, standings(found, digests, training_rules(), now))

        return self.model.read("training", take)

    # verbs; they raise StoreError (RefusedError for the role or another person), IncidentError and PlanError

    def begin(self, exercise: str, person: str, role: str) -> Sitting:
        """Begin an exercise, or go on with it."""
        return self._sit(lambda core: core.begin(exercise, person, role, self.model.now()))

    def answer(self, id_: str, question: str, chosen: Sequence[str], person: str, role: str) -> Sitting:
        """Answer the question that is put."""
        return self._sit(lambda core: core.answer(id_, question, chosen, person, role, self.model.now()))

    def abandon(self, id_: str, person: str, role: str) -> Sitting:
        """Give a sitting up."""
        return self._sit(lambda core: core.abandon(id_, person, role, self.model.now()))

    def _sit(self, call: Callable[[Tabletop], T]) -> T:
        files = self.files()
        book = files.book
        if book is None or files.wrong:
            raise PlanError(files.wrong)
        return self.model.write(
            lambda store: call(Tabletop(cast("ResponseStore", store), files.exercises, book))
        )


def plan_of(book: Book | None, kind: str) -> Plan | None:
    """The newest plan of a kind of incident."""
    return None if book is None or kind not in book.plans else book.plans[kind][-1]
