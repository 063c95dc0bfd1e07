"""A clean stream made hostile: late, doubled, contradicting and malformed lines, the same for the same seed.

MALFORMED holds one function a kind, from a good transaction line to a bad one. All but those in JUDGED_LATER
do not even decode; those are well-formed and refused by the engine for what they say.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

Mutation = Callable[[bytes], bytes]
_HOUR_MS = 3_600_000


class HostileLine(NamedTuple):
    """A line and what it is: `clean`, `late`, `duplicate`, `conflicting_duplicate` or a key of MALFORMED."""

    kind: str
    line: bytes


def _set(**fields: Any) -> Mutation:
    def change(line: bytes) -> bytes:
        return _dump({**json.loads(line), **fields})

    return change


def _without(name: str) -> Mutation:
    def change(line: bytes) -> bytes:
        event = json.loads(line)
        del event[name]
        return _dump(event)

    return change


def _literal(name: str, text: bytes) -> Mutation:
    """Put `text` where the value of `name` was, though JSON may not allow it."""

    def change(line: bytes) -> bytes:
        return _dump({**json.loads(line), name: "@@"}).replace(b'"@@"', text)

    return change


def _dump(event: Any) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def _future(line: bytes) -> bytes:
    event = json.loads(line)
    return _dump({**event, "event_time": event["received_at"] + 2 * _HOUR_MS})


def _seconds(line: bytes) -> bytes:
    event = json.loads(line)
    return _dump({**event, "event_time": event["event_time"] / 1000})


def _duplicate_type(line: bytes) -> bytes:
    return line.replace(b'"type":"transaction"', b'"type":["transaction"]', 1)


MALFORMED: dict[str, Mutation] = {
    "empty_object": lambda _: b"{}",
    "not_json": lambda _: b"payment of ten dollars",
    "array": lambda line: b"[" + line + b"]",
    "scalar": lambda _: b"42",
    "null": lambda _: b"null",
    "truncated": lambda line: line[: len(line) * 2 // 3],
    "cut_in_text": lambda line: line[: line.index(b'"currency":"') + 13],
    "two_objects": lambda line: line + line,
    "trailing_comma": lambda line: line[:-1] + b",}",
    "single_quotes": lambda line: line.replace(b'"', b"'"),
    "utf16": lambda line: line.decode().encode("utf-16-le"),
    "latin1": lambda line: _set(purpose="caf@@")(line).replace(b"@@", b"\xe9"),
    "byte_order_mark": lambda line: b"\xef\xbb\xbf" + line,
    "lone_surrogate": _literal("purpose", b'"\\ud800"'),
    "nul_byte": lambda line: line[:40] + b"\x00" + line[40:],
    "control_characters": _set(purpose="pay\x1b[2Jout"),
    "line_separator": _set(order_id="o-1\u2028o-2"),
    "control_in_attribute": _set(attributes={"basket\u0007": 1.0}),
    "amount_missing": _without("amount"),
    "id_missing": _without("id"),
    "currency_missing": _without("currency"),
    "event_time_missing": _without("event_time"),
    "type_missing": _without("type"),
    "type_unknown": _set(type="payment"),
    "type_is_array": _duplicate_type,
    "version_unknown": _set(v=2),
    "field_unknown": _set(ammount=100),
    "amount_text": _set(amount="100"),
    "amount_fraction": _set(amount=100.5),
    "amount_negative": _set(amount=-100),
    "amount_huge": _literal("amount", b"9" * 40),
    "amount_exponent": _literal("amount", b"1e308"),
    "amount_above_limit": _set(amount=10**15 + 1),
    "amount_nan": _literal("amount", b"NaN"),
    "amount_infinite": _literal("amount", b"Infinity"),
    "amount_null": _set(amount=None),
    "amount_boolean": _set(amount=True),
    "attribute_nan": _literal("attributes", b'{"basket":NaN}'),
    "attribute_text": _set(attributes={"basket": "three"}),
    "time_text": _set(event_time="yesterday"),
    "time_in_seconds": _seconds,
    "time_in_microseconds": _set(event_time=1_788_220_800_000_000),
    "time_negative": _set(event_time=-1),
    "channel_unknown": _set(channel="pigeon"),
    "country_name": _set(payer_country="Germany"),
    "currency_symbol": _set(currency="€"),
    "bin_too_long": _set(bin="4111111111111111"),
    "evidence_wrong": _set(evidence={"knowledge": "maybe"}),
    "id_empty": _set(id=""),
    "id_too_long": _set(id="x" * 500),
    "deep_nesting": _literal("attributes", b'{"a":' * 300 + b"1" + b"}" * 300),
    "long_text": _set(purpose="x" * 70_000),
    "currency_unknown": _set(currency="ZZZ"),
    "future": _future,
}
JUDGED_LATER = ("currency_unknown", "future")


def oversize(line: bytes) -> bytes:
    """A line with a text of one megabyte."""
    return _set(purpose="A" * 1_000_000)(line)


def hostile_lines(lines: Iterable[bytes], seed: int, *, with_oversize: bool = False) -> Iterator[HostileLine]:
    """The stream with its kinds told: 6 % late, 2 % doubled, 1 % contradicted, malformed ones between.

    A late line comes up to 200 lines after its place, with its times unchanged. A duplicate is byte for byte
    the line sent before; a contradiction has its id and another amount. After 3 % of the transactions comes a
    malformed line, every kind in turn, under an id of its own: all clean lines stay in the stream.
    """
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x405711E])))
    kinds = dict(MALFORMED, **({"oversize": oversize} if with_oversize else {}))
    names = list(kinds)
    waiting: list[tuple[int, int, HostileLine]] = []
    made = place = 0
    for place, line in enumerate(lines):
        while waiting and waiting[0][0] <= place:
            yield heapq.heappop(waiting)[2]
        late, doubled, contradicted, broken = (draw.random(4) < (0.06, 0.02, 0.01, 0.03)).tolist()
        after = draw.integers(1, 200, 3).tolist()
        if late:
            heapq.heappush(waiting, (place + after[0], 4 * place, HostileLine("late", line)))
        else:
            yield HostileLine("clean", line)
        # Repetitions follow the first copy even when that is late itself.
        first = after[0] if late else 0
        if doubled:
            again = HostileLine("duplicate", line)
            heapq.heappush(waiting, (place + first + after[1], 4 * place + 1, again))
        if not line.startswith(b'{"type":"transaction"'):
            continue
        event = json.loads(line)
        if contradicted:
            other = HostileLine("conflicting_duplicate", _dump({**event, "amount": event["amount"] + 1}))
            heapq.heappush(waiting, (place + first + after[2], 4 * place + 2, other))
        if broken:
            name = names[made % len(names)]
            base = _dump({**event, "id": f"hostile-n{made}"})
            heapq.heappush(waiting, (place + 1, 4 * place + 3, HostileLine(name, kinds[name](base))))
            made += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def hostile_stream(lines: Iterable[bytes], seed: int, *, with_oversize: bool = False) -> Iterator[bytes]:
    """The lines of `hostile_lines` alone."""
    return (hostile.line for hostile in hostile_lines(lines, seed, with_oversize=with_oversize))
