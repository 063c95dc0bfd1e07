"""A simulated stream read to the end, with its ground truth, for the tests of what is in it."""

from __future__ import annotations

from collections import defaultdict

from dataflow.simulate import Simulator, Truth
from models.events import AnyEvent, Behaviour, Label, Transaction


class Recording:
    """A stream read to the end, with its ground truth."""

    def __init__(self, seed: int, days: float, **parameters: object) -> None:
        simulator = Simulator(seed, **parameters)  # type: ignore[arg-type]
        told: list[Truth] = []
        simulator.truth = told.append
        self.events: list[AnyEvent] = list(simulator.events(days))
        self.truth = {truth.id: truth for truth in told}
        self.told = told
        self.payments = [e for e in self.events if isinstance(e, Transaction)]
        self.acts = [e for e in self.events if isinstance(e, Behaviour)]
        self.labels = [e for e in self.events if isinstance(e, Label)]

    def of(self, typology: str) -> list[Transaction]:
        return [e for e in self.payments if e.id in self.truth and self.truth[e.id].typology == typology]

    def campaigns(self, typology: str) -> list[list[Transaction]]:
        found: dict[str, list[Transaction]] = defaultdict(list)
        for payment in self.of(typology):
            found[self.truth[payment.id].campaign].append(payment)
        return list(found.values())
