"""The routing in force as the sender last put it into the store: for pages and commands that do not read the file."""

from __future__ import annotations

import msgspec

from alerts.receivers.lines import Breaker, Line
from alerts.routing.keeping import KeepsRouting
from alerts.routing.plan import Plan, PlanSpec
from models.errors import SettingsError

PART = "plan"


class RouteRow(msgspec.Struct, frozen=True):
    """One route, parents first. path: as why-records name it; depth: 0 for the root; times in ms."""

    path: str
    name: str
    depth: int
    match: list[str]
    notify: list[str]
    group_by: list[str]
    wait: int
    interval: int
    repeat: int
    escalation: str
    silent: bool
    goes_on: bool = False


class ReceiverRow(msgspec.Struct, frozen=True):
    """One receiver. rate: most messages in a time, `none` for no limit. breaker: how its line stands; since: when it got
    into trouble (ms, 0: it is in order). owed: messages in flight; failures, refusals: in a row; delivered_at: when it
    last took one (ms, 0: never)."""

    name: str
    kind: str
    rate: str
    breaker: Breaker = "closed"
    since: int = 0
    owed: int = 0
    failures: int = 0
    refusals: int = 0
    delivered_at: int = 0


class View(msgspec.Struct, frozen=True):
    """The tree, the receivers, the fallback ("" for none), names of schedules. digest: of the plan.

    spec: the file without its receivers, whose addresses stay out of the store; None: of an earlier version.
    """

    digest: str
    routes: list[RouteRow]
    receivers: list[ReceiverRow]
    fallback: str
    schedules: list[str]
    spec: PlanSpec | None = None

    def plan(self) -> Plan | None:
        """The plan to match and to ask who is on call; its receivers are names. None: nothing to make it of."""
        try:
            return None if self.spec is None else Plan(self.spec, [row.name for row in self.receivers])
        except SettingsError:
            return None


def view_of(plan: Plan) -> View:
    """What there is to see of a plan."""
    routes = [
        RouteRow(
            route.path, route.name, route.path.count(" / "), [one.text for one in route.conditions],
            list(route.notify), list(route.group_by), route.wait, route.interval, route.repeat, route.chain,
            route.silent, route.goes_on,
        )
        for route in plan.routes.values()
    ]  # fmt: skip
    receivers = [
        ReceiverRow(name, str(type(spec).__struct_config__.tag), spec.rate or spec.usual_rate)
        for name, spec in plan.receivers.items()
    ]
    schedules = [one.name for one in plan.spec.schedules]
    bare = msgspec.structs.replace(plan.spec, receivers=[])
    return View(plan.digest, routes, receivers, plan.fallback, schedules, bare)


def routing_view(store: KeepsRouting, now: int) -> View | None:
    """The routing in force, with how its receivers stand at `now`; None: no sender ran yet. Raises StoreError."""
    part = store.routing_parts([PART]).get(PART)
    if part is None:
        return None
    view = msgspec.msgpack.decode(part, type=View)
    found = store.routing_parts([f"l:{row.name}" for row in view.receivers])
    lines = {name[2:]: msgspec.msgpack.decode(line, type=Line) for name, line in found.items()}
    rows = [
        ReceiverRow(
            row.name, row.kind, row.rate, line.breaker(now), line.opened_at, line.owed, line.failures, line.refusals,
            line.delivered_at,
        )
        for row in view.receivers
        for line in [lines.get(row.name, Line())]
    ]  # fmt: skip
    return msgspec.structs.replace(view, receivers=rows)
