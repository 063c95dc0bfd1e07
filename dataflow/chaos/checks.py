"""What a killed and restarted system has to show against the witness, and where it does not."""

from __future__ import annotations

from itertools import zip_longest

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.chaos.feed import Feed
from dataflow.chaos.inbox import Inbox
from dataflow.chaos.witness import Witness, alerts_in, line_of
from dataflow.replay import Digest
from dataflow.scoring import now_ms
from models.decision import Counters
from models.errors import EventError
from models.events import Control, decode

DECISIONS = "tg:decisions"
SHOWN = 3
"""Differences of one kind that are told."""
BY_CLOCK = {"vectors_waiting"}
"""Counters that are of the moment of the last batch."""


class Checks:
    """Compares what `store` has, and what `inbox` was told, with `witness`, round by round."""

    def __init__(
        self, link: RedisLink, store: RedisStore, feed: Feed, inbox: Inbox, witness: Witness
    ) -> None:
        self._link, self._store, self._feed = link, store, feed
        self._inbox, self._witness = inbox, witness
        self.digest = Digest()
        self.models: list[str] = []
        self._last = 0
        self._counted = Counters()

    def settled(self) -> bool:
        """Everything that came is counted, and every alert was told as bad as it is. Raises StoreError."""
        self._counted = self._store.counters()
        # After the counting: what was counted is journalled by now, and what is journalled since was not counted.
        self._feed.look()
        if self._counted.events_in != self._feed.sent + self._feed.controls:
            return False
        return {(a.id, a.severity) for a in alerts_in(self._store).values()} <= self._inbox.told()

    def violations(self) -> list[str]:
        """What was not as undisturbed when all was settled; to be called right then. Raises StoreError."""
        expected: list[bytes] = []
        for batch in self._feed.taken():
            expected += self._witness.take(batch, now_ms())
            self._note_models([item.line or b"" for item in batch])
        found = self._decisions(expected) + self._counters() + self._alerts() + self._letters()
        published = self._witness.published[: len(self.models)]
        if self.models != published:
            found.append(f"models were published as {self.models[-SHOWN:]}, undisturbed {published[-SHOWN:]}")
        return found + self._inbox.violations()[:SHOWN]

    def _note_models(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                event = decode(line)
            except EventError:
                continue
            # One that was killed before it had saved publishes the same again; so does one that has little to learn from.
            if isinstance(event, Control) and event.version not in self.models[-1:]:
                self.models.append(event.version)

    def _decisions(self, expected: list[bytes]) -> list[str]:
        with self._link.speaking() as client:
            entries = client.xrange(DECISIONS, f"({self._last}-0", "+")
        found, start = [], self._last
        for n, (entry, wanted) in enumerate(zip_longest(entries, expected), start + 1):
            made = None if entry is None else line_of(entry[1][b"d"])
            if entry is not None:
                self._last = int(entry[0].split(b"-")[0])
                self.digest.take((made or b"") + b"\n", ())
            if made != wanted or self._last != n:
                found.append(f"decision {n} is {made!r} under ordinal {self._last}, undisturbed {wanted!r}")
        return found[:SHOWN]

    def _counters(self) -> list[str]:
        # As they were then: the learner may publish at any time, and a Control is counted too.
        counters, wanted = self._counted, self._witness.store.counters()
        found = [] if counters.balanced() else [f"the counters do not add up: {counters}"]
        for name in Counters.__struct_fields__:
            here, there = getattr(counters, name), getattr(wanted, name)
            if here != there and name not in BY_CLOCK:
                found.append(f"counter {name} is {here}, undisturbed {there}")
        return found

    def _alerts(self) -> list[str]:
        here, there = alerts_in(self._store), alerts_in(self._witness.store)
        odd = [id_ for id_ in here.keys() | there.keys() if here.get(id_) != there.get(id_)]
        return [f"alert {here.get(id_)}, undisturbed {there.get(id_)}" for id_ in sorted(odd)[:SHOWN]]

    def _letters(self) -> list[str]:
        most = self._witness.store.counters().dead_letters + 1
        here = [(letter.reason, letter.place) for letter in self._store.dead_letters(most)]
        there = [(letter.reason, letter.place) for letter in self._witness.store.dead_letters(most)]
        return [] if here == there else [f"dead letters are {here[:SHOWN]}, undisturbed {there[:SHOWN]}"]


def learnt(link: RedisLink, store: RedisStore) -> bool:
    """Whether the learner has taken every example. Raises StoreError."""
    with link.speaking() as client:
        newest = client.xrevrange("tg:examples", "+", "-", count=1)
    # Entries behind its position may be trimmed, all of them as well.
    position = str(store.beats().get("learner", {}).get("position", ""))
    return not newest or newest[0][0].decode() == position
