"""What /openapi.json promises holds for anything anybody sends: property-based, over a socket, with the flow behind."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from alerts.redis_store import RedisStore
from dataflow.serve.openapi import document
from dataflow.serve.problems import CODES
from dataflow.serve.settings import ServeSettings
from tests.serving import ROOT, Server, serving

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, ignored_auth, unsupported_method, negative_data_rejection,
]  # fmt: skip
DOCUMENT = document(ServeSettings(), "0")
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("fuzz"), "deadline_ms = 5000") as running:
        yield running


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=str)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name)
def test_answers_are_as_documented(server: Server, path: str, method: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    operation = schema[path][method]
    headers = {"Authorization": server.client.headers["Authorization"]}

    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        # Each event of a batch stands for itself, so the batch as a whole is not refused.
        whole = not isinstance(case.body, list)
        checks = [check for check in CHECKS if whole or check is not negative_data_rejection]
        answer = case.call_and_validate(headers=headers, checks=checks)
        if not whole and answer.status_code < 300 and mode is GenerationMode.NEGATIVE:
            assert any(result["status"] >= 400 for result in answer.json()["results"])

    try:
        check()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, (
            "only what has no input has nothing that could be wrong with it"
        )
        assert "parameters" not in DOCUMENT["paths"][path][method]
        assert "requestBody" not in DOCUMENT["paths"][path][method]
    counters = RedisStore(server.url).counters()
    assert counters.balanced()


def test_every_problem_and_every_path_is_explained_to_people() -> None:
    text = (ROOT / "docs" / "serving.md").read_text()
    assert not [code for code in CODES if f"`{code}`" not in text]
    assert not [path for path in DOCUMENT["paths"] if f"`{path}`" not in text and f" {path}`" not in text]
    assert not [name for name in ServeSettings.__struct_fields__ if f"`serve.{name}`" not in text]
