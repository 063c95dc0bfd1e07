"""The read model of drills, of what people were trained in, and of the book of plans.

It goes through the console's one read model (data.py), so that readings are shared and kept in the same way.
"""

from __future__ import annotations

from typing import cast

import msgspec

from alerts.drills.book import DrillBook, DueDrill, drill_book, due_drills
from alerts.drills.history import DrillRun, last_runs, runs
from alerts.emergency.plan import Plan
from alerts.emergency.plan_book import Book
from alerts.emergency.settings import EmergencySettings
from alerts.jobs import Job
from alerts.response.containing import ResponseStore
from alerts.store import Store
from dashboard.data import JOBS_SHOWN, ReadModel
from dashboard.readings import Pulse, Reading
from models.errors import PlanError

JOB_KINDS = ("drill", "drill_export")


class Drills(msgspec.Struct, frozen=True):
    """due: the first first. runs: newest first. jobs: of drills and their exports, newest first."""

    pulse: Pulse
    due: list[DueDrill]
    runs: list[DrillRun]
    jobs: list[Job]


class DrillData:
    """Readings and verbs of the Drills page; shared by all sessions of the console."""

    def __init__(self, model: ReadModel, emergency: EmergencySettings) -> None:
        self.model, self.emergency = model, emergency

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

    def plans(self) -> tuple[Book | None, str]:
        """The book of plans as its files say it now, or why it cannot be read."""
        try:
            return self.emergency.book(), ""
        except PlanError as error:
            return None, str(error)


def plan_of(book: Book | None, kind: str) -> Plan | None:
    """The newest plan of a kind of incident."""
    return None if book is None or kind not in book.plans else book.plans[kind][-1]
