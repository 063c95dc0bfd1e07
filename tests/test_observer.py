"""The observer as a process of its own: metrics on loopback, and a page when the store is gone."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from standardwebhooks import Webhook

from alerts.redis_store import RedisStore
from dataflow.embedded import EmbeddedValkey
from dataflow.observe.traced import route_of
from dataflow.observe.traces import SentSpans, Spans, spans_of
from models.errors import SettingsError
from tests.receiver import SECRET, receiver
from tests.serving import free_port

ROOT = Path(__file__).resolve().parent.parent


def wait(condition: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> Any:
    for _ in range(600):
        if found := condition():
            return found
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"it never came: {log.read_text()}")


def test_it_exports_metrics_and_pages_while_the_store_is_gone(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "observer.log"
    server = EmbeddedValkey(tmp_path / "store")
    url = server.start()

    def metric(name: str) -> float | None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        return next(
            (float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), None
        )

    with receiver() as (inbox, hook):

        def said() -> list[tuple[str, str]]:
            bodies = [
                Webhook(SECRET).verify(b, h) for b, h in zip(inbox.bodies, list(inbox.headers), strict=False)
            ]
            return [(body["type"], json.dumps(body)) for body in bodies]

        (tmp_path / "tidegate.toml").write_text(
            f'routing = "routing.toml"\n'
            f"[observe]\nport = {port}\n[observe.condition]\nstore_away_s = 0.5\ncalm_s = 0.5\n"
        )
        (tmp_path / "routing.toml").write_text(
            '[route]\nnotify = ["duty"]\ngroup_by = ["id"]\ngroup_wait = "0s"\ngroup_interval = "0s"\n'
            '[[receivers]]\ntype = "webhook"\nname = "duty"\nsecret_env = "HOOK_SECRET"\nallow_private = true\n'
            f'send_resolved = true\nurl = "http://127.0.0.1:{hook.server_port}/hook"\n'
        )
        env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "dataflow.cli", "worker", "observer"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                env={**env, "PYTHONPATH": str(ROOT), "REDIS_URL": url, "HOOK_SECRET": SECRET}, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            wait(lambda: metric("tidegate_store_up") == 1.0, process, log)
            assert metric("tidegate_disk_size_bytes")
            assert RedisStore(url).beats()["observer"]["metrics_port"] == port
            server.stop()
            wait(lambda: metric("tidegate_store_up") == 0.0, process, log)
            wait(lambda: len(inbox.headers) == 1, process, log)
            assert "The store has not answered" in said()[0][1]
            assert metric("tidegate_unread_entries") is None
            assert server.start() == url
            wait(lambda: len(inbox.headers) == 2, process, log)
            assert "resolved" in said()[1][0], said()
            wait(lambda: metric("tidegate_store_up") == 1.0, process, log)
        finally:
            process.terminate()
            assert process.wait(30) == 0
            server.stop()
    for line in log.read_text().splitlines():
        assert json.loads(line)["process"] == "observer"


def test_a_taken_port_does_not_end_the_watch(tmp_path: Path) -> None:
    from dataflow.observe.observer import run
    from dataflow.observe.settings import ObserveSettings
    from dataflow.settings import Settings

    with receiver() as (_, taken):
        server = EmbeddedValkey(tmp_path / "store")
        url = server.start()
        try:
            settings = Settings(data_dir=str(tmp_path), observe=ObserveSettings(port=taken.server_port))
            rounds = iter([False, True])
            run(settings, url, 0, lambda: next(rounds), lambda _: None)
            assert RedisStore(url).beats()["observer"]["metrics_port"] == 0
        finally:
            server.stop()


def test_spans_reach_a_collector_and_say_nothing_of_people() -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with receiver() as (inbox, server):
        spans = spans_of("serve", f"http://127.0.0.1:{server.server_port}")
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        def fail() -> None:
            with spans.span("POST /v1/x", {"traceparent": parent}, n=3) as span:
                span.set_attribute("http.response.status_code", 200)
                raise ValueError("CANARY-Payer")

        with pytest.raises(ValueError, match="CANARY"):
            fail()
        spans.close()
        body = inbox.bodies[0]
    told = ExportTraceServiceRequest()
    told.ParseFromString(
        gzip.decompress(body) if inbox.headers[0].get("content-encoding") == "gzip" else body
    )
    (resource,) = told.resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "tidegate.serve"
    (sent,) = resource.scope_spans[0].spans
    assert (sent.name, sent.trace_id.hex()) == ("POST /v1/x", parent.split("-")[1])
    assert {a.key for a in sent.attributes} == {"n", "http.response.status_code"}
    assert b"CANARY" not in told.SerializeToString()


def test_traces_are_off_without_an_address_and_told_when_they_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert type(spans_of("scorer", "")) is Spans
    with Spans().span("x", a=1) as span:
        span.set_attribute("b", 2)
    with pytest.raises(SettingsError, match=r"observe\.traces"):
        spans_of("scorer", "127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"pip install 'tidegate\[traces\]'"):
        SentSpans("scorer", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/decisions/CANARY-4111", "/v1/decisions"),
        ("/v1/transactions", "/v1/transactions"),
        ("/v1/canary", "/v1/other"),
        ("/CANARY", "/other"),
        ("/healthz", "/healthz"),
    ],
)
def test_a_route_holds_nothing_a_caller_chose(path: str, route: str) -> None:
    assert route_of(path) == route
