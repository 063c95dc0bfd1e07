"""Verifying an exported audit chain with public data only, and saying where it is not what it was.

An edit shows in the hash of its line; a deletion, an insertion and another order in the numbers and in the hash of the
line before; a chain that was cut, set back or written anew in a root signed outside. Whoever recomputes all hashes
after a change is found out by the first root behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from alerts.custody.audit import GENESIS, canonical
from alerts.custody.audit_root import AuditRoot
from models.errors import CustodyError

Kind = Literal["edited", "deleted", "inserted", "reordered", "broken", "truncated", "rewritten"]


LONGEST = 10**15
"""No chain has so many links."""
NAMED_GAP = 1000
"""Of links that are missing in a row, so many are named one by one; a longer row is one finding."""


class Finding(NamedTuple):
    """What is wrong at which link (seq) and which line of the export (from 1; 0: behind the end)."""

    kind: Kind
    seq: int
    line: int
    detail: str


class _Line(NamedTuple):
    number: int
    seq: int
    previous: str
    hash: str


def verify(lines: Iterable[bytes], roots: Sequence[AuditRoot] = ()) -> list[Finding]:
    """All findings, in order; none: every line is what it was when it was linked, and every root fits."""
    findings: list[Finding] = []
    read: list[_Line] = []
    for number, line in enumerate(lines, 1):
        found = _read(number, line, len(read) + 1)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            read.append(found)
    damaged = {finding.seq for finding in findings}
    findings += _order(read, damaged)
    hashes = {line.seq: line.hash for line in read}
    last = max(hashes, default=0)
    intact = 0
    for root in sorted(roots, key=lambda r: r.seq):
        if root.seq > last:
            detail = f"the root signed at {root.at} knows link {root.seq}; the chain ends at {last}"
            findings.append(Finding("truncated", last + 1, 0, detail))
        elif hashes.get(root.seq) != root.hash:
            detail = f"the root of link {root.seq} names another hash: changed between links {intact + 1} and {root.seq}"
            findings.append(Finding("rewritten", root.seq, 0, detail))
        else:
            intact = root.seq
    return sorted(findings, key=lambda f: (f.seq, f.line))


def _read(number: int, line: bytes, expected: int) -> _Line | Finding:
    try:
        body: Any = json.loads(line)
        if not isinstance(body, dict) or canonical(body) != line:
            return Finding("edited", expected, number, "not one link in canonical JSON")
        seq, previous, told = body["seq"], body["previous"], body.pop("hash")
        if type(seq) is not int or not isinstance(previous, str) or not isinstance(told, str):
            return Finding("edited", expected, number, "seq, previous or hash is of another type")
        if not 0 < seq < LONGEST:
            return Finding("inserted", expected, number, f"no link has number {seq}")
        if hashlib.sha256(canonical(body)).hexdigest() != told:
            return Finding("edited", expected, number, f"link {seq}: the hash is not that of the line")
    except (ValueError, KeyError, RecursionError, CustodyError) as error:
        return Finding("edited", expected, number, f"cannot be read: {error!s:.80}")
    return _Line(number, seq, previous, told)


def _missing(known: set[int], damaged: set[int]) -> Iterator[Finding]:
    """Numbers that nobody has. A line may name any number: what it costs to look does not depend on that."""
    before = 0
    for seq in sorted(known):
        if seq - before > NAMED_GAP:
            yield Finding("deleted", before + 1, 0, f"links {before + 1} to {seq - 1} are not there")
        else:
            absent = (one for one in range(before + 1, seq) if one not in damaged)
            yield from (Finding("deleted", one, 0, f"link {one} is not there") for one in absent)
        before = seq


def _order(read: list[_Line], damaged: set[int]) -> list[Finding]:
    findings: list[Finding] = []
    counts: dict[int, int] = {}
    for line in read:
        counts[line.seq] = counts.get(line.seq, 0) + 1
    named = {line.seq - 1: line.previous for line in read if counts[line.seq] == 1}
    findings += _missing({line.seq for line in read}, damaged)
    by_seq: dict[int, str] = {}
    highest = 0
    for line in read:
        if counts[line.seq] > 1 and (line.seq in by_seq or named.get(line.seq, line.hash) != line.hash):
            findings.append(Finding("inserted", line.seq, line.number, f"a second link {line.seq}"))
            continue
        if line.seq < highest:
            findings.append(
                Finding("reordered", line.seq, line.number, f"link {line.seq} comes after {highest}")
            )
        highest = max(highest, line.seq)
        by_seq[line.seq] = line.hash
    for line in read:
        before = GENESIS if line.seq == 1 else by_seq.get(line.seq - 1)
        if by_seq.get(line.seq) == line.hash and before is not None and line.previous != before:
            detail = f"link {line.seq} names another hash before it: link {line.seq - 1} is not the one it was linked to"
            findings.append(Finding("broken", line.seq - 1, line.number, detail))
    return findings
