"""Who serves: the champion, and when a challenger takes its place.

All candidates live in one snapshot (models/snapshot.py) and are scored on every settled example before it is learnt.
They are compared by a paired test on differences of weighted log-loss, a proper score, summed over blocks of examples so
that neighbours in time may depend on each other (Diebold and Mariano, "Comparing Predictive Accuracy", Journal of
Business & Economic Statistics 13, 1995; blocks as in the method of batch means).

A challenger is promoted when it is better at z ≥ `z` and by at least the share `gain` in `consecutive` checks in a row,
ranks the window no worse, and the last change is `cool_down` examples ago. It is taken back while it is on probation when
its predecessor is better at `rollback_z`; it may then not challenge again for a time that doubles each time. When the
champion's skill falls below a share of its own past, the predecessor, the last known good snapshot or, last, the
base rate (only the rules decide then) takes over, if that is better than the champion now. An operator's pin
overrules all of it. Counts of examples only, no clock and no chance: equal calls, equal champions.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from models.errors import SnapshotError
from models.learner_report import Change, Mark, Trial
from models.quality import Ranking
from models.settled import NOWHERE, Origin, SettledWindow
from models.snapshot import BASE, CANDIDATES, STACK
from models.standings import log_losses

Float = npt.NDArray[np.float64]
KNOWN_GOOD = "known_good"
"""The whole snapshot that was last confirmed to be healthy, as it was."""
COLUMNS = (*CANDIDATES, BASE, KNOWN_GOOD)
"""Everything that may serve, in the order of the risks given to `Champions.add`."""
AUTOMATIC = "auto"
"""What a Control event of kind `champion` names instead of a candidate to end a pin."""
CHECK = 1000
"""Examples learnt between two checks."""
_CHANGES = 100


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring. Counts are settled examples; blocks hold `block` of them.

    blocks: of the promotion test; recent: of rollback and health. fewest_frauds: in the blocks of a promotion test.
    drop: share of its usual skill (1 − log-loss / log-loss of the base rate) that a champion may lose; least_skill: usual
    skill from which that means anything.
    """

    block: int = 250
    blocks: int = 20
    recent: int = 8
    fewest_frauds: int = 100
    z: float = 3.0
    consecutive: int = 3
    gain: float = 0.01
    cool_down: int = 10_000
    probation: int = 20_000
    rollback_z: float = 2.5
    rollback_consecutive: int = 2
    barred: int = 20_000
    drop: float = 0.5
    least_skill: float = 0.05


class Pin(msgspec.Struct, frozen=True):
    """An operator's choice. before: the champion that serves again once it ends."""

    name: str
    actor: str
    reason: str
    before: str


class Champions:
    """The standing of every candidate and the one that serves. Can be pickled; memory is bounded.

    champion: name of what serves. healthy: the last check found nothing wrong with it. changes, marks: the newest ones;
    made: changes so far.
    """

    def __init__(self, policy: Policy | None = None, first: str = STACK) -> None:
        self.policy = Policy() if policy is None else policy
        self.champion = first
        self.pinned: Pin | None = None
        self.settled = 0
        self.healthy = False
        self.made = 0
        self.changes: deque[Change] = deque(maxlen=_CHANGES)
        self.marks: deque[Mark] = deque(maxlen=_CHANGES)
        self.window = SettledWindow(len(COLUMNS))
        # A block: summed losses by column, frauds, and the number of its first example.
        self._blocks: deque[tuple[Float, int, int]] = deque(maxlen=self.policy.blocks)
        self._sums, self._frauds, self._held = np.zeros(len(COLUMNS)), 0, 0
        self._before: str | None = None
        self._changed, self._on_probation = 0, False
        self._free = 0
        self._streaks: dict[str, int] = {}
        self._returning, self._degraded = 0, 0
        self._usual: float | None = None
        self._barred: dict[str, int] = {}
        self._taken_back: dict[str, int] = {}

    def add(
        self, risks: Sequence[float] | Float, fraud: bool, weight: float, key: int = -1, origin: Origin = NOWHERE
    ) -> None:  # fmt: skip
        """Take a settled example: what each of COLUMNS said before it was learnt (NaN: nothing yet).

        weight: payments it stands for, every sampling undone. key ≥ 0 names the transaction.
        """
        told = np.asarray(risks, dtype=np.float64)
        if not self.window.add(told, fraud, weight, key, origin):
            return
        self._sums += weight * log_losses(told[None, :], np.array([fraud]))[0]
        self._frauds += fraud
        self._held += 1
        self.settled += 1
        if self._held == self.policy.block:
            self._blocks.append((self._sums, self._frauds, self.settled - self._held))
            self._sums, self._frauds, self._held = np.zeros(len(COLUMNS)), 0, 0

    def check(self, at: int) -> Change | None:
        """Judge the champion and its challengers; the change made, if any. at: time of the stream, ms."""
        self._judge(at)
        if self.pinned is not None:
            return None
        return self._rollback(at) or self._fallback(at) or self._promotion(at)

    def pin(self, name: str, actor: str, reason: str, at: int) -> Change:
        """Have a candidate serve until `release`, whatever the tests say. Raises SnapshotError for an unknown name."""
        if name not in COLUMNS:
            raise SnapshotError(f"there is no candidate {name!r}: choose one of {', '.join(COLUMNS)}")
        before = self.pinned.before if self.pinned is not None else self.champion
        change = self._change("pinned", name, actor, reason, at)
        self.pinned = Pin(name, actor, reason, before)
        return change

    def release(self, actor: str, reason: str, at: int) -> Change:
        """End the pin: what served before it serves again. Raises SnapshotError when nothing is pinned."""
        if self.pinned is None:
            raise SnapshotError("no candidate is pinned: there is nothing to release")
        before, self.pinned = self.pinned.before, None
        return self._change("released", before, actor, reason, at)

    def since(self, made: int) -> list[Change]:
        """The changes after the first `made` ones, as far as they are still kept."""
        return list(self.changes)[max(len(self.changes) - (self.made - made), 0) :]

    def trial(self, name: str) -> Trial | None:
        """How the test of a candidate against the champion stands; None where there is none to tell of."""
        blocks, policy = self._losses(), self.policy
        if name == self.champion or name not in CANDIDATES or not blocks:
            return None
        return Trial(
            name=name, blocks=len(blocks), blocks_needed=policy.blocks, frauds=sum(found for _, found, _ in self._blocks),
            frauds_needed=policy.fewest_frauds, z=_told(self.advantage(name, self.champion, blocks)), z_needed=policy.z,
            gain=_told(1.0 - self._loss(name, blocks) / self._loss(self.champion, blocks)), gain_needed=policy.gain,
            passed=self._streaks.get(name, 0), passes_needed=policy.consecutive,
            waits=max(max(self._free, self._barred.get(name, 0)) - self.settled, 0),
        )  # fmt: skip

    def advantage(self, name: str, over: str, blocks: Sequence[Float]) -> float:
        """z of the mean difference in block losses, positive when `name` is better; NaN where one did not speak."""
        if len(blocks) < 2:
            return math.nan
        table = np.array(blocks)
        gained = table[:, COLUMNS.index(over)] - table[:, COLUMNS.index(name)]
        mean, spread = float(gained.mean()), float(gained.std(ddof=1))
        if spread == 0.0:
            return math.copysign(math.inf, mean) if mean else 0.0
        return mean / (spread / math.sqrt(len(gained)))

    def _losses(self, since: int = 0) -> list[Float]:
        return [sums for sums, _, start in self._blocks if start >= since]

    def _recent(self) -> list[Float]:
        return self._losses()[-self.policy.recent :]

    def _loss(self, name: str, blocks: Sequence[Float]) -> float:
        return float(sum(block[COLUMNS.index(name)] for block in blocks))

    def _judge(self, at: int) -> None:
        """Compare the champion's skill of late with its usual one."""
        recent, policy = self._recent(), self.policy
        self.healthy = False
        if self.champion == BASE or len(recent) < policy.recent:
            return
        skill = 1.0 - self._loss(self.champion, recent) / self._loss(BASE, recent)
        if math.isnan(skill):
            return
        usual = skill if self._usual is None else self._usual
        bad = usual >= policy.least_skill and skill < (1.0 - policy.drop) * usual
        self.healthy = not bad and skill > 0.0
        # What is bad for long becomes usual, but slowly: the fall must be seen first.
        self._usual = 0.98 * usual if bad else usual + 0.1 * (skill - usual)
        self._degraded = self._degraded + 1 if bad else 0
        if self._degraded == policy.consecutive:
            name = self.champion
            self.marks.append(
                Mark(
                    at=at, kind="score", name=name,
                    text_en=f"{name} predicts far worse than it used to: skill {skill:.3f}, usually {usual:.3f}",
                    text_zh=f"{name} 的预测明显变差：技能得分 {skill:.3f}，通常为 {usual:.3f}",
                )
            )  # fmt: skip

    def _rollback(self, at: int) -> Change | None:
        policy, before = self.policy, self._before
        if not self._on_probation or before is None:
            return None
        if self.settled >= self._changed + policy.probation:
            self._on_probation = False
            return None
        since = self._losses(self._changed)
        z = self.advantage(before, self.champion, since) if len(since) >= policy.recent else math.nan
        self._returning = self._returning + 1 if z >= policy.rollback_z else 0
        if self._returning < policy.rollback_consecutive:
            return None
        return self._take_back(before, f"{before} predicts better since then, z {z:.1f}", at)

    def _fallback(self, at: int) -> Change | None:
        if self._degraded < self.policy.consecutive:
            return None
        recent = self._recent()
        others = sorted(CANDIDATES, key=lambda name: self._loss(name, recent))
        # Last known good first, the rules alone last.
        for name in dict.fromkeys([self._before or STACK, KNOWN_GOOD, *others, BASE]):
            if name == self.champion:
                continue
            z = self.advantage(name, self.champion, recent)
            if z >= self.policy.z:
                return self._take_back(
                    name, f"{self.champion} fell far below its own past; {name} is better now, z {z:.1f}", at
                )
        return None

    def _promotion(self, at: int) -> Change | None:
        policy, blocks = self.policy, self._losses()
        frauds = sum(found for _, found, _ in self._blocks)
        if self.settled < self._free or len(blocks) < policy.blocks or frauds < policy.fewest_frauds:
            self._streaks.clear()
            return None
        own = self._loss(self.champion, blocks)
        ready = []
        for name in CANDIDATES:
            if name == self.champion or self.settled < self._barred.get(name, 0):
                self._streaks.pop(name, None)
                continue
            loss, z = self._loss(name, blocks), self.advantage(name, self.champion, blocks)
            better = z >= policy.z and loss <= (1.0 - policy.gain) * own
            self._streaks[name] = self._streaks.get(name, 0) + 1 if better else 0
            if self._streaks[name] >= policy.consecutive and self._ranks_no_worse(name):
                ready.append((loss, z, name))
        if not ready:
            return None
        loss, z, name = min(ready)
        reason = (
            f"log-loss {100 * (1 - loss / own):.1f} % below that of {self.champion} over "
            f"{policy.block * len(blocks)} examples with {frauds} frauds, z {z:.1f}, {policy.consecutive} checks in a row"
        )
        return self._change("promoted", name, "learner", reason, at)

    def _ranks_no_worse(self, name: str) -> bool:
        settled = self.window.read()
        own, other = (settled.risks[:, COLUMNS.index(n)] for n in (self.champion, name))
        if np.isnan(own).any() or np.isnan(other).any():
            return not np.isnan(other).any()
        return Ranking(settled.fraud, other).average_precision(settled.weight) >= Ranking(
            settled.fraud, own
        ).average_precision(settled.weight)

    def _take_back(self, name: str, reason: str, at: int) -> Change:
        failed = self.champion
        times = self._taken_back[failed] = self._taken_back.get(failed, 0) + 1
        self._barred[failed] = self.settled + self.policy.barred * 2 ** min(times - 1, 10)
        return self._change("rolled_back", name, "learner", reason, at)

    def _change(self, kind: str, name: str, actor: str, reason: str, at: int) -> Change:
        change = Change(at=at, kind=kind, before=self.champion, after=name, actor=actor, reason=reason)
        self._before, self._on_probation = self.champion, kind == "promoted"
        self.champion, self._changed = name, self.settled
        self._free = self.settled + self.policy.cool_down
        self._streaks.clear()
        self._returning, self._degraded, self._usual = 0, 0, None
        return self.note(change)

    def note(self, change: Change) -> Change:
        """Tell of a change."""
        self.changes.append(change)
        self.made += 1
        return change


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
