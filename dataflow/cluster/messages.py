"""What the steps of a cluster send each other: one message a round and receiver, arrays as they are.

Round      source → home   a batch of entries; a round of one Control event goes to every home
Reading    home → lead     what they say, without the entries themselves
Moving     lead → shard    what the shard has to remember
Placing    lead → home     its place in the stream, and the models in force
Recalling  shard → home    what the shard remembers
Deciding   home → lead     the decisions, encoded, and what becomes of them
Obeyed     lead → lead     that a round has no decisions to wait for: a Control event, or one that was called back
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.alert import AlertHit
from alerts.minutes import Minutes
from alerts.response.traces import Line
from dataflow.sources.files import RawItem
from models.columns import Float
from models.decision import Counters, DeadLetter
from models.engine import Output
from models.entities import Flags
from models.events import Label
from models.facts import Facts
from models.hashing import Hashes
from models.shard import Known
from models.view import View
from models.windows import Int64


class Round(NamedTuple):
    """control: the batch is one Control event. clock: the ledger's, ms, for those who have none."""

    number: int
    home: int
    items: list[RawItem]
    control: bool
    clock: int


class Batch(NamedTuple):
    """A batch of events as the lead needs it; fields as in models.batches.Read. positions (n,): entry of each row."""

    facts: Facts
    contents: Hashes
    corridors: list[str]
    labels: Mapping[int, Label]
    positions: Int64


class Reading(NamedTuple):
    """batch: None when there was no event among the entries. counted: what reading them counted."""

    number: int
    home: int
    batch: Batch | None
    counted: Counters


class Moving(NamedTuple):
    """facts: of the rows that take part, None for a Control event, which only wants to be noticed."""

    to: int
    number: int
    home: int
    facts: Facts | None
    known: Known | None
    deviates: Float | None


class Placing(NamedTuple):
    """answers, sequences (n,), part, new: as of models.batches.Ordered. kept (m,): payments whose vector is wanted back.

    model: version in force at the first row; swaps: (row, version in force after it); snapshots: those the home has not
    seen. called_back: the round is void, its entries come again in others.
    """

    to: int
    number: int
    called_back: bool
    answers: npt.NDArray[np.int8] | None = None
    sequences: Int64 | None = None
    part: Int64 | None = None
    new: Flags | None = None
    kept: Flags | None = None
    model: str = ""
    swaps: list[tuple[int, str]] = []  # noqa: RUF012
    snapshots: dict[str, bytes] = {}  # noqa: RUF012


class Recalling(NamedTuple):
    """asked: the rules' velocities by column. evicted: entities this shard has forgotten so far."""

    to: int
    number: int
    shard: int
    view: View
    asked: dict[str, Float]
    evicted: int


class Deciding(NamedTuple):
    """decisions: encoded, in order. hits: alerts, numbered from 1. lines: of the digest, where it is wanted.

    deviates, declined, explored (m,), vectors (those wanted back): for the ledger. duplicates: numbers of payments that
    are answered again. evicted: by shard.
    """

    number: int
    counted: Counters
    decisions: list[bytes]
    hits: list[AlertHit]
    minutes: Minutes
    dead: list[DeadLetter]
    labelled: list[Label]
    alerted: list[Line]
    duplicates: list[int]
    deviates: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    declined: Flags
    explored: Flags
    evicted: dict[int, int]
    lines: bytes
    merging: list[tuple[str, int]]


class Obeyed(NamedTuple):
    """output: of a Control event, None for a round that was called back."""

    number: int
    output: Output | None
