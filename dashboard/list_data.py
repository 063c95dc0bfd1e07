"""The read model of the red, amber and green lists: what the Lists page reads and writes. Times are ms, UTC."""

from __future__ import annotations

from collections import Counter

import msgspec

from alerts.lists.adding import new_entry, shared_hashes
from alerts.lists.changing import add_entries, in_force, remove_entries
from alerts.lists.exporting import export_shared
from alerts.lists.importing import Imported, import_shared
from alerts.lists.kept import Kept
from alerts.lists.settings import ListSettings
from alerts.store import Store
from dashboard.data import ReadModel
from dashboard.readings import Pulse, Reading
from models.lists import LISTS, Key, Listed, ListName, Lists

FRESH_S = 3.0
SHOWN = 500


class Entries(msgspec.Struct, frozen=True):
    """What is in force. rows: SHOWN at most that fit the search, block first, the newest first; found: how many fit.

    counts: by list, of all in force. by_law: of these. ending: those that end within a day. awaited: shared indicators
    whose value nobody has shown us yet. version: of the content, as decisions name it.
    """

    rows: list[Kept]
    found: int
    counts: dict[ListName, int]
    by_law: int
    ending: int
    awaited: int
    version: str
    at: int


class ListData:
    """Readings and verbs of the lists; shared by all sessions of the console."""

    def __init__(self, model: ReadModel, settings: ListSettings) -> None:
        self._model, self._settings = model, settings

    @property
    def exchanges(self) -> list[str]:
        """Those we are a member of, by name."""
        return [one.name for one in self._settings.exchanges]

    def pulse(self) -> Reading[Pulse]:
        """For the status line."""
        return self._model.pulse()

    def entries(self, which: str, text: str) -> Reading[Entries]:
        """Entries of one list ("": of all) in which a text occurs: token, kind, source, reason or who added it."""

        def take(store: Store) -> Entries:
            now = self._model.now()
            at, kept = store.stream_time() or now, in_force(store, now)
            fit = [one for one in kept if which in ("", one.entry.list) and _has(one, text)]
            fit.sort(key=lambda one: (LISTS.index(one.entry.list), -one.added_at, one.entry.key))
            return Entries(
                rows=fit[:SHOWN], found=len(fit), counts=dict(Counter(one.entry.list for one in kept)),
                by_law=sum(one.entry.basis == "law" for one in kept),
                ending=sum(one.entry.until is not None and one.entry.until - at <= 86_400_000 for one in kept),
                awaited=len(store.awaited_indicators()), version=Lists(one.entry for one in kept).version, at=at,
            )  # fmt: skip

        return self._model.read(f"lists:{which}:{text}", take, FRESH_S)

    # verbs; they raise StoreError (RefusedError for the role), SettingsError and CustodyError

    def add(
        self, list_: str, entity: str, token: str, *, source: str, reason: str, confidence: int, days: float | None,
        action: str | None, actor: str, role: str,
    ) -> Listed:  # fmt: skip
        """Put an entity on a list. days None: the law demands it, without an end."""
        now, exchanges = self._model.now(), self._settings.all()

        def call(store: Store) -> Listed:
            entry = new_entry(
                list_, entity, token, source=source, reason=reason, confidence=confidence, days=days,
                by_law=days is None, action=action, at=store.stream_time() or now,
            )  # fmt: skip
            hashes = {entry.key: shared_hashes(exchanges, entity, entry.token)}
            add_entries(store, [entry], actor=actor, role=role, now=now, hashes=hashes)
            return entry

        return self._model.write(call)

    def remove(self, key: Key, reason: str, actor: str, role: str) -> None:
        """Take an entity off a list."""
        now = self._model.now()
        self._model.write(
            lambda store: remove_entries(store, [key], actor=actor, role=role, now=now, reason=reason)
        )

    def take_in(self, exchange: str, data: bytes, name: str, actor: str, role: str) -> Imported:
        """Take a file of shared indicators in."""
        now, known = self._model.now(), self._settings.exchange(exchange)
        return self._model.write(
            lambda store: import_shared(
                store,
                known,
                data,
                name,
                actor=actor,
                role=role,
                now=now,
                block_from=self._settings.block_from,
            )
        )

    def give_out(self, exchange: str, actor: str, role: str) -> tuple[bytes, int, int]:
        """A file of our own entries, how many are in it, and how many have no hash of the exchange."""
        now, known = self._model.now(), self._settings.exchange(exchange)
        return self._model.write(lambda store: export_shared(store, known, actor=actor, role=role, now=now))


def _has(one: Kept, text: str) -> bool:
    entry, wanted = one.entry, text.strip().casefold()
    told = (entry.token, entry.entity, entry.source, entry.reason, one.added_by, entry.basis)
    return not wanted or any(wanted in part.casefold() for part in told)
