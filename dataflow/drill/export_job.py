"""The record of a drill for one party, as a job: the console holds no key, the worker signs."""

from __future__ import annotations

import time
from typing import Any

from alerts.job_requests import DrillExportRequest
from dataflow.drill.export import exported, file_name
from dataflow.jobs.kinds import Context, Progress


def run(request: DrillExportRequest, context: Context, _: Progress) -> dict[str, Any]:
    """The file's name and its text. Raises TidegateError."""
    now = time.time_ns() // 1_000_000
    data = exported(
        context.settings, context.store, request.run, request.party, context.actor, context.role, now
    )
    return {
        "file": file_name(request.run, request.party),
        "run": request.run,
        "party": request.party,
        "text": data.decode(),
    }
