"""When and from whom a fraud becomes known.

Chargebacks take days (log-normal, median 6 days, at most 45), customers report within hours, analysts within
a day or two, disputes over a week. About one fraud in twelve never gets a label, and now and then an honest
purchase is charged back ("friendly fraud"): such a label says fraud and the ground truth does not.
Legitimate transactions get no label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataflow.simulation.craft import LabelKind
from dataflow.simulation.rhythm import DAY_MS, HOUR_MS
from models.events import Label, Transaction

LABELLED = 0.93
LABELLED_DECLINED = 0.88
FRIENDLY = 0.00022
"""Shares of approved frauds, declined frauds and honest purchases that get a fraud label."""
LONGEST_DELAY_MS = 45 * DAY_MS


class Delay(NamedTuple):
    """A log-normal delay in ms: median, sigma, and the bounds it is cut to."""

    median: float
    sigma: float
    least: int
    most: int


DELAYS: dict[LabelKind, Delay] = {
    "chargeback": Delay(6 * DAY_MS, 0.75, 6 * HOUR_MS, LONGEST_DELAY_MS),
    "customer_report": Delay(9 * HOUR_MS, 1.0, 10 * 60_000, 10 * DAY_MS),
    "analyst": Delay(20 * HOUR_MS, 0.8, 15 * 60_000, 10 * DAY_MS),
    "dispute": Delay(8 * DAY_MS, 0.6, DAY_MS, LONGEST_DELAY_MS),
}


def fraud_label(
    draw: np.random.Generator, payment: Transaction, typology: str, kind: LabelKind
) -> Label | None:
    """The label of a true fraud, or None if nobody ever notices."""
    declined = payment.authorisation == "declined"
    known = draw.random() < (LABELLED_DECLINED if declined else LABELLED)
    noise = draw.normal()
    if not known:
        return None
    # Nobody charges back what was never paid: a person finds it among the declines.
    source: LabelKind = "analyst" if declined and kind in ("chargeback", "dispute") else kind
    named = typology if source == "analyst" and typology != "other" else None
    return _label(payment, source, named, noise)


def friendly_label(draw: np.random.Generator, payment: Transaction) -> Label:
    """The false label of an honest purchase."""
    return _label(payment, "chargeback", None, draw.normal())


def _label(payment: Transaction, source: LabelKind, typology: str | None, noise: float) -> Label:
    delay = DELAYS[source]
    waited = min(max(int(delay.median * np.exp(delay.sigma * noise)), delay.least), delay.most)
    moment = payment.received_at + waited
    return Label(
        id=f"label-{payment.id}", event_time=moment - 250, received_at=moment, transaction_id=payment.id,
        fraud=True, source=source, typology=typology, actor="role-analyst" if source == "analyst" else None,
    )  # fmt: skip
