"""The simulator: a seeded stream of cross-border payments, behaviour events and late labels.

Example:

    sim = Simulator(7, customers=2000, scenarios=("card_testing",))
    for event in sim.events(days=3):
        ...

The stream is in `received_at` order, without end if need be, and holds about one day in memory. A day is a
pure function of the seed, the parameters and its number: two readers see the same bytes, however far each of
them reads and whatever PYTHONHASHSEED is; `events_from(day)` continues a stream that was read up to that day.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from dataflow.simulation.clear import raw_line
from dataflow.simulation.conduct import login_events, logins, rare_acts
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.errands import errands
from dataflow.simulation.habits import CNP, ordinary_day, transactions, uetr
from dataflow.simulation.labels import FRIENDLY, LONGEST_DELAY_MS, fraud_label, friendly_label
from dataflow.simulation.papers import with_papers
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios import BACKGROUND, NAMES, QUIET, SPAN_DAYS, Scenario, chosen
from dataflow.simulation.world import World, rng
from models.errors import SettingsError
from models.events import AnyEvent, Behaviour, Label, Transaction

DEFAULT_START = 1_788_220_800_000
"""2026-09-01T00:00Z."""
_LOOK_BACK = LONGEST_DELAY_MS // DAY_MS + 2 * SPAN_DAYS
"""Days before a day that can still send it an event: a label of a payment of a campaign or of a refund."""
_NAMED_BOOST = 4.0
"""Scenarios asked for by name come this much more often than in the mix (less if many are named)."""
_MOST_CUSTOMERS = 1_000_000


class Truth(msgspec.Struct, frozen=True):
    """What is really behind an event: the ground truth that detections are measured against.

    typology is an id of the typology list, or "other" for background fraud. kind: transaction or behaviour.
    """

    id: str
    kind: str
    typology: str
    scenario: str
    campaign: str


@dataclass
class _Future:
    """What earlier days leave for later ones."""

    drafts: dict[int, list[Draft]]
    labels: list[tuple[int, str, Label]]


class Simulator:
    """A world and its stream.

    seed: 0 or more. customers: 1 to a million; each pays once a day on average, times rate_scale.
    start: ms since the epoch, the beginning of day 0. scenarios: names of the registry; None is the realistic
    mix, ("quiet",) the control. truth: set it to be told of each fraudulent event just before it is yielded.
    Raises SettingsError for values outside these bounds.
    """

    def __init__(
        self,
        seed: int,
        *,
        customers: int = 2000,
        start: int = DEFAULT_START,
        scenarios: tuple[str, ...] | None = None,
        rate_scale: float = 1.0,
    ) -> None:
        if seed < 0 or start < 0:
            raise SettingsError(f"seed {seed} and start {start} must not be negative")
        if not 1 <= customers <= _MOST_CUSTOMERS:
            raise SettingsError(f"customers is {customers}: choose 1 to {_MOST_CUSTOMERS}")
        if not 0 < rate_scale <= 1000:
            raise SettingsError(f"rate_scale is {rate_scale}: choose a number above 0 and up to 1000")
        self.seed, self.customers, self.start, self.rate_scale = seed, customers, start, rate_scale
        self.scenarios = scenarios
        self.truth: Callable[[Truth], None] | None = None
        self.world = World(seed, customers)
        self._chosen = chosen(scenarios)
        self._tag = _letters(seed)
        if scenarios is None:
            self._boost, self._background = 1.0, 1.0
        else:
            self._boost = min(_NAMED_BOOST, 10.0 / max(1, len(self._chosen)))
            self._background = 0.08 if QUIET in scenarios else 0.5

    @property
    def transactions_per_day(self) -> float:
        """Expected payments a day (before retries, sale days and campaigns)."""
        return float(self.world.rate.sum()) * self.rate_scale

    def events(self, days: float) -> Iterator[AnyEvent]:
        """The stream of the first `days` days."""
        return self._read(0, self.start + int(days * DAY_MS))

    def stream(self) -> Iterator[AnyEvent]:
        """The endless stream from day 0."""
        return self._read(0, None)

    def events_from(self, day: int) -> Iterator[AnyEvent]:
        """The endless stream from the beginning of `day` on, equal to what `stream()` gives from there.

        The days that can still have effects are generated again first, 73 at most.
        """
        return self._read(day, None)

    def _read(self, day: int, end: int | None) -> Iterator[AnyEvent]:
        future = _Future({}, [])
        for number in itertools.count(max(0, day - _LOOK_BACK)):
            if end is not None and self.start + number * DAY_MS >= end:
                return
            events, truths = self._day(number, future)
            if number < day:
                continue
            for event in events:
                if end is not None and event.received_at >= end:
                    return
                if self.truth is not None and (truth := truths.get(event.id)) is not None:
                    self.truth(truth)
                yield event

    def raw_lines(self, days: float) -> Iterator[bytes]:
        """The stream of the first `days` days as a sender hands it to the door, in the clear (synthetic)."""
        return (self.raw(event) for event in self.events(days))

    def raw(self, event: AnyEvent) -> bytes:
        """One event of this world as the door's input line, without `received_at`."""
        return raw_line(self.world, event)

    def _day(self, day: int, future: _Future) -> tuple[list[AnyEvent], dict[str, Truth]]:
        start = self.start + day * DAY_MS
        columns = ordinary_day(self.world, day, start, self.rate_scale)
        entries = logins(self.world, columns, start)
        honest_acts = itertools.chain(rare_acts(self.world, columns, start), errands(self.world, day, start))
        for draft in itertools.chain(honest_acts, self._campaigns(day, start)):
            future.drafts.setdefault((draft.received_at - self.start) // DAY_MS, []).append(draft)
        drafts = future.drafts.pop(day, [])

        arrivals = np.array([draft.received_at for draft in drafts], dtype=np.int64)
        order = np.argsort(
            np.concatenate([columns.received_at, entries.received_at, arrivals]), kind="stable"
        )
        # Ids follow arrival over all kinds of events: an id tells nothing of what the event is.
        ids = [""] * len(order)
        for rank, row in enumerate(order.tolist()):
            ids[row] = f"{self._tag}-d{day}-n{rank}"
        first, second = len(columns), len(columns) + len(entries)
        payments = with_papers(self.world, columns, transactions(self.world, columns, ids[:first]))
        made = [_event(draft, id_) for draft, id_ in zip(drafts, ids[second:], strict=True)]
        rows: list[AnyEvent] = [*payments, *login_events(self.world, entries, ids[first:second]), *made]

        truths: dict[str, Truth] = {}
        draw = rng(self.seed, "labels", day)
        for draft, event in zip(drafts, made, strict=True):
            if draft.typology is None:
                continue
            truths[event.id] = Truth(event.id, draft.kind, draft.typology, draft.scenario, draft.campaign)
            if isinstance(event, Transaction):
                label = fraud_label(draw, event, draft.typology, draft.label)
                if label is not None:
                    heapq.heappush(future.labels, (label.received_at, label.id, label))
        honest = (columns.channel == CNP) & (columns.code == 0)
        for row in np.flatnonzero(honest & (draw.random(first) < FRIENDLY)).tolist():
            label = friendly_label(draw, payments[row])
            heapq.heappush(future.labels, (label.received_at, label.id, label))

        events = [rows[row] for row in order.tolist()]
        while future.labels and future.labels[0][0] < start + DAY_MS:
            events.append(heapq.heappop(future.labels)[2])
        events.sort(key=attrgetter("received_at"))
        return events, truths

    def _campaigns(self, day: int, start: int) -> Iterator[Draft]:
        """The drafts of all campaigns that begin on `day`."""
        wanted: list[tuple[Scenario, float]] = [(BACKGROUND, self._background)]
        wanted += [(scenario, self._boost) for scenario in self._chosen]
        for scenario, factor in wanted:
            draw = rng(self.seed, f"campaign {scenario.name}", day)
            expected = self.transactions_per_day * scenario.share * factor / scenario.size
            count = int(draw.poisson(expected))
            if day == 0 and self.scenarios is not None and scenario is not BACKGROUND:
                count = max(count, 1)  # whoever names a scenario wants to meet it, in a short stream too
            for number in range(count):
                craft = Craft(self.world, draw, day)
                for draft in scenario.plan(craft, start):
                    draft.scenario = scenario.name
                    draft.campaign = f"{scenario.name}-d{day}-{number}"
                    yield draft


def _event(draft: Draft, id_: str) -> Transaction | Behaviour:
    fields = draft.fields
    if draft.kind == "behaviour":
        return Behaviour(id=id_, received_at=draft.received_at, **fields)
    reference: dict[str, Any] = {"uetr": uetr(id_)} if fields["channel"] == "transfer" else {}
    if fields["channel"] == "cnp":
        reference["order_id"] = f"o-{id_}"
    return Transaction(id=id_, received_at=draft.received_at, **reference, **fields)


def _letters(seed: int) -> str:
    """Six letters that tell streams of different seeds apart, without digits that could read as a number."""
    return "".join(chr(ord("a") + byte % 26) for byte in hashlib.sha256(b"%d" % seed).digest()[:6])


__all__ = ["DEFAULT_START", "NAMES", "Simulator", "Truth"]
