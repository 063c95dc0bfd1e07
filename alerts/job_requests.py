"""What people may ask a worker to do, by kind of job.

A kind is one struct here, in REQUESTS, and one module of the worker (dataflow/jobs/kinds.py). A request is kept as JSON,
so that a store written by a newer version can still be read.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from models.errors import JobError
from models.risk import Thresholds

MAX_BYTES = 1 << 20
"""Of a request as JSON: a rule pack of some hundred rules has a tenth of it."""
RETAINED = "(retained)"
"""Stands for a recording: what the input stream still holds, some seconds to minutes."""
_FILE = re.compile(r"(?!\.)[\w.@+=,-]{1,200}\.jsonl(\.gz)?")


class BacktestRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A back-test of what is proposed beside what is in force. Raises ValueError for what cannot be.

    recording: a file's name among `Store.recordings`, or RETAINED. pack: the text of the proposed rule pack, pack_name
    what errors call it; extends: its rules are added to those in force, one of the same id in its place. thresholds: the
    proposed band edges; model: the version of a snapshot in the store; none of them: a report on the rules in force.
    served: both sides begin with the newest model that was published here and learn nothing, instead of beginning with
    none. truth: outcomes from the .truth file of a simulated stream. limit: payments.
    """

    recording: str
    pack: str = ""
    pack_name: str = "proposed pack"
    extends: bool = False
    thresholds: Thresholds | None = None
    model: str = ""
    served: bool = False
    truth: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.recording != RETAINED and not _FILE.fullmatch(self.recording):
            raise ValueError(
                f"{self.recording!r} is no name of a recording: choose one that the worker offers"
            )
        if self.truth and self.recording == RETAINED:
            raise ValueError("the retained stream has no truth file: leave truth out")


class DrillRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A drill, as `tidegate drill SCENARIO --seed N` plays it. Raises ValueError for what cannot be."""

    scenario: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1


class DrillExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The record of a drill for one party, sealed with the key that the worker holds. party: of parties.toml."""

    run: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    party: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


Request = BacktestRequest | DrillRequest | DrillExportRequest
"""Any kind of request."""
REQUESTS: dict[str, type[Request]] = {
    "backtest": BacktestRequest,
    "drill": DrillRequest,
    "drill_export": DrillExportRequest,
}
"""Kind → what its requests look like."""


def kind_of(request: Request) -> str:
    """The kind of a request."""
    return next(kind for kind, form in REQUESTS.items() if type(request) is form)


def encode_request(request: Request) -> str:
    """As JSON. Raises JobError when it is too large."""
    text = msgspec.json.encode(request).decode()
    if len(text.encode()) > MAX_BYTES:
        raise JobError(
            f"the request has {len(text.encode())} bytes, at most {MAX_BYTES} are taken",
            zh=f"请求有 {len(text.encode())} 字节，最多 {MAX_BYTES}",
        )
    return text


def decode_request(kind: str, text: str) -> Request:
    """What was asked. Raises JobError for a kind or a form this version does not know."""
    form = REQUESTS.get(kind)
    if form is None:
        raise JobError(
            f"there is no job of kind {kind!r}: this version knows {', '.join(REQUESTS)}",
            zh=f"没有此类任务 {kind!r}，本版本支持：{', '.join(REQUESTS)}",
        )
    try:
        return msgspec.json.decode(text, type=form)
    except msgspec.DecodeError as error:
        raise JobError(f"{kind}: {error}") from None
