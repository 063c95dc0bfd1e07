"""Pages while the store is away: by the same routing, from a store in memory, because the sender's own cannot be read.

What is routed here is only the store's own outage, from its beginning to its end, so nothing is told twice. The ids of
messages come from the subject and its version as everywhere.
"""

from __future__ import annotations

from alerts.memory_store import MemoryStore
from alerts.receivers.attempts import Attempts, InThreads
from alerts.receivers.post import addresses_of, new_client
from alerts.receivers.receiver import Wire
from alerts.routing.change import Change
from alerts.routing.sender import Sender
from dataflow.sender import plan_of, receivers_of
from dataflow.settings import Settings


class DirectPages:
    """A sender of our own over memory. It is made when it is first needed, by the settings as they are then."""

    def __init__(self, settings: Settings, attempts: Attempts | None = None) -> None:
        self._settings, self._store, self._attempts = settings, MemoryStore(), attempts or InThreads()
        self._sender: Sender | None = None

    def tell(self, changes: list[Change]) -> None:
        """Take in what is to be told. Raises SettingsError when the routing cannot be read."""
        if changes and self._sender is None:
            plan = plan_of(self._settings)
            self._sender = Sender(
                self._store,
                plan,
                receivers_of(plan),
                self._attempts,
                Wire(new_client(), addresses_of),
                self._settings.webhooks.console_url,
            )
        for change in changes:
            self._store.announce(change)

    def step(self, now: int) -> None:
        """Send what is due, again what was not taken."""
        if self._sender is not None:
            self._sender.step(now)
            self._sender.wait(0.0)
