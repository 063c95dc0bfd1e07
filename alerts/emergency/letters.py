"""Letters: texts with placeholders, parsed and checked before they are needed, rendered in a sandbox.

A template may hold `{{ name }}` and `{% if name %} … {% else %} … {% endif %}`, nothing else of Jinja: no calls, no
attributes, no loops, no filters. Names are those of FIELDS. What a letter needs and nobody has given yet stands in it as
a marked gap, and is named beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2
import msgspec
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.emergency.plan import AUDIENCES, Audience
from alerts.emergency.reading import Words
from models.errors import PlanError

GAPS = {"en": "[MISSING: {}]", "zh": "【缺：{}】"}
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Not, nodes.And, nodes.Or,
)  # fmt: skip
LONGEST = 20_000


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A placeholder's meaning, for the person who has to fill it."""

    name: str
    text: Words


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an audience is written, in both languages."""

    audience: Audience
    subject: Words
    body: Words


class Letters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """letters.toml."""

    version: str
    source: str
    field: list[Field]
    letter: list[Letter]

    def __post_init__(self) -> None:
        names = {one.name for one in self.field}
        if len(names) != len(self.field):
            raise ValueError("field: a name is there twice")
        audiences = sorted(one.audience for one in self.letter)
        if audiences != sorted(AUDIENCES):
            raise ValueError(f"letter: give one to each of {', '.join(AUDIENCES)}")
        for letter in self.letter:
            for part in ("subject", "body"):
                words: Words = getattr(letter, part)
                used = {language: placeholders(words.in_(language)) for language in GAPS}
                unknown = sorted((used["en"] | used["zh"]) - names)
                if unknown:
                    raise ValueError(f"letter {letter.audience}.{part}: there is no field {unknown[0]!r}")
                if used["en"] != used["zh"]:
                    other = sorted(used["en"] ^ used["zh"])[0]
                    raise ValueError(
                        f"letter {letter.audience}.{part}: {other!r} stands in one language only"
                    )

    def to(self, audience: Audience) -> Letter:
        """The letter to an audience."""
        return next(one for one in self.letter if one.audience == audience)


class Draft(NamedTuple):
    """A letter as it could be sent. missing: fields it needs that have no value; then it is not ready."""

    subject: str
    body: str
    missing: list[str]


def placeholders(text: str) -> set[str]:
    """The names a template uses. Raises ValueError for what a template may not hold."""
    if len(text) > LONGEST:
        raise ValueError(f"a template has {len(text)} characters, at most {LONGEST} are taken")
    try:
        tree = _environment({}, "en", []).parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"template, line {error.lineno}: {error.message}") from None
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise ValueError(
                f"template, line {node.lineno}: only {{{{ name }}}} and {{% if name %}} are taken, "
                f"not {type(node).__name__.lower()}"
            )
    return {node.name for node in tree.find_all(nodes.Name)}


def rendered(
    text: str, values: Mapping[str, str], labels: Mapping[str, str], language: str
) -> tuple[str, list[str]]:
    """The text with its placeholders filled, and the names that had no value, in order of appearance.

    labels: what a gap is called. Values are put in as they are: nothing in them is taken for a placeholder.
    """
    placeholders(text)
    missing: list[str] = []
    environment = _environment(labels, language, missing)
    given = {name: value for name, value in values.items() if value.strip()}
    return environment.from_string(text).render(given), list(dict.fromkeys(missing))


def draft(letters: Letters, audience: Audience, values: Mapping[str, str], language: str) -> Draft:
    """The letter to an audience with `values` by field. Raises PlanError for a value that no letter knows."""
    unknown = sorted(set(values) - {one.name for one in letters.field})
    if unknown:
        raise PlanError(f"letters know no field {unknown[0]!r}: `tidegate plan show` lists them")
    labels = {one.name: one.text.in_(language) for one in letters.field}
    letter = letters.to(audience)
    subject, first = rendered(letter.subject.in_(language), values, labels, language)
    body, second = rendered(letter.body.in_(language), values, labels, language)
    return Draft(" ".join(subject.split()), body.strip() + "\n", list(dict.fromkeys([*first, *second])))


def _environment(labels: Mapping[str, str], language: str, missing: list[str]) -> Any:
    class Gap(jinja2.Undefined):
        """Stands for a value that is not there; asked about in an `if`, it is no gap."""

        def __str__(self) -> str:
            name = self._undefined_name or "?"
            missing.append(name)
            return GAPS.get(language, GAPS["en"]).format(labels.get(name, name))

        def __bool__(self) -> bool:
            return False

    return ImmutableSandboxedEnvironment(
        undefined=Gap, autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
