"""Records of a topic's partitions as one order: each partition in its own, and among partitions by time.

Records that wait are merged by (time, partition, offset), where a record counts as no earlier than the one before it in
its partition. What one batch takes is a slice from each partition; the slices alone give its order again, so that the
ends of the slices are all a journal has to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import NamedTuple


class Record(NamedTuple):
    """One message. at: ms since the epoch, as the topic says."""

    partition: int
    offset: int
    at: int
    value: bytes


def in_order(slices: Mapping[int, Iterable[Record]]) -> Iterator[Record]:
    """The records of all slices, one for each partition, in the order they are scored in."""
    for _, _, _, record in merge(*(_keyed(slices[partition]) for partition in sorted(slices))):
        yield record


def first(slices: Mapping[int, Iterable[Record]], most: int) -> list[Record]:
    """The first `most` of them."""
    return list(islice(in_order(slices), most))


def _keyed(records: Iterable[Record]) -> Iterator[tuple[int, int, int, Record]]:
    latest = 0
    for record in records:
        latest = max(latest, record.at)
        yield latest, record.partition, record.offset, record
