"""What a silence would keep quiet if it were in force now: counted before anybody sets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from alerts.routing.change import Change
from alerts.routing.feed import changes_of
from alerts.routing.keeping import KeepsRouting
from alerts.routing.matching import all_fit
from alerts.routing.silence import conditions_of

MOST = 20_000
EXAMPLES = 5


class Preview(msgspec.Struct, frozen=True):
    """alerts: all that are not resolved; looked: of these, how many were tried. matched: those it fits; waiting: of
    these, those nobody has taken, which are the ones that page. severities: matched ones. examples: the worst."""

    alerts: int
    looked: int
    matched: int
    waiting: int
    severities: dict[str, int]
    examples: list[Change]


def preview(store: KeepsRouting, texts: Sequence[str], most: int = MOST) -> Preview:
    """Try matchers on the alerts that are not resolved. Raises SettingsError for the matchers, StoreError."""
    conditions = conditions_of(texts)
    ids = store.live_alerts()
    looked, found = 0, []
    for change in changes_of(store, ids[:most]):
        looked += 1
        if all_fit(conditions, change):
            found.append(change)
    found.sort(key=lambda change: (change.severity, -change.at, change.id))
    severities: dict[str, int] = dict(sorted(Counter(change.severity for change in found).items()))
    waiting = sum(change.state == "open" for change in found)
    return Preview(len(ids), looked, len(found), waiting, severities, found[:EXAMPLES])
