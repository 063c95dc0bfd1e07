"""What the worker can do, by kind of job: a module with `run(request, context, progress) -> result` for each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from alerts.custody.audit import SYSTEM
from alerts.custody.signing import Signer
from alerts.job_requests import REQUESTS, Request, decode_request
from alerts.redis_link import RedisLink
from alerts.response.containing import ResponseStore
from dataflow.settings import Settings
from models.errors import JobError

Progress = Callable[[float], None]
RUNNERS = {
    "backtest": "dataflow.backtest.job",
    "drill": "dataflow.drill.job",
    "drill_export": "dataflow.drill.export_job",
}
"""Kind → module. Loaded when a job of the kind comes."""


class Context(NamedTuple):
    """What a job may use. signer: of model snapshots; job: its id; actor, role: who asked for it."""

    settings: Settings
    store: ResponseStore
    link: RedisLink
    signer: Signer
    job: str = ""
    actor: str = SYSTEM
    role: str = SYSTEM


def run(kind: str, text: str, context: Context, progress: Progress) -> dict[str, Any]:
    """Do a job; progress is told the share done, 0 to 1. Raises TidegateError with a message for people."""
    request: Request = decode_request(kind, text)
    if kind not in RUNNERS:
        raise JobError(
            f"this worker has no way to do a {kind}: it knows {', '.join({*RUNNERS} & {*REQUESTS})}"
        )
    module: Any = import_module(RUNNERS[kind])
    result: dict[str, Any] = module.run(request, context, progress)
    return result
