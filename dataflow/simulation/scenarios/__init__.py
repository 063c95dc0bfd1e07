"""The registry of injected typologies. To add one: one class with `plan`, one entry here."""

from __future__ import annotations

from dataflow.simulation.scenarios.accounts import AccountTakeover, CredentialStuffing, ScamNewPayee
from dataflow.simulation.scenarios.background import StolenCard
from dataflow.simulation.scenarios.base import SPAN_DAYS, Scenario
from dataflow.simulation.scenarios.cards import CardTesting, ImpossibleTravel
from dataflow.simulation.scenarios.commerce import BustOut, RefundAbuse, Triangulation
from dataflow.simulation.scenarios.flows import PassThrough, RoundTrip
from dataflow.simulation.scenarios.laundering import Mule, Structuring
from dataflow.simulation.scenarios.parties import DeviceFarm, ListedCorridor, ListEvasion, ThreeCountries
from dataflow.simulation.scenarios.timing import DormantWakes, OddHours
from dataflow.simulation.scenarios.trade import SyntheticMerchant, TradeMismatch
from models.errors import SettingsError

SCENARIOS: tuple[Scenario, ...] = (
    CardTesting(),
    AccountTakeover(),
    Triangulation(),
    RefundAbuse(),
    Mule(),
    Structuring(),
    ImpossibleTravel(),
    BustOut(),
    CredentialStuffing(),
    ScamNewPayee(),
    SyntheticMerchant(),
    PassThrough(),
    DormantWakes(),
    ThreeCountries(),
    DeviceFarm(),
    ListedCorridor(),
    OddHours(),
    RoundTrip(),
    TradeMismatch(),
    ListEvasion(),
)
BACKGROUND = StolenCard()
QUIET = "quiet"
"""The name of the control: nothing is injected, and hardly any background fraud."""
NAMES = (*(scenario.name for scenario in SCENARIOS), QUIET)


def chosen(names: tuple[str, ...] | None) -> tuple[Scenario, ...]:
    """The scenarios of these names; None means all of them.

    Raises SettingsError for an unknown name, and for `quiet` together with another.
    """
    if names is None:
        return SCENARIOS
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise SettingsError(f"unknown scenario {', '.join(unknown)}: choose from {', '.join(NAMES)}")
    if QUIET in names and len(set(names)) > 1:
        raise SettingsError(
            "scenario quiet is the control and stands alone: leave it out or name nothing else"
        )
    return tuple(scenario for scenario in SCENARIOS if scenario.name in names)


__all__ = ["BACKGROUND", "NAMES", "QUIET", "SCENARIOS", "SPAN_DAYS", "Scenario", "chosen"]
