"""Says how much to leave out while the flow is behind: at once when it falls behind, step by step when it has caught up.

Behind is told by the wait of a batch's oldest entry in the input stream: under 1 × `after_ms` nothing is left out, from
1 × on the advice, from 2 × on the enrichment, from 4 × on the wording. What is left out of a decision changes none.
"""

from __future__ import annotations

from models.shedding import Shed

CALM_MS = 2000
"""How long the wait must have been below half of a level's limit before what it leaves out is given again."""


class Shedding:
    """after_ms: see the module's docstring; 0 leaves nothing out, however long the wait."""

    def __init__(self, after_ms: int) -> None:
        self._after = after_ms
        self._calm_since: int | None = None
        self.level = Shed.NOTHING

    def observe(self, wait_ms: int, now: int) -> Shed:
        """The level for a batch whose oldest entry waited so long. now: ms, for the calm only."""
        if self._after <= 0:
            return Shed.NOTHING
        wanted = max(level for level in Shed if level == 0 or wait_ms >= self.limit(level))
        if wanted >= self.level:
            self.level, self._calm_since = wanted, None
        elif wait_ms >= self.limit(self.level) / 2:
            self._calm_since = None
        elif self._calm_since is None or now < self._calm_since:
            self._calm_since = now
        elif now - self._calm_since >= CALM_MS:
            self.level, self._calm_since = Shed(self.level - 1), now
        return self.level

    def limit(self, level: Shed) -> int:
        """The wait, ms, from which on this level is in force; 0 for NOTHING."""
        return 0 if level == Shed.NOTHING else self._after << (level - 1)
