"""Who hears what: the routing file, decoded, checked and compiled. Pure.

The tree works as Alertmanager's does: everything enters at `[route]`; of a route's children the first one that
fits takes it (with `continue = true` the following ones may take it too); what no child takes stays. A child
inherits what it does not set.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from alerts.receivers.specs import AnySpec, WebhookReceiver
from alerts.routing.change import Change
from alerts.routing.matching import Matcher, all_fit, length_ms, matchers
from alerts.routing.schedule import Schedule, check_schedule
from models.errors import SettingsError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_Named = TypeVar("_Named", AnySpec, Schedule, "Person", "Escalation")
PERSON, SCHEDULE = "person:", "schedule:"


class RouteSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A route as written. notify: receivers, `person:NAME` or `schedule:NAME`; `[]`: nobody, on purpose.

    group_by: labels; `["id"]`: each alone.

    group_wait: how long the first of a group waits for others; group_interval: how long further ones wait;
    repeat_interval: when what nobody acknowledged is said again; `"0s"`: never.
    """

    name: str = ""
    match: list[str] = []
    notify: list[str] | None = None
    group_by: list[str] | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    repeat_interval: str | None = None
    escalation: str | None = None
    continue_: bool = msgspec.field(default=False, name="continue")
    routes: list[RouteSpec] = []


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A role that can be on call, and the receivers that reach it."""

    name: str
    receivers: list[str]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to tell when nobody acknowledged within `after` of the step before."""

    after: str
    notify: list[str]


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A chain of steps."""

    name: str
    steps: list[Step]


class PlanSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A routing file. fallback: a receiver for what would reach nobody.

    fallback_after: how long all receivers of a page may fail before the fallback hears it. silence_notice: how
    long before its end a silence is announced to end.
    """

    route: RouteSpec
    receivers: list[AnySpec] = []
    people: list[Person] = []
    schedules: list[Schedule] = []
    escalations: list[Escalation] = []
    fallback: str = ""
    fallback_after: str = "5m"
    silence_notice: str = "15m"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled route; times in ms.

    path: its identity over reloads: from the root on, names, or matchers where there is no name. steps: (ms
    after the first page, targets). silent: nobody is told on purpose, not the fallback either.
    """

    path: str
    name: str
    conditions: tuple[Matcher, ...]
    notify: tuple[str, ...]
    group_by: tuple[str, ...]
    wait: int
    interval: int
    repeat: int
    chain: str
    steps: tuple[tuple[int, tuple[str, ...]], ...]
    goes_on: bool
    silent: bool
    children: tuple[Route, ...]


class Plan:
    """A compiled routing file. Raises SettingsError for one that cannot be followed.

    names: receivers that are known by name alone, in a plan that is only looked at.
    """

    def __init__(self, spec: PlanSpec, names: Collection[str] = ()) -> None:
        self.spec = spec
        self.digest = hashlib.sha256(msgspec.json.encode(spec)).hexdigest()[:16]
        self.receivers: dict[str, AnySpec] = _by_name("receivers", spec.receivers)
        self._names = {*self.receivers, *names}
        self._people = _by_name("people", spec.people)
        self._schedules = _by_name("schedules", spec.schedules)
        self._chains = _by_name("escalations", spec.escalations)
        self.fallback = spec.fallback
        self.fallback_after = length_ms(spec.fallback_after, "fallback_after")
        self.silence_notice = length_ms(spec.silence_notice, "silence_notice")
        for receiver in spec.receivers:
            receiver.most()
        for schedule in spec.schedules:
            check_schedule(schedule, set(self._people))
        for person in spec.people:
            self._known(person.receivers, f"person {person.name}", plain=True)
        self._known([spec.fallback] if spec.fallback else [], "fallback", plain=True)
        if spec.route.match:
            raise SettingsError("route: the root takes everything; write matchers into [[route.routes]]")
        self.root = self._compiled(spec.route, None, "route")
        self.routes = {route.path: route for route in self._walk(self.root)}

    def matching(self, change: Change) -> list[Route]:
        """The routes that take `change`: at least one."""
        return _matching(self.root, change) or [self.root]

    def reached(self, targets: Iterable[str], now: int) -> dict[str, str]:
        """Receivers behind `targets` at `now`, each with the first target that leads to it."""
        found: dict[str, str] = {}
        for target in targets:
            for receiver in self._behind(target, now):
                found.setdefault(receiver, target)
        return found

    def on_call(self, now: int) -> dict[str, str | None]:
        """Who is on call, by schedule."""
        return {name: schedule.on_call(now) for name, schedule in self._schedules.items()}

    def _behind(self, target: str, now: int) -> Sequence[str]:
        if target.startswith(SCHEDULE):
            person = self._schedules[target.removeprefix(SCHEDULE)].on_call(now)
            return () if person is None else self._people[person].receivers
        if target.startswith(PERSON):
            return self._people[target.removeprefix(PERSON)].receivers
        return (target,)

    def _compiled(self, spec: RouteSpec, parent: Route | None, where: str) -> Route:
        conditions = matchers(spec.match, where)
        if parent is not None and not conditions:
            raise SettingsError(f"{where}: give it a match; only the root takes everything")
        own = spec.name or " ".join(sorted(condition.text for condition in conditions))
        chain = spec.escalation if spec.escalation is not None else (parent.chain if parent else "")
        if chain and chain not in self._chains:
            raise SettingsError(f"{where}: {chain!r} is none of [[escalations]]")
        notify = tuple(spec.notify) if spec.notify is not None else (parent.notify if parent else ())
        self._known(notify, where)

        def length(written: str | None, inherited: int | None, default: str) -> int:
            if written is None and inherited is not None:
                return inherited
            return length_ms(written or default, where)

        by = spec.group_by
        if by is None:
            by = list(parent.group_by) if parent else ["type", "typology"]
        route = Route(
            path=f"{parent.path} / {own}" if parent else "*",
            name=own or "root",
            conditions=conditions,
            notify=notify,
            group_by=tuple(by),
            wait=length(spec.group_wait, parent.wait if parent else None, "30s"),
            interval=length(spec.group_interval, parent.interval if parent else None, "5m"),
            repeat=length(spec.repeat_interval, parent.repeat if parent else None, "4h"),
            chain=chain,
            steps=self._steps(chain),
            goes_on=spec.continue_,
            silent=bool(parent and parent.silent) if spec.notify is None else not spec.notify,
            children=(),
        )
        children = tuple(
            self._compiled(
                child, route, f"{where}.routes[{number}]{f' ({child.name})' if child.name else ''}"
            )
            for number, child in enumerate(spec.routes, 1)
        )
        if len({child.path for child in children}) < len(children):
            raise SettingsError(f"{where}: two of its routes have the same match; give them names")
        return msgspec.structs.replace(route, children=children)

    def _steps(self, chain: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
        steps, after = [], 0
        for number, step in enumerate(self._chains[chain].steps if chain else (), 1):
            where = f"escalation {chain}, step {number}"
            after += length_ms(step.after, where)
            self._known(step.notify, where)
            steps.append((after, tuple(step.notify)))
        return tuple(steps)

    def _known(self, targets: Iterable[str], where: str, *, plain: bool = False) -> None:
        for target in targets:
            kind, known = "[[receivers]]", target in self._names
            if not plain and target.startswith(SCHEDULE):
                kind, known = "[[schedules]]", target.removeprefix(SCHEDULE) in self._schedules
            elif not plain and target.startswith(PERSON):
                kind, known = "[[people]]", target.removeprefix(PERSON) in self._people
            if not known:
                raise SettingsError(f"{where}: {target!r} is none of {kind}")

    def _walk(self, route: Route) -> Iterator[Route]:
        yield route
        for child in route.children:
            yield from self._walk(child)


def _matching(route: Route, change: Change) -> list[Route]:
    found: list[Route] = []
    for child in route.children:
        if all_fit(child.conditions, change):
            found += _matching(child, change) or [child]
            if not child.goes_on:
                break
    return found


def _by_name(what: str, elements: Sequence[_Named]) -> dict[str, _Named]:
    found = {element.name: element for element in elements}
    for name in found:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{what}: {name!r}: names have letters, digits, - and _, 64 at most")
    if len(found) < len(elements):
        raise SettingsError(f"{what}: two have the same name")
    return found


def read_plan(text: str, where: str) -> Plan:
    """The plan of a routing file's text. Raises SettingsError with `where` in front."""
    try:
        return Plan(msgspec.convert(tomllib.loads(text), PlanSpec))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{where}: {error}") from None
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None


def default_plan(receivers: Sequence[WebhookReceiver]) -> Plan:
    """Without a routing file, data/routing.toml: each receiver hears at once, and once, what is bad enough for it."""
    shipped = msgspec.convert(
        tomllib.loads((files("alerts") / "data" / "routing.toml").read_text("utf-8")), PlanSpec
    )
    specs = [receiver.spec() for receiver in receivers]
    if not specs:
        return Plan(shipped)
    routes = [
        RouteSpec(
            name=spec.name, match=[f"severity<={receiver.min_severity}"], notify=[spec.name], continue_=True
        )
        for receiver, spec in zip(receivers, specs, strict=True)
    ]
    # What is of less than everybody's severity is left alone on purpose.
    root = msgspec.structs.replace(shipped.route, notify=[], routes=[*shipped.route.routes, *routes])
    return Plan(msgspec.structs.replace(shipped, route=root, receivers=list(specs)))


def load_plan(path: Path | None, receivers: Sequence[WebhookReceiver]) -> Plan:
    """The plan in force: of the routing file, or the one that ships with these webhooks. Raises SettingsError."""
    if path is None:
        return default_plan(receivers)
    if receivers:
        raise SettingsError(
            f"tidegate.toml sets both routing and [[webhooks.receivers]]: move each of the latter into {path} as "
            '[[receivers]] with type = "webhook" and a name, and name it in a route\'s notify'
        )
    try:
        return read_plan(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise SettingsError(f"{path}: the routing file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: the routing file cannot be read: {error}") from None
