"""Poisoning: when labels surge from one source, actor or corridor, learning from it weighs down or stops, and says so.

Who can send labels can teach the models (Biggio, Nelson and Laskov, "Poisoning Attacks against Support Vector Machines",
ICML 2012). Whether a label is true nobody can tell in time; how many come can be counted. In every WINDOW examples each
source may teach as much as TWICE its own past and what chance explains, or a floor that lets a new one begin. What is
more is thinned by hash to that allowance (weighed down); of an actor, from FREEZES times the allowance on nothing is
learnt (frozen). So the influence of any one source stays bounded (as a Huber weight bounds that of an outlier), and
a wave of real fraud is still learnt, only not without end. Labels that contradict the models are counted for
themselves: an actor with a past is caught by them before he is by their number.

Its own past follows what was admitted, over some FORGETS examples, and stands still in a surge. A surge ends by itself,
or when an operator trusts the source; what was held back last is then learnt. It fails against a flood in the first
WARM examples, and against one that stays below the allowance.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from models.errors import SnapshotError
from models.learner_report import Mark, Surge
from models.settled import Origin

WINDOW, WARM = 500, 2000
BLOCK, FORGETS = 100, 20_000
TWICE, CHANCE, FREEZES, ENDS = 2.0, 3.0, 3.0, 0.7
FLOOR = {"actor": 5.0, "source": 15.0, "corridor": 25.0}
"""Labels in a window that one without a past may bring: 1 %, 3 % and 5 % of the examples. Of a new actor who surges his
source sees 5 · (1 + ln FREEZES) before he is frozen: its floor is above that, so that one actor is one surge."""
CONTRADICTS = 0.02
"""A label contradicts the models when they gave less than this to what it says."""
MOST = 512
"""Most sources, actors and corridors remembered; the ones with least past are forgotten first."""
NORMAL, WEIGHED_DOWN, FROZEN = "normal", "weighed_down", "frozen"


class Stream(NamedTuple):
    """What is counted: labels of one source, actor or corridor; contradicting: only those against the models."""

    kind: str
    name: str
    contradicting: bool = False

    @property
    def called(self) -> str:
        """As an operator names it: `actor:alice`."""
        return f"{self.kind}:{self.name}"


class _Pace:
    """One stream's labels: usual, a rate per example; now, how many in the window; admitted, since the last block."""

    __slots__ = ("admitted", "now", "since", "state", "usual")

    def __init__(self) -> None:
        self.usual, self.now, self.admitted = 0.0, 0.0, 0.0
        self.state, self.since = NORMAL, 0

    def allowance(self, kind: str) -> float:
        usual = TWICE * self.usual * WINDOW
        # The larger of the two, not their sum: a floor on top of its past would let a new one grow into a flood.
        return max(usual + CHANCE * math.sqrt(usual), FLOOR[kind])

    def share(self, kind: str) -> float:
        """Of its labels that are learnt now."""
        allowance = self.allowance(kind)
        return 0.0 if self.state == FROZEN else min(allowance / max(self.now, 1e-9), 1.0)

    def next_state(self, kind: str) -> str:
        """What it comes to; a state that was entered ends only well below where it began."""
        load = self.now / self.allowance(kind)
        if kind == "actor" and load > FREEZES * (ENDS if self.state == FROZEN else 1.0):
            return FROZEN
        return WEIGHED_DOWN if load > (1.0 if self.state == NORMAL else ENDS) else NORMAL


class LabelWatch:
    """Counts labels by where they come from and says what share of them to learn. Can be pickled; memory is bounded.

    marks: the newest ones.
    """

    def __init__(self) -> None:
        self.marks: deque[Mark] = deque(maxlen=100)
        self._paces: dict[Stream, _Pace] = {}
        self._window: deque[tuple[tuple[Stream, float], ...]] = deque(maxlen=WINDOW)
        self._offered = 0
        self._calm_since, self._clock = 0, 0

    def offer(self, origin: Origin, fraud: bool, given: float) -> float:
        """Take an example before it is learnt; the share of its kind that may be.

        given: the probability that the champion gave to its label, NaN where it does not speak yet.
        """
        self._offered += 1
        self._clock = max(self._clock, origin.known_at)
        if len(self._window) == WINDOW:
            for stream, amount in self._window[0]:
                if (pace := self._paces.get(stream)) is not None:
                    pace.now = max(pace.now - amount, 0.0)
        counted, share = [], 1.0
        for stream in streams_of(origin, fraud, given):
            pace = self._paces.get(stream)
            if pace is None:
                pace = self._paces[stream] = _Pace()
            # What an actor was not allowed to bring is no burden on the source that others share with him.
            pace.now += share
            counted.append((stream, share))
            if self._offered > WARM:
                self._judge(stream, pace, self._clock)
                share = min(share, pace.share(stream.kind))
        self._window.append(tuple(counted))
        for stream, _ in counted:
            self._paces[stream].admitted += share
        if self._offered % BLOCK == 0:
            self._end_block(self._clock)
        return share

    def _judge(self, stream: Stream, pace: _Pace, at: int) -> None:
        state = pace.next_state(stream.kind)
        if state != pace.state:
            self._tell(stream, pace, state, at)

    def _tell(self, stream: Stream, pace: _Pace, state: str, at: int) -> None:
        before, pace.state = pace.state, state
        if before == NORMAL or state == NORMAL:
            pace.since = at
        if state == NORMAL:
            self._calm_since = at
        en, zh = _reason(stream, pace, state)
        self.marks.append(Mark(at=at, kind="poisoning", name=stream.called, text_en=en, text_zh=zh))

    def _end_block(self, at: int) -> None:
        step = max(BLOCK / FORGETS, BLOCK / self._offered)
        for stream, pace in self._paces.items():
            # A surge does not become usual: it ends, or somebody vouches for it.
            if pace.state == NORMAL:
                pace.usual += step * (pace.admitted / BLOCK - pace.usual)
            pace.admitted = 0.0
            # One that fell silent is not asked again by its own labels.
            if pace.state != NORMAL:
                self._judge(stream, pace, at)
        if len(self._paces) > MOST:
            weakest = sorted(
                (s for s, p in self._paces.items() if p.now == 0.0 and p.state == NORMAL),
                key=lambda s: (self._paces[s].usual, s),
            )
            for stream in weakest[: len(self._paces) - MOST]:
                del self._paces[stream]

    def trust(self, called: str, at: int, actor: str) -> None:
        """End the surges of a source by an operator's word: its pace now is usual from here on.

        called: as `Stream.called`. Raises SnapshotError when learning from it is normal.
        """
        surging = [(s, p) for s, p in self._paces.items() if s.called == called and p.state != NORMAL]
        if not surging:
            there = ", ".join(sorted({s.called for s, p in self._paces.items() if p.state != NORMAL}))
            raise SnapshotError(
                f"learning from {called!r} is normal: what is not now is {there or 'nothing'}"
            )
        for _, pace in surging:
            pace.usual = max(pace.usual, pace.now / WINDOW)
            pace.state, pace.since = NORMAL, at
        self._calm_since = at
        text = f"{called} is trusted by {actor}", f"{actor} 确认信任 {called}"
        self.marks.append(Mark(at=at, kind="poisoning", name=called, text_en=text[0], text_zh=text[1]))

    @property
    def surges(self) -> list[Surge]:
        """What is not trusted as usual now, by name."""
        found = []
        for stream, pace in sorted(self._paces.items()):
            if pace.state == NORMAL:
                continue
            en, zh = _reason(stream, pace, pace.state)
            found.append(
                Surge(
                    kind=stream.kind, name=stream.name, state=pace.state, since=pace.since,
                    weight=pace.share(stream.kind), labels=1000.0 * pace.now / WINDOW, usual=1000.0 * pace.usual,
                    reason_en=en, reason_zh=zh,
                )
            )  # fmt: skip
        return found

    @property
    def state(self) -> tuple[str, int]:
        """(normal, weighed_down or frozen: the worst of all surges; since when, ms)."""
        paces = [p for p in self._paces.values() if p.state != NORMAL]
        if not paces:
            return NORMAL, self._calm_since
        worst = FROZEN if any(p.state == FROZEN for p in paces) else WEIGHED_DOWN
        return worst, min(p.since for p in paces if p.state == worst)


def streams_of(origin: Origin, fraud: bool, given: float) -> list[Stream]:
    """Who an example's label speaks for, the narrowest first; nobody where no label came."""
    if not origin.source:
        return []
    found = []
    for kind, name in (("actor", origin.actor), ("source", origin.source)):
        if name:
            found.append(Stream(kind, name))
            if given < CONTRADICTS:
                found.append(Stream(kind, name, True))
    if fraud and origin.corridor:
        found.append(Stream("corridor", origin.corridor))
    return found


def _reason(stream: Stream, pace: _Pace, state: str) -> tuple[str, str]:
    what = ("labels against the models", "与模型相反的标签") if stream.contradicting else ("labels", "标签")
    now, usual = round(pace.now), pace.usual * WINDOW
    if state == NORMAL:
        return (
            f"{stream.called}: its {what[0]} are back to {now} in {WINDOW} examples, learning from it is normal again",
            f"{stream.called}：其{what[1]}已回落至每 {WINDOW} 个样本 {now} 个，恢复正常学习",
        )
    done = {WEIGHED_DOWN: ("weighs them down", "降低其权重"), FROZEN: ("has stopped", "已停止")}[state]
    return (
        f"{stream.called}: {now} {what[0]} in {WINDOW} examples, usually {usual:.1f}; learning from it {done[0]}",
        f"{stream.called}：每 {WINDOW} 个样本有 {now} 个{what[1]}，通常为 {usual:.1f} 个；对其学习{done[1]}",
    )
