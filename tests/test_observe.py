"""Metrics are as the catalogue says, and logs hold nothing that is not ours to tell."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.condition.checks import Trouble
from alerts.condition.reading import Disk, Reading, StoreMemory
from alerts.condition.watch import Open
from dataflow.observe.logs import configure, log, logger
from dataflow.observe.system import SYSTEM, Look, SystemCollector
from dataflow.serve.measures import ServeMeasures
from models.decision import Counters
from models.errors import StoreError

ROOT = Path(__file__).parent.parent
CATALOGUE = Path(__file__).parent.parent / "docs" / "observability.md"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    stream = io.StringIO()
    configure("test", stream=stream)
    yield stream
    root.handlers[:], root.level = before, level
    sys.excepthook, threading.excepthook = hooks


def test_the_catalogue_lists_every_metric_and_no_other() -> None:
    registry = CollectorRegistry()
    ServeMeasures(registry)
    registry.register(SystemCollector(lambda: Look(None, (), False)))
    families = list(registry.collect())
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert all(family.documentation for family in families)
    assert exported == set(re.findall(r"^\| `(tidegate_\w+)`", CATALOGUE.read_text("utf-8"), re.M))


def test_names_follow_prometheus() -> None:
    for family in SYSTEM:
        assert re.fullmatch(r"tidegate_[a-z]+(_[a-z]+)*", family.name)
        assert not family.name.endswith("_total"), "the library appends it"
        assert not re.search(r"_(ms|millis|minutes|hours|kb|mb|percent)(_|$)", family.name), "base units only"
        assert not {"id", "card", "customer", "payer", "ip", "device"} & set(family.labels)


def test_a_reading_becomes_metrics_and_what_is_not_known_has_no_value() -> None:
    beats = {
        "scorer": {
            "at": 1_000,
            "rate": 5.0,
            "lag": 0.2,
            "latency_p50_ms": 2.0,
            "latency_p99_ms": 9.0,
            "shed": "nothing",
        },
        "sender": {"at": 1_000, "receivers": 3, "failing": 1, "disabled": 0, "owed": 4, "unsure": 0},
        "learner": {"at": 1_000, "position": "7-0", "examples": 7, "published_at": 500},
        "kafka": {"at": -50_000, "lag": 12},
        "supervisor": {"at": 1_000, "scorer_pid": 1, "scorer_restarts": 2},
    }
    reading = Reading(
        now=2_000, counters=Counters(events_in=9, transactions=6, decided=5, duplicates=1, labels=3, examples=9),
        beats=beats, alerts={"open": 4, "open:S1": 1, "resolved": 2}, disk=Disk(3, 10), memory=StoreMemory(5, 0),
    )  # fmt: skip
    trouble = Trouble(kind="x", severity="S2", text_en="", text_zh="")
    registry = CollectorRegistry()
    registry.register(SystemCollector(lambda: Look(reading, [Open(trouble, 0, 0)], True)))
    value = registry.get_sample_value
    assert value("tidegate_transactions_total", {"outcome": "decided"}) == 5
    assert value("tidegate_scorer_latency_seconds", {"quantile": "0.99"}) == pytest.approx(0.009)
    assert value("tidegate_sender_receivers", {"state": "working"}) == 2
    assert value("tidegate_learner_behind_examples") == 2
    assert value("tidegate_learner_model_age_seconds") == 1.5
    assert value("tidegate_alerts", {"status": "open"}) == 4
    assert value("tidegate_alerts_open", {"severity": "S1"}) == 1
    assert value("tidegate_process_up", {"process": "kafka"}) == 0
    assert value("tidegate_process_restarts_total", {"process": "scorer"}) == 2
    assert value("tidegate_troubles", {"kind": "x"}) == 1
    assert value("tidegate_kafka_lag_messages") is None, "what a silent process said last is not the present"
    assert value("tidegate_counters_balanced") == 1


def test_what_nobody_caught_is_a_log_line_without_its_text(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "from dataflow.observe.logs import configure\nconfigure('test')\n"
        "import threading\n"
        "def fail():\n    raise ValueError('CANARY-Payer')\n"
        "t = threading.Thread(target=fail, name='side'); t.start(); t.join()\nfail()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["error"]) for line in lines] == [
        ("thread_ended", "ValueError"),
        ("ended", "ValueError"),
    ]
    assert "CANARY" not in done.stderr
    assert done.returncode == 1


def test_a_worker_that_is_refused_says_so_in_the_same_shape(tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text("[flow]\nbach = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "dataflow.cli", "worker", "clerk"], capture_output=True, text=True, check=False,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    line = json.loads(done.stderr)
    assert (done.returncode, line["event"], line["process"]) == (2, "refused", "clerk")
    assert "bach" in line["detail"]


def test_logs_are_json_without_what_others_said(written: io.StringIO) -> None:
    log(logger("test"), logging.INFO, "taken", route="/v1", note="mail canary@example.com", number=3)
    logging.getLogger("library").warning("failed for %s", "CANARY-Payer 1")
    try:
        raise ValueError("CANARY-Payer 2")
    except ValueError as error:
        log(logger("test"), logging.ERROR, "broken", error)
    log(logger("test"), logging.ERROR, "store", StoreError("unix:///x: gone"))
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["taken", "failed for %s", "broken", "store"]
    assert (lines[0]["note"], lines[0]["number"]) == ("…", 3)
    assert lines[2]["error"] == "ValueError"
    assert lines[3]["detail"] == "unix:///x: gone"
    assert "CANARY" not in written.getvalue()
    assert "canary" not in written.getvalue()
