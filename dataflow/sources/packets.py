"""Files as a source of the flow: the items of FileSource in packets, resumable by the number of items taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from dataflow.replay import batched
from dataflow.sources.files import FileSource, RawItem
from dataflow.sources.mapping import Mapping
from dataflow.sources.stream import Packet


class FilePartition(StatefulSourcePartition[Packet, int]):
    """Reads on after `taken` items of all files together."""

    def __init__(self, paths: Sequence[Path], mapping: Mapping | None, batch: int, taken: int) -> None:
        self._taken = taken
        self._batches = _from(paths, mapping, batch, taken)

    def next_batch(self) -> list[Packet]:
        """One packet; StopIteration at the end of the last file."""
        items = next(self._batches)
        self._taken += len(items)
        # Lines of a file were never queued, so nothing entered; a Control among them may name a model.
        return [Packet(items, (str(self._taken), ""), [], control=True)]

    def next_awake(self) -> dt.datetime | None:
        """At once."""
        return None

    def snapshot(self) -> int:
        """Items taken so far."""
        return self._taken


class FilePackets(FixedPartitionedSource[Packet, int]):
    """One partition over `paths`, one after another; at most `batch` items a packet.

    A packet's position is (items taken, ""). Raises MappingError and SourceError as FileSource does.
    """

    def __init__(self, paths: Sequence[Path], mapping: Mapping | None = None, *, batch: int = 512) -> None:
        self._paths, self._mapping, self._batch = list(paths), mapping, batch

    def list_parts(self) -> list[str]:
        """The one partition."""
        return ["files"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> FilePartition:
        """Resume after `resume_state` items, or from the beginning."""
        return FilePartition(self._paths, self._mapping, self._batch, resume_state or 0)


def _from(paths: Sequence[Path], mapping: Mapping | None, batch: int, taken: int) -> Iterator[list[RawItem]]:
    """Batches of everything after the first `taken` items."""
    everything: Iterator[Sequence[RawItem]] = chain.from_iterable(FileSource(path, mapping) for path in paths)
    return batched(_after(everything, taken), batch)


def _after(batches: Iterator[Sequence[RawItem]], taken: int) -> Iterator[Sequence[RawItem]]:
    for items in batches:
        if taken < len(items):
            yield items[taken:]
        taken = max(0, taken - len(items))
