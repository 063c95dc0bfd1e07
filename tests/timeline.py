"""Acceptance tests of the router as timelines on a virtual clock: `at(1).push(…)`, `between(2, 2.5).want(…)`.

A timeline collects what is done and what is wanted; `run` plays it, stepping from one due moment to the next. All that
goes out has to be wanted, and all that is wanted has to come once, within its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from alerts.routing.change import Change
from alerts.routing.intent import Intent
from alerts.routing.plan import Plan, read_plan
from alerts.routing.reasons import code
from alerts.routing.router import Router
from alerts.routing.silence import Silence, new_silence
from alerts.routing.state import RouterState

T0 = 1_763_000_000_000


def ms(seconds: float) -> int:
    """A moment of the timeline on the virtual clock."""
    return T0 + round(seconds * 1000)


class Out(NamedTuple):
    """What went out: when (s), to whom, what it says and why, of which subjects, how many in all."""

    at: float
    receiver: str
    says: str
    why: str
    ids: tuple[str, ...]
    total: int


class World(Protocol):
    """What a timeline is played on."""

    def push(self, change: Change) -> None: ...
    def silence(self, silence: Silence) -> None: ...
    def expire(self, id_: str, now: int) -> None: ...
    def reload(self, plan: str) -> None: ...
    def restart(self) -> None: ...
    def step(self, now: int) -> list[Out]: ...
    def due(self) -> int | None: ...


class PureWorld:
    """The router alone; a restart reads its state back from bytes."""

    def __init__(self, plan: str) -> None:
        self.plan: Plan = read_plan(plan, "routes.toml")
        self._parts: dict[str, bytes] = {}
        self._changes: list[Change] = []
        self._silences: list[Silence] = []
        self.router: Router | None = None
        self.intents: list[Intent] = []

    def push(self, change: Change) -> None:
        self._changes.append(change)

    def silence(self, silence: Silence) -> None:
        self._silences.append(silence)

    def expire(self, id_: str, now: int) -> None:
        self._silences = [
            msgspec.structs.replace(s, ends_at=now, ended_by="lead") if s.id == id_ else s
            for s in self._silences
        ]

    def reload(self, plan: str) -> None:
        self.plan = read_plan(plan, "routes.toml")
        self.router = None

    def restart(self) -> None:
        self.router = None

    def step(self, now: int) -> list[Out]:
        if self.router is None:
            self.router = Router(self.plan, RouterState(dict(self._parts)), now)
        intents = self.router.step(now, self._changes, self._silences)
        self._changes = []
        put, drop = self.router.state.changes()
        self._parts.update(put)
        for name in drop:
            self._parts.pop(name, None)
        self.intents += intents
        return [out_of(intent, now) for intent in intents]

    def due(self) -> int | None:
        return self.router.due() if self.router else None


def out_of(intent: Intent, now: int) -> Out:
    ids = tuple(sorted(change.id for change in intent.subjects))
    return Out((now - T0) / 1000, intent.receiver, intent.says, code(intent.reason), ids, intent.total)


class Timeline:
    """See the module's docstring. Seconds count from T0."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._acts: list[tuple[int, Callable[[], None]]] = []
        self._wanted: list[tuple[float, float, str, str, str, tuple[str, ...], int]] = []
        self._versions: dict[str, int] = {}
        self.out: list[Out] = []

    def at(self, seconds: float) -> At:
        return At(self, seconds)

    def between(self, first: float, last: float) -> Between:
        return Between(self, first, last)

    def do(self, seconds: float, act: Callable[[], None]) -> None:
        self._acts.append((ms(seconds), act))

    def version(self, id_: str) -> int:
        self._versions[id_] = self._versions.get(id_, 0) + 1
        return self._versions[id_]

    def want(
        self, first: float, last: float, receiver: str, says: str, why: str, ids: Sequence[str], total: int
    ) -> None:
        self._wanted.append((first, last, receiver, says, why, tuple(sorted(ids)), total))

    def run(self, until: float) -> None:
        """Play it and compare."""
        end, acts = ms(until), sorted(self._acts, key=lambda act: act[0])
        now = T0
        while True:
            while acts and acts[0][0] <= now:
                acts.pop(0)[1]()
            self.out += self.world.step(now)
            moments = [due for due in (self.world.due(), acts[0][0] if acts else None) if due is not None]
            if not moments or min(moments) > end:
                break
            assert min(moments) >= now, "the router asks for a moment that is over"
            now = max(min(moments), now)
        left = list(self.out)
        missing = []
        for first, last, receiver, says, why, ids, total in sorted(self._wanted):
            fits = [
                out
                for out in left
                if first <= out.at <= last
                and (receiver, says, why, total) == (out.receiver, out.says, out.why, out.total)
                and (not ids or ids == out.ids)
            ]  # fmt: skip
            if fits:
                left.remove(fits[0])
            else:
                missing.append((first, last, receiver, says, why, ids, total))
        assert not missing, f"missing {missing}\nleft over {left}"
        assert not left, f"nobody wanted {left}"


class At(NamedTuple):
    """What is done at a moment."""

    timeline: Timeline
    seconds: float

    def push(self, *ids: str, severity: str = "S2", **more: Any) -> None:
        """Alerts come up, or change: labels by name, and `state`, `incident`, `kind`."""
        fixed = {name: more.pop(name) for name in ("state", "incident", "kind") if name in more}
        for id_ in ids:
            change = Change(
                id=id_, severity=severity, at=ms(self.seconds), version=self.timeline.version(id_), labels=more,
                **{"kind": "alert", **fixed},
            )  # type: ignore[arg-type]  # fmt: skip
            self.timeline.do(self.seconds, lambda change=change: self.timeline.world.push(change))  # type: ignore[misc]

    def silence(self, *matchers: str, seconds: float, reason: str = "planned work") -> str:
        """Somebody silences; returns the silence's id."""
        now = ms(self.seconds)
        made = new_silence(matchers, "lead", reason, now, now, now + round(seconds * 1000))
        self.timeline.do(self.seconds, lambda: self.timeline.world.silence(made))
        return made.id

    def expire(self, silence: str) -> None:
        now = ms(self.seconds)
        self.timeline.do(self.seconds, lambda: self.timeline.world.expire(silence, now))

    def reload(self, plan: str) -> None:
        self.timeline.do(self.seconds, lambda: self.timeline.world.reload(plan))

    def restart(self) -> None:
        self.timeline.do(self.seconds, self.timeline.world.restart)

    def call(self, act: Callable[[], None]) -> None:
        self.timeline.do(self.seconds, act)


class Between(NamedTuple):
    """What is wanted in a span of time."""

    timeline: Timeline
    first: float
    last: float

    def want(
        self,
        receiver: str,
        *ids: str,
        why: str = "first_notification",
        says: str = "open",
        total: int | None = None,
    ) -> Between:
        """One notification; without ids any subjects will do, `total` of them."""
        count = len(ids) if total is None else total
        self.timeline.want(self.first, self.last, receiver, says, why, ids, count)
        return self
