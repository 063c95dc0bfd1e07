"""A back-test as a job: on a recording the console chose, beside what is in force in the running stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alerts.job_requests import RETAINED, BacktestRequest
from dataflow.artefacts import artefact_of
from dataflow.assemble import engine_of
from dataflow.backtest.proposal import Proposal
from dataflow.backtest.recordings import path_of, retained_batches
from dataflow.backtest.result import result_of
from dataflow.backtest.run import Backtest
from dataflow.commands.replay import brings_models
from dataflow.jobs.kinds import Context, Progress
from dataflow.sources.files import FileSource
from models.controls import apply_control
from models.engine import Engine, Output
from models.errors import EventError, JobError, SourceError
from models.events import Control, decode
from models.features import RULE_KINDS
from models.rows import Item
from models.rules.pack import extended, load_pack
from models.serving import Snapshot

_PAGE = 200
_TOLD = 50


def run(request: BacktestRequest, context: Context, progress: Progress) -> dict[str, Any]:
    """Run it; the result is that of `tidegate backtest --json`, and which recording it is of.

    A file is replayed from empty windows as the command does it, learning as it goes unless it brings its own models, or
    the model that serves is asked for. The retained stream is too short to learn from: it always takes that model.
    Raises TidegateError.
    """
    settings = context.settings
    retained = request.recording == RETAINED
    path = None if retained else path_of(settings.recordings, request.recording)
    learning = path is not None and not request.served and not brings_models(path)
    engine = engine_of(settings, learn_inline=learning)
    apply_in_force(engine, context)
    report = context.store.learner_report() if retained or request.served else None
    if report is not None:
        engine.snapshot = _model(context, report.version)
    elif request.served:
        raise JobError("the learner has published no model yet: ask for it without the model that serves")
    backtest = Backtest(engine, _proposal(request, engine, context))
    sources: Iterator[Sequence[Item]] | None = retained_batches(context.link) if path is None else None
    total = None if path is None else FileSource(path, limit=request.limit).total()
    backtest.run(
        [] if path is None else [path],
        limit=request.limit,
        sources=sources,
        progress=lambda done: progress(min(done / total, 1.0) if total else 0.0),
    )
    if not len(backtest.payments):
        raise SourceError(f"{request.recording}: no payment to decide in it")
    known = backtest.outcomes([path] if request.truth and path is not None else [])
    result = result_of(backtest, known, settings.costs.matrix, _TOLD)
    return {**result, "recording": request.recording, "learning": learning}


def apply_in_force(engine: Engine, context: Context) -> None:
    """Give the engine the rules, band edges and rates that the newest Control events put into the running stream.

    Those the scorer refused are refused here too, and the one before counts.
    """
    wanted, end = {"rules", "thresholds", "fx"}, "+"
    while wanted:
        with context.link.speaking() as client:
            entries = client.xrevrange("tg:control", end, "-", count=_PAGE)
        for _, fields in entries:
            try:
                event = decode(fields.get(b"e", b""))
            except EventError:
                continue
            if not isinstance(event, Control) or event.kind not in wanted:
                continue
            if apply_control(engine, event, Output()) is None:
                wanted.discard(event.kind)
        if len(entries) < _PAGE:
            return
        end = f"({entries[-1][0].decode()}"


def _proposal(request: BacktestRequest, engine: Engine, context: Context) -> Proposal | None:
    if not (request.pack or request.thresholds or request.model):
        return None
    pack = load_pack(request.pack, name=request.pack_name, features=RULE_KINDS) if request.pack else None
    if pack is not None and request.extends:
        pack = extended(engine.pack, pack)
    snapshot = _model(context, request.model) if request.model else None
    return Proposal(engine, pack=pack, thresholds=request.thresholds, snapshot=snapshot)


def _model(context: Context, version: str) -> Snapshot:
    data = artefact_of(context.link, context.signer)(version)
    if not data:
        raise JobError(f"the model {version} is not in the store: choose one that was published here")
    return Snapshot.from_bytes(data)
