"""The detector: signals in, surges and failures out, on whatever clock it is given. Pure but for its own state."""

from __future__ import annotations

import msgspec

from alerts.response.breakdowns import breakdowns
from alerts.response.detection import Detection, DetectorSettings, detector_settings
from alerts.response.failures import WatchState, failures
from alerts.response.signals import Signals
from alerts.response.surges import surges


class Detector:
    """`step` says all that is going on now, each time anew; whoever keeps incidents joins what belongs together.

    state: what it must remember over a restart.
    """

    def __init__(self, settings: DetectorSettings | None = None, state: WatchState | None = None) -> None:
        self.settings = detector_settings() if settings is None else settings
        self.state = WatchState() if state is None else state

    def step(self, now: int, signals: Signals) -> list[Detection]:
        """Surges and failures at `now` (the people's clock, ms), in a fixed order."""
        present = msgspec.structs.replace(signals, now=now)
        found = failures(present, self.settings, self.state)
        found += breakdowns(present, self.settings, self.state)
        if signals.reachable:
            found = surges(signals, self.settings) + found
        return found
