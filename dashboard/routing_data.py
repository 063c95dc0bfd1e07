"""The read model of routing: what the Silences & routing page reads and writes.

It goes through the console's one read model (data.py), so that readings are shared and kept in the same way. Times are ms
since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.alert import Alert
from alerts.merging import RuleSnooze
from alerts.routing.archive import attempts_of, subjects_of
from alerts.routing.intent import Done
from alerts.routing.keeping import Delivery, Resend
from alerts.routing.matching import length_ms
from alerts.routing.previewing import Preview, preview
from alerts.routing.reconciling import Reconciliation
from alerts.routing.silence import Silence, new_silence
from alerts.routing.view import View
from alerts.routing.why import Why
from alerts.rule_snoozes import SnoozeRow, snoozes_of
from alerts.store import Conflict, Store
from dashboard.data import ReadModel
from dashboard.readings import Beat, Pulse, Reading

SHOWN = 20
"""Subjects of a search, and dead letters."""
RECONCILED_FRESH_S = 60.0
"""Everything that is open is compared: about a second for thousands of alerts."""
ATTEMPTS_LOOKED_AT = 1000
"""The newest attempts, for the last failure of each receiver."""


class Asked(msgspec.Struct, frozen=True):
    """One subject of a search. why None: the router has no record of it; alert None: it is none, or it is not kept."""

    key: str
    why: Why | None
    alert: Alert | None


class Answer(msgspec.Struct, frozen=True):
    """One subject with everything its answer is made of. attempts: newest first; view None: no sender ran yet."""

    asked: Asked
    attempts: list[Delivery]
    silences: dict[str, Silence]
    view: View | None


class Tree(msgspec.Struct, frozen=True):
    """The routing in force. sender: its beat, empty if it never reported."""

    view: View | None
    silences: list[Silence]
    sender: Beat


class Deliveries(msgspec.Struct, frozen=True):
    """How the receivers stand. dead: given up and not taken since, newest first. asked: to be sent again, not yet taken
    up. last_errors: by receiver, the newest attempt that it did not take."""

    view: View | None
    dead: list[Done]
    asked: list[Resend]
    last_errors: dict[str, Delivery]


class RoutingData:
    """Readings and verbs of routing; shared by all sessions of the console."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model

    def pulse(self) -> Reading[Pulse]:
        """For the status line."""
        return self._model.pulse()

    def search(self, text: str) -> Reading[list[Asked]]:
        """What a search is about; an empty one: what came up last."""

        def take(store: Store) -> list[Asked]:
            return [_asked(store, key) for key in subjects_of(store, text, SHOWN)]

        return self._model.read(f"why:{text}", take)

    def answer(self, key: str) -> Reading[Answer]:
        """One subject in full."""

        def take(store: Store) -> Answer:
            asked = _asked(store, key)
            messages = [] if asked.why is None else [heard.message for heard in asked.why.heard]
            silences = {one.id: one for one in store.silences()}
            return Answer(
                asked, attempts_of(store, messages), silences, store.routing_view(self._model.now())
            )

        return self._model.read(f"answer:{key}", take)

    def tree(self) -> Reading[Tree]:
        """The tree, schedules and silences."""

        def take(store: Store) -> Tree:
            view = store.routing_view(self._model.now())
            return Tree(view, store.silences(), store.beats().get("sender", {}))

        return self._model.read("routing", take)

    def silences(self) -> Reading[list[Silence]]:
        """Those that hold, are planned, or ended within a week; the first to end first."""
        return self._model.read("silences", lambda store: store.silences())

    def snoozes(self) -> Reading[list[SnoozeRow]]:
        """Every snoozed alert and every snoozed rule, the first to end first."""
        return self._model.read("snoozes", snoozes_of)

    def deliveries(self) -> Reading[Deliveries]:
        """The receivers, and what they never took."""

        def take(store: Store) -> Deliveries:
            failed: dict[str, Delivery] = {}
            for one in store.deliveries(ATTEMPTS_LOOKED_AT):
                if one.outcome != "delivered":
                    failed.setdefault(one.receiver, one)
            dead = store.dead_messages(SHOWN)
            return Deliveries(store.routing_view(self._model.now()), dead, store.resends(), failed)

        return self._model.read("receivers", take)

    def reconciled(self) -> Reading[Reconciliation]:
        """Alerts stored against pages delivered."""
        return self._model.read(
            "reconciled", lambda store: store.reconcile(self._model.now()), RECONCILED_FRESH_S
        )

    def preview(self, texts: Sequence[str]) -> Reading[Preview]:
        """What a silence would hold now. Raises SettingsError."""
        return self._model.read(f"preview:{sorted(texts)}", lambda store: preview(store, texts))

    # verbs; they raise StoreError (RefusedError for the role) and SettingsError

    def add_silence(
        self, texts: Sequence[str], later: str, length: str, reason: str, actor: str, role: str
    ) -> Silence:
        """Silence what fits, from `later` on for `length`, both as people write them."""
        now = self._model.now()
        begins = now + length_ms(later, "later")
        made = new_silence(texts, actor, reason, now, begins, begins + length_ms(length, "length"))
        self._model.write(lambda store: store.add_silence(made, role))
        return made

    def end_silence(self, id_: str, reason: str, actor: str, role: str) -> bool:
        """End it now; False: it has ended."""
        now = self._model.now()
        return self._model.write(lambda store: store.expire_silence(id_, actor, role, reason, now))

    def snooze_rule(
        self, rule: str, entity_kind: str, entity: str, severity: str, length: str, reason: str, actor: str, role: str
    ) -> None:  # fmt: skip
        """Keep a rule quiet on an entity for `length`, as people write it, up to a severity."""
        now = self._model.now()
        snooze = RuleSnooze(
            rule=rule, entity_kind=entity_kind, entity=entity, severity=severity, since=now,  # type: ignore[arg-type]
            until=now + length_ms(length, "length"), actor=actor, role=role, reason=reason,
        )  # fmt: skip
        self._model.write(lambda store: store.snooze_rule(snooze, now))

    def lift_snooze(self, key: str, reason: str, actor: str, role: str) -> bool:
        """End the snooze of a rule on an entity; False: it has ended."""
        now = self._model.now()
        return self._model.write(lambda store: store.lift_snooze(key, actor, role, reason, now))

    def wake_alert(self, alert_id: str, reason: str, actor: str, role: str) -> bool:
        """Open a snoozed alert again; False: it is not snoozed any more."""
        now = self._model.now()

        def call(store: Store) -> bool:
            alert = store.alert(alert_id)
            if alert is None or alert.status != "snoozed":
                return False
            after = store.set_status(alert_id, alert.version, "open", actor, now, role, reason)
            return not isinstance(after, Conflict)

        return self._model.write(call)

    def resend(self, message: str, reason: str, actor: str, role: str) -> None:
        """Have a message sent again under its id."""
        now = self._model.now()
        self._model.write(lambda store: store.ask_resend(message, actor, role, reason, now))


def _asked(store: Store, key: str) -> Asked:
    return Asked(key, store.why(key), store.alert(key))
