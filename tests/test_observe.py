"""Metrics are as the catalogue says, and logs hold nothing that is not ours to tell."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from dataflow.observe.logs import configure, log, logger
from dataflow.serve.measures import ServeMeasures
from models.errors import StoreError

CATALOGUE = Path(__file__).parent.parent / "docs" / "observability.md"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure("test", stream=stream)
    yield stream
    root.handlers[:], root.level = before, level


def test_the_catalogue_lists_every_metric_and_no_other() -> None:
    registry = CollectorRegistry()
    ServeMeasures(registry)
    families = list(registry.collect())
    exported = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert all(family.documentation for family in families)
    assert exported == set(re.findall(r"^\| `(tidegate_\w+)`", CATALOGUE.read_text("utf-8"), re.M))


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
