"""A drill as a job: what the console asked for, played by the worker beside the running system.

It is played in memory and in a temporary directory of its own, with the settings, rules and plans that are in force here;
of the running store it touches nothing but its own record in the history of drills.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from alerts.drills.book import drill_book
from alerts.drills.history import DrillRun, keep, run_of, runs
from alerts.job_requests import DrillRequest
from dataflow.drill.play import play
from dataflow.jobs.kinds import Context, Progress


def run(request: DrillRequest, context: Context, progress: Progress) -> dict[str, Any]:
    """Play it, keep the record; the result is that record. Raises TidegateError.

    A job that is taken again after a crash keeps one record, since its id is the job's.
    """
    book = drill_book()
    drill = book.named(request.scenario)
    plans = context.settings.emergency.book()
    card = play(drill, book, plans, context.settings, request.seed, progress)
    done = run_of(
        card, seed=request.seed, actor=context.actor, at=time.time_ns() // 1_000_000, book=book.version,
        plan=plans.plan(drill.kind), id_=f"{drill.id}-{context.job}",
    )  # fmt: skip
    keep(context.store, done, context.role)
    kept: DrillRun = next((one for one in runs(context.store, drill.id) if one.id == done.id), done)
    told: dict[str, Any] = msgspec.to_builtins(kept)
    return told
