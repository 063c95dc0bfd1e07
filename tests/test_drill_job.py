"""A drill as a job of the worker: its record is all it leaves in the running system, however often the job is taken."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest
import redis

from alerts.custody.audit_root import PURPOSE as KEY_PURPOSE
from alerts.drills.history import DrillRun, keep, runs
from alerts.drills.parties import PURPOSE
from alerts.job_requests import DrillExportRequest, DrillRequest, encode_request
from alerts.response.evidence import changes
from alerts.rights import ROLES, may
from dataflow.jobs.kinds import Context, run
from dataflow.worker import ring_of
from models.errors import RefusedError
from tests.console_drills import run_of
from tests.test_jobs_worker import config, context, server, store, url

__all__ = ["config", "context", "server", "store", "url"]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_drill_leaves_its_record_and_nothing_else(context: Context, url: str) -> None:
    mine = context._replace(job="job_1", actor="lin", role="senior")
    before, told = files_of(context.settings.directory), []
    request = encode_request(DrillRequest(scenario="data_leak", seed=3))
    kept = msgspec.convert(run("drill", request, mine, told.append), DrillRun)
    assert (kept.id, kept.actor, kept.seed, kept.card.passed) == ("data_leak-job_1", "lin", 3, True)
    assert 0 <= told[0] < 0.1
    assert 0.8 < max(told) <= 0.99
    assert files_of(context.settings.directory) == before
    keys = {key.decode() for key in redis.Redis.from_url(url).keys("*")}
    assert {key.partition("tg:")[2].split(":")[0] for key in keys} <= {"response", "audit", "audit-once"}, (
        keys
    )
    keep(context.store, msgspec.structs.replace(kept, at=kept.at + 1), "senior")
    assert runs(context.store) == [kept], "taken again after a crash it is one drill"


def test_the_worker_seals_a_record_for_a_party(context: Context) -> None:
    mine = context._replace(job="job_2", actor="CANARY-mei", role="senior")
    drill = run_of("data_leak", 1_790_000_000_000, actor="CANARY-lin")
    keep(context.store, drill, "senior")
    request = encode_request(DrillExportRequest(run=drill.id, party="regulator_cn"))
    told = run("drill_export", request, mine, lambda _: None)
    key = ring_of(context.settings).ed25519(KEY_PURPOSE).public_key().public_bytes_raw()
    assert changes(told["text"].encode(), [base64.b64encode(key).decode()], PURPOSE) == []
    assert '"part":"channel"' in told["text"], "the plan says how the authorities are told"
    assert "CANARY" not in told["text"]
    with pytest.raises(RefusedError, match="may not drill_export request"):
        run("drill_export", request, mine._replace(role="analyst"), lambda _: None)


@pytest.mark.parametrize("role", ROLES)
def test_who_may_ask_may_also_cancel(role: str) -> None:
    for kind in ("drill", "drill_export"):
        assert may(role, f"{kind}.request") == may(role, f"{kind}.cancel")
