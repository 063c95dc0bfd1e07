"""Replay: the engine in a plain loop over recorded streams, with a digest over its decisions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from alerts.alert import MERGE_WINDOW_MS, hit_of, needs_alert
from dataflow.sources.files import FileSource
from dataflow.sources.mapping import Mapping
from models.decision import Decision, digest_line
from models.engine import Engine, Output
from models.rows import Item

BATCH = 2048
"""Events taken at once: what each batch costs by itself, some 2 ms, is then a microsecond an event."""
Entry = TypeVar("Entry", bound=Item)


class Digest:
    """SHA-256 over the canonical lines of decisions in stream order, and alerts merged as the store would."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._open: dict[str, int] = {}
        self.alerts = 0

    def add(self, decisions: Iterable[Decision]) -> None:
        """Take decisions in order."""
        for decision in decisions:
            self.take(digest_line(decision) + b"\n", merging([decision]))

    def take(self, lines: bytes, alerting: Iterable[tuple[str, int]]) -> None:
        """Take decisions as lines, and (fingerprint, event time) of those that are alerts."""
        self._sha.update(lines)
        for fingerprint, at in alerting:
            before = self._open.get(fingerprint)
            if before is None or at - before > MERGE_WINDOW_MS:
                self.alerts += 1
            self._open[fingerprint] = max(at, before or 0)

    def hex(self) -> str:
        """The digest so far."""
        return self._sha.hexdigest()


def merging(decisions: Iterable[Decision]) -> list[tuple[str, int]]:
    """(fingerprint, event time) of the decisions that are alerts."""
    return [(hit_of(d, 0).fingerprint, d.event_time) for d in decisions if needs_alert(d)]


def batched(batches: Iterable[Sequence[Entry]], size: int) -> Iterator[list[Entry]]:
    """Cut a stream of batches anew into batches of `size`."""
    held: list[Entry] = []
    for batch in batches:
        held.extend(batch)
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held:
        yield held


def replay(
    paths: Sequence[Path],
    engine: Engine,
    mapping: Mapping | None = None,
    *,
    limit: int | None = None,
    batch: int = BATCH,
    sources: Iterable[Sequence[Item]] | None = None,
    on_output: Callable[[Output], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run the files through the engine one after another; returns the contract's summary.

    limit: most transactions. sources: batches of entries to take instead of files. on_output is called with each
    step's output. progress: with events taken so far.
    """
    digest = Digest()
    started = time.perf_counter()
    if sources is None:
        sources = chain.from_iterable(FileSource(path, mapping, limit=limit) for path in paths)
    for items in batched(sources, batch):
        if limit is not None:
            items = _cut(items, limit - engine.counters.transactions)
            if not items:
                break
        output = engine.step(items)
        digest.add(output.decisions)
        if on_output is not None:
            on_output(output)
        if progress is not None:
            progress(engine.counters.events_in)
    return summary_of(engine, digest, time.perf_counter() - started)


def summary_of(engine: Engine, digest: Digest, seconds: float) -> dict[str, Any]:
    """The contract's summary of what an engine has done in so many seconds."""
    counters = engine.counters
    return {
        "events_in": counters.events_in,
        "transactions": counters.transactions,
        "decided": counters.decided,
        "dead_lettered": counters.dead_lettered,
        "duplicates": counters.duplicates,
        "undecodable": counters.undecodable,
        "behaviours": counters.behaviours,
        "labels": counters.labels,
        "controls": counters.controls,
        "others": counters.others,
        "late": counters.late,
        "labels_unmatched": counters.labels_unmatched,
        "vectors_gone": counters.vectors_gone,
        "balanced": counters.balanced(),
        "alerts": digest.alerts,
        "model": engine.snapshot.version,
        "rules": engine.compiled.version,
        "digest": digest.hex(),
        "seconds": round(seconds, 3),
        "transactions_per_second": round(counters.transactions / seconds, 1) if seconds else 0.0,
    }


def _cut(items: list[Item], left: int) -> list[Item]:
    """At most `left` transactions; decoding is the engine's work, so a line is taken for one unless it says otherwise."""
    out: list[Item] = []
    for item in items:
        is_payment = (
            item.event.__class__.__name__ == "Transaction"
            if item.event is not None
            else _looks_like(item.line)
        )
        if is_payment:
            if left <= 0:
                break
            left -= 1
        out.append(item)
    return out


def _looks_like(line: bytes | None) -> bool:
    return line is not None and b'"type":"transaction"' in line.replace(b" ", b"")
