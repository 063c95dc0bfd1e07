"""A pack compiled for the scoring path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.columns import Column, Interner, Kind
from models.decision import Action, Band, RuleHit
from models.rules.check import Scope, check_condition
from models.rules.compile import Compiler, judged
from models.rules.explain import Cause, causes
from models.rules.operations import Frame, Run
from models.rules.rule import Pack, Rule, Source
from models.rules.syntax import Name, Velocity, walk
from models.rules.velocity import VelocitySpec, spec_of

_NEVER, _ALWAYS = -(1 << 62), 1 << 62


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A rule ready to run. first/last: event times (ms) it is in force, half-open."""

    rule: Rule
    run: Run
    compiler: Compiler

    @cached_property
    def hit(self) -> RuleHit:
        """What a decision says of this rule when it is true."""
        rule = self.rule
        return RuleHit(
            id=rule.id, version=rule.version, action=rule.action, severity=rule.severity,
            typology=rule.typology, shadow=rule.shadow,
        )  # fmt: skip

    @property
    def id(self) -> str:
        return self.rule.id

    @property
    def version(self) -> str:
        return self.rule.version

    @property
    def action(self) -> Action:
        return self.rule.action

    @property
    def severity(self) -> Band:
        return self.rule.severity

    @property
    def typology(self) -> str:
        return self.rule.typology

    @property
    def shadow(self) -> bool:
        return self.rule.shadow

    @property
    def text(self) -> str:
        return self.rule.text

    @property
    def title_en(self) -> str:
        return self.rule.title_en

    @property
    def title_zh(self) -> str:
        return self.rule.title_zh

    @property
    def runbook(self) -> str:
        return self.rule.runbook

    @property
    def source(self) -> Source:
        return self.rule.source

    @property
    def first(self) -> int:
        return _NEVER if self.rule.effective_from is None else self.rule.effective_from

    @property
    def last(self) -> int:
        return _ALWAYS if self.rule.effective_to is None else self.rule.effective_to

    def explain(self, columns: Mapping[str, Column], row: int) -> list[Cause]:
        """The comparisons that made the rule true on `row`; none when it was not."""
        return causes(self.rule.condition, self.compiler, columns, row)


@dataclass(frozen=True, eq=False)
class CompiledPack:
    """All rules of a pack over a batch at once. needs: the columns `evaluate` must be given."""

    name: str
    version: str
    rules: tuple[CompiledRule, ...]
    velocities: tuple[VelocitySpec, ...]
    needs: frozenset[str]
    compiler: Compiler

    def evaluate(
        self, columns: Mapping[str, Column], event_time: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int8]:
        """int8 [rules, n]: 1 true, 0 false or not in force at its event time, -1 not assessed.

        columns: the transaction's columns, features, `risk` and one a velocity under `VelocitySpec.column`.
        event_time: ms since the epoch, int64[n]. Shadow rules are evaluated like the others. Raises KeyError
        when a column of `needs` is not there.
        """
        n = event_time.shape[0]
        true = np.empty((len(self.rules), n), dtype=np.bool_)
        false = np.empty((len(self.rules), n), dtype=np.bool_)
        frame = Frame(columns, self.compiler.shared)
        with np.errstate(all="ignore"):
            for number, rule in enumerate(self.rules):
                true[number], false[number] = rule.run(frame)
        out = judged(true, false)
        for number, rule in enumerate(self.rules):
            if rule.rule.effective_from is not None or rule.rule.effective_to is not None:
                out[number, (event_time < rule.first) | (event_time >= rule.last)] = 0
        return out


def compile_pack(pack: Pack, interner: Interner, features: Mapping[str, Kind]) -> CompiledPack:
    """Compile a pack against the feature catalogue (name → kind). Raises RuleError for a name it does not
    have.

    Texts in rules get their codes from `interner`.
    """
    scope = Scope(features)
    for rule in pack.rules:
        check_condition(rule.condition, scope, rule.origin)
    compiler = Compiler(interner, scope, [rule.condition for rule in pack.rules])
    rules = tuple(CompiledRule(rule, compiler.condition(rule.condition), compiler) for rule in pack.rules)
    specs: dict[VelocitySpec, None] = {}
    needs: set[str] = set()
    for rule in pack.rules:
        for node in walk(rule.condition, into_velocity=False):
            if isinstance(node, Velocity):
                specs[spec_of(node)] = None
            elif isinstance(node, Name):
                needs.add(node.name)
    needs.update(spec.column for spec in specs)
    return CompiledPack(pack.name, pack.version, rules, tuple(specs), frozenset(needs), compiler)
