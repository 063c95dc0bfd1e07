"""What goes wrong, as RFC 9457 problem details: `application/problem+json` with the place in the request.

`type` is `urn:tidegate:problem:<code>`; the codes are listed in docs/serving.md, and a test holds that they are.
"""

from __future__ import annotations

import re

import msgspec

from models.errors import EventError

CODES: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthorised": (401, "A valid API key is needed"),
    "forbidden": (403, "The API key does not allow this"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "This method is not for this path"),
    "conflict": (409, "This id came before with other content"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "Send application/json"),
    "refused": (422, "The event is refused for what it says"),
    "too_busy": (429, "More events wait than can be decided in time"),
    "internal": (500, "Something went wrong here"),
    "unavailable": (503, "The event was not taken: the store or the keys cannot be reached"),
}
_PLACE = re.compile(r" - at `(\$[^`]*)`")
_NAMED = re.compile(r"`(\$\.[^`]*)`")


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457. place: where in the request, as a JSON path. reason: short code of what is wrong with an event.

    event_id: which event of a batch. retry_after: seconds, as in the header.
    """

    type: str
    title: str
    status: int
    detail: str
    place: str | None = None
    reason: str | None = None
    event_id: str | None = None
    retry_after: int | None = None


class ProblemError(Exception):
    """Ends a request (or one event of a batch) with a problem. headers: what the answer carries besides."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem, self.headers = problem, headers or {}


def problem(
    code: str, detail: str, *, place: str | None = None, reason: str | None = None, event_id: str | None = None,
    retry_after: int | None = None, headers: dict[str, str] | None = None,
) -> ProblemError:  # fmt: skip
    """The problem `code` as an exception. retry_after: seconds, also set as the header."""
    status, title = CODES[code]
    found = Problem(
        type=f"urn:tidegate:problem:{code}", title=title, status=status, detail=detail, place=place, reason=reason,
        event_id=event_id, retry_after=retry_after,
    )  # fmt: skip
    headers = dict(headers or {})
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return ProblemError(found, headers)


def of_event(error: EventError, within: str = "$", event_id: str | None = None) -> ProblemError:
    """The problem of an event that cannot be taken. within: where the event stands in the request."""
    detail, place = error.detail, within
    found = _PLACE.search(detail)
    if found is not None:
        detail = detail[: found.start()] + detail[found.end() :]
    # Where two fields do not go together, the first that is named will do.
    named = found or _NAMED.search(detail)
    if named is not None:
        place = within + named[1][1:]
    code = {"malformed": "malformed", "oversize": "too_large", "conflicting_duplicate": "conflict"}
    return problem(
        code.get(error.reason, "refused"), detail, place=place, reason=error.reason, event_id=event_id
    )
