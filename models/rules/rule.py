"""A rule as written in a pack, parsed and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from models.decision import Action, Band
from models.rules.origin import Origin
from models.rules.syntax import Expr

SourceKind = Literal["history", "industry report", "expert"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)
TYPOLOGIES = tuple(f"T{number:02d}" for number in range(1, 21))
CONFIDENCES = ("A", "B", "C", "M", "D")


@dataclass(frozen=True)
class Source:
    """Where a rule comes from: the kind of knowledge, and the reference a reader can look up."""

    kind: SourceKind
    reference: str


@dataclass(frozen=True)
class Example:
    """Column values of one transaction, by the key as written; `at`, `key_at`: offsets in the pack."""

    values: Mapping[str, float | str | bool]
    at: int
    key_at: Mapping[str, int]


@dataclass(frozen=True)
class Rule:
    """One rule.

    version: 12 hex digits of a digest over what can change a decision. effective_from/effective_to: ms since
    the epoch, half-open, None unbounded. confidence and verified belong to a regulatory figure in the rule: A
    official text, B two secondary sources, C one, M from memory, D engineering default. hits must make the
    rule true, misses must not. origin places the expression's text, file the whole pack.
    """

    id: str
    version: str
    action: Action
    severity: Band
    typology: str
    shadow: bool
    text: str
    condition: Expr
    title_en: str
    title_zh: str
    runbook: str
    source: Source
    effective_from: int | None
    effective_to: int | None
    confidence: str | None
    verified: bool | None
    hits: tuple[Example, ...]
    misses: tuple[Example, ...]
    origin: Origin = field(repr=False)
    file: Origin = field(repr=False)


@dataclass(frozen=True)
class Pack:
    """A checked pack. version: 16 hex digits of the SHA-256 of its content. text: the TOML it was."""

    name: str
    version: str
    rules: tuple[Rule, ...]
    text: str = field(repr=False)
