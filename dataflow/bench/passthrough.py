"""The floor: what any engine would cost that decodes each event and has its decision written."""

from __future__ import annotations

from collections.abc import Sequence

from models.decision import Decision, Versions
from models.engine import Engine, Output
from models.events import Transaction, decode
from models.rows import Item

_NONE = Versions(model="", rules="", lists="", fx="")


class PassThrough(Engine):
    """Decides each transaction the same and remembers nothing; everything around it is as it is for the engine."""

    def step(self, items: Sequence[Item]) -> Output:
        """Decode, one constant decision a transaction."""
        output, counters = Output(), self.counters
        for item in items:
            event = decode(item.line or b"")
            counters.events_in += 1
            if type(event) is Transaction:
                counters.transactions += 1
                counters.decided += 1
                output.decisions.append(
                    Decision(
                        id=event.id, event_time=event.event_time, risk=0.0, band="low", action="APPROVE",
                        versions=_NONE,
                    )
                )  # fmt: skip
            else:
                counters.others += 1
        return output
