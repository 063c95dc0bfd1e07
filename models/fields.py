"""A batch of events taken apart: every field of its payments, and of its behaviours, as one tuple.

One call of C code for each event instead of one step of Python for each field of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from models.events import AnyEvent, Behaviour, Control, Heartbeat, Label, Settlement, Transaction
from models.ledger_walk import ACT, LABEL, PAY, SKIP
from models.windows import Int64

Columns = Mapping[str, tuple[Any, ...]]
_KIND: dict[type, int] = {
    Transaction: PAY, Behaviour: ACT, Label: LABEL, Heartbeat: SKIP, Settlement: SKIP, Control: SKIP,
}  # fmt: skip


class Fields(NamedTuple):
    """A batch of n events.

    kinds (n,): as in models.ledger_walk. pay (m,), act (b,), told (l,): places of payments, behaviours and labels.
    payments, behaviours: values by field, in order.
    """

    kinds: npt.NDArray[np.int8]
    pay: Int64
    act: Int64
    told: Int64
    payments: Columns
    behaviours: Columns

    def only(self, events: Sequence[AnyEvent], wanted: Int64) -> Fields:
        """With these of the payments alone; events: of the batch. The others become SKIP rows."""
        kinds, pay = self.kinds.copy(), self.pay[wanted]
        kinds[self.pay], kinds[pay] = SKIP, PAY
        payments = fields_by_name(Transaction, [events[i] for i in pay.tolist()])
        return self._replace(kinds=kinds, pay=pay, payments=payments)


def fields_of(events: Sequence[AnyEvent]) -> Fields:
    """Take a batch apart. Events of other kinds become SKIP rows."""
    kinds = np.fromiter(map(_KIND.__getitem__, map(type, events)), dtype=np.int8, count=len(events))
    pay, act = np.flatnonzero(kinds == PAY), np.flatnonzero(kinds == ACT)
    payments = fields_by_name(Transaction, [events[i] for i in pay.tolist()])
    behaviours = fields_by_name(Behaviour, [events[i] for i in act.tolist()])
    return Fields(kinds, pay, act, np.flatnonzero(kinds == LABEL), payments, behaviours)


def fields_by_name(kind: type[msgspec.Struct], events: Sequence[msgspec.Struct]) -> Columns:
    """Values by field of events of one kind."""
    names = kind.__struct_fields__
    if not events:
        return dict.fromkeys(names, ())
    return dict(zip(names, zip(*map(msgspec.structs.astuple, events), strict=True), strict=True))


def known(column: tuple[Any, ...]) -> int:
    """How many values of a column are not None."""
    return len(column) - column.count(None)


def texts(column: Sequence[str | None]) -> Sequence[str]:
    """A column with "" where it has None."""
    return ["" if text is None else text for text in column] if None in column else column  # type: ignore[return-value]
