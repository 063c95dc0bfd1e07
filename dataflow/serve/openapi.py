"""The OpenAPI 3.1 document: paths by hand, schemas from the very structs that requests and answers are made of."""

from __future__ import annotations

from typing import Any

import msgspec

from dataflow.raw_events import RAW
from dataflow.serve.answers import Accepted, Answer
from dataflow.serve.health import Readiness
from dataflow.serve.problems import CODES, Problem
from dataflow.serve.settings import ServeSettings
from models.decision import Decision

REF = "#/components/schemas/{name}"
_WHEN_BUSY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}


_TEXT = {"type": "string"}
_POSTING = ("malformed", "unauthorised", "forbidden", "conflict", "too_large", "unsupported_media_type", "refused",
            "too_busy", "internal", "unavailable")  # fmt: skip


class Health(msgspec.Struct):
    """The process answers."""

    status: str


def document(settings: ServeSettings, version: str) -> dict[str, Any]:
    """The document for a server with these settings."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": version,
            "description": "Send a payment, get its decision within a deadline. Personal data stands under `clear` and "
            "never leaves the server: it becomes keyed pseudonyms and one sealed envelope.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": _paths(settings),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`tgk_<name>_<secret>`"}},
        },
    }  # fmt: skip


def _paths(settings: ServeSettings) -> dict[str, Any]:
    deadline = {
        "name": "Tidegate-Deadline-Ms", "in": "header", "required": False,
        "description": f"how long to wait for the decision; {settings.deadline_ms} without it",
        "schema": {"type": "integer", "minimum": 1, "maximum": settings.longest_deadline_ms},
    }  # fmt: skip
    identity = {
        "name": "id", "in": "path", "required": True, "description": "the transaction's event id",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    }  # fmt: skip
    return {
        "/v1/transactions": {
            "post": {
                "operationId": "scoreTransactions",
                "summary": "Decide on one transaction, or on each of a batch",
                "description": "Repeating a request is safe: the same id with the same content gets the same decision.",
                "parameters": [deadline],
                "requestBody": _one_or_many("RawTransaction", settings.max_batch),
                "responses": _answers({200: ("decided, or the fallback (`fallback: true`)", "Answer", "Results")})
                | _problems(*_POSTING),
            }
        },
        "/v1/labels": {"post": _taking("sendLabels", "Say what became known about transactions", "RawLabel", settings)},
        "/v1/events": {
            "post": _taking("sendEvents", "Send what is not a payment: behaviour, heartbeats, settlements", "OtherEvent",
                            settings)
        },
        "/v1/decisions/{id}": {
            "get": {
                "operationId": "readDecision",
                "summary": "The decision on a transaction",
                "parameters": [identity],
                "responses": _answers({200: ("the decision", "Decision")})
                | _problems("unauthorised", "forbidden", "not_found", "internal", "unavailable"),
            }
        },
        "/openapi.json": {"get": _open("readDocument", "This document", {"type": "object"})},
        "/healthz": {"get": _open("readHealth", "The process answers", _ref("Health"))},
        "/readyz": {
            "get": {
                **_open("readReadiness", "A transaction sent now would be decided", _ref("Readiness")),
                "responses": _answers({200: ("ready", "Readiness"), 503: ("not ready; which part", "Readiness")})
                | _problems("internal"),
            }
        },
        "/metrics": {
            "get": {
                "operationId": "readMetrics",
                "summary": "Metrics for Prometheus; without a key where only this machine can ask",
                "security": [{}] if settings.loopback else [{"key": []}],
                "responses": {"200": {"description": "metrics", "content": {"text/plain": {"schema": _TEXT}}}}
                | _problems(*(() if settings.loopback else ("unauthorised", "forbidden")), "internal"),
            }
        },
    }  # fmt: skip


def _taking(operation: str, summary: str, schema: str, settings: ServeSettings) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "requestBody": _one_or_many(schema, settings.max_batch),
        "responses": _answers({202: ("on the stream", "Accepted", "Results")})
        | _problems(*_POSTING),
    }  # fmt: skip


def _open(operation: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {
        "operationId": operation, "summary": summary, "security": [{}],
        "responses": {"200": {"description": "OK", "content": content}} | _problems("internal"),
    }  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REF.format(name=name)}


def _one_or_many(schema: str, most: int) -> dict[str, Any]:
    one = _ref(schema)
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": most}
    return {"required": True, "content": {"application/json": {"schema": {"oneOf": [one, many]}}}}


def _answers(by_status: dict[int, tuple[str, ...]]) -> dict[str, Any]:
    out = {}
    for status, (description, *names) in by_status.items():
        refs = [_ref(name) for name in names]
        schema = refs[0] if len(refs) == 1 else {"oneOf": refs}
        out[str(status)] = {"description": description, "content": {"application/json": {"schema": schema}}}
    return out


def _problems(*codes: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for code in codes:
        status, title = CODES[code]
        content = {"application/problem+json": {"schema": _ref("Problem")}}
        out[str(status)] = {"description": title, "content": content}
        if status in (429, 503):
            out[str(status)]["headers"] = _WHEN_BUSY
    return out


def _schemas() -> dict[str, Any]:
    # Imported here: the routes are made with this document.
    from dataflow.serve.app import Results

    kinds = ("transaction", "label", "behaviour", "heartbeat", "settlement")
    structs = [
        *(RAW[kind] for kind in kinds),
        Decision,
        Answer,
        Accepted,
        Results,
        Problem,
        Readiness,
        Health,
    ]
    _, schemas = msgspec.json.schema_components(structs, ref_template=REF)
    for kind in kinds:
        _as_taken(schemas[RAW[kind].__name__], required=kind != "transaction")
    others = [schemas[RAW[kind].__name__] for kind in kinds[2:]]
    schemas["OtherEvent"] = {"oneOf": others}
    # The decision of an answer is passed on as it was stored, so its type says nothing about it.
    schemas["Answer"]["properties"]["decision"] = {"anyOf": [_ref("Decision"), {"type": "null"}]}
    schemas["RawTransaction"]["description"] = "A payment to be decided. `type` may be left out."
    return schemas


def _as_taken(schema: dict[str, Any], *, required: bool) -> None:
    """What the server takes of a raw event: it sets some fields itself, and knows the type of what it was asked."""
    for name in ("received_at", "content", "envelope", "screen"):
        schema["properties"].pop(name, None)
    needed = [name for name in schema["required"] if name != "received_at"]
    schema["required"] = needed if required else [name for name in needed if name != "type"]
