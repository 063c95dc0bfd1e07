"""What a request says: its key, its body within the limits, its deadline."""

from __future__ import annotations

import msgspec
from starlette.requests import ClientDisconnect, Request

from dataflow.serve.keys import ApiKey, KeyFile, Scope
from dataflow.serve.problems import problem
from dataflow.serve.settings import ServeSettings

DEADLINE = "tidegate-deadline-ms"
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tidegate"'}


def authorised(request: Request, keys: KeyFile, scope: Scope) -> ApiKey:
    """Whose key the request carries. Raises ProblemError 401 without a valid one, 403 when it may not do this."""
    kind, _, clear = request.headers.get("authorization", "").partition(" ")
    key = keys.owner(clear.strip()) if kind.lower() == "bearer" else None
    if key is None:
        raise problem(
            "unauthorised", "send `Authorization: Bearer <key>` with a key in force", headers=_CHALLENGE
        )
    if scope not in key.scopes:
        raise problem("forbidden", f"key {key.name} lacks the scope `{scope}`")
    return key


async def body_of(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes of JSON. Raises ProblemError 413, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise problem("unsupported_media_type", "send the header `Content-Type: application/json`")
    too_large = problem("too_large", f"a request holds at most {most} bytes: send smaller batches")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise too_large
    taken = bytearray()
    try:
        async for chunk in request.stream():
            taken += chunk
            if len(taken) > most:
                raise too_large
    except ClientDisconnect:
        raise problem("malformed", "the request ended before its body did") from None
    return bytes(taken)


def batch_of(body: bytes, most: int) -> list[bytes] | None:
    """The elements of a JSON array as they were sent, at most `most`; None for anything else. Raises ProblemError."""
    if not body.lstrip().startswith(b"["):
        return None
    try:
        elements = [bytes(element) for element in _batch.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise problem("malformed", "the body is not a JSON array of events", place="$") from None
    if not elements:
        raise problem("malformed", "the array is empty", place="$")
    if len(elements) > most:
        raise problem("too_large", f"{len(elements)} events, at most {most} in one request", place="$")
    return elements


def deadline_of(request: Request, settings: ServeSettings) -> float:
    """Seconds the caller is willing to wait. Raises ProblemError 400."""
    asked = request.headers.get(DEADLINE)
    if asked is None:
        return settings.deadline_ms / 1000
    text = asked.strip()
    if not (
        text.isascii()
        and text.isdigit()
        and len(text) <= 9
        and 1 <= int(text) <= settings.longest_deadline_ms
    ):
        detail = f"the header Tidegate-Deadline-Ms takes 1 to {settings.longest_deadline_ms}"
        raise problem("malformed", detail, place="header Tidegate-Deadline-Ms")
    return int(text) / 1000
