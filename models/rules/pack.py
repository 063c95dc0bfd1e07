"""Rule packs: TOML text → checked rules.

Every refusal is a RuleError that starts with `file:line:column:`. A pack is its content: its version is a
digest of what it says, whatever its spacing, comments and order of keys.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from models.columns import Kind
from models.rules.canonical import canonical, to_text
from models.rules.check import Scope
from models.rules.entry import Entry
from models.rules.examples import check_examples
from models.rules.origin import Origin, did_you_mean
from models.rules.rule import Pack, Rule
from models.rules.toml_places import places

CORE = Path(__file__).with_name("packs") / "core.toml"
MAX_RULES = 500
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_pack(source: Path | str, *, name: str = "", features: Mapping[str, Kind] | None = None) -> Pack:
    """Read, parse and check a pack and run its examples; `source` is a file's path or the TOML text itself.

    name is what errors call the text (default: the path, or `<pack>`). Without `features` a name that is no
    column of the transaction passes as a feature and is judged by `compile_pack`. Raises RuleError.
    """
    if isinstance(source, Path):
        name = name or str(source)
        try:
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise Origin(name, "").error(0, f"cannot read the pack: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise Origin(name, "").error(0, f"the pack is not UTF-8 text (byte {error.start})") from None
    else:
        text = source
    pack = _parsed(Origin(name or "<pack>", text.replace("\r\n", "\n")), Scope(features))
    check_examples(pack, features)
    return pack


def extended(pack: Pack, more: Pack) -> Pack:
    """The rules of `pack` with those of `more` beside them; one of the same id takes the place of the old one."""
    rules = {rule.id: rule for rule in (*pack.rules, *more.rules)}
    name = f"{pack.name} + {more.name}"
    return Pack(name, _version(name, list(rules.values())), tuple(rules.values()), more.text)


@cache
def default_pack() -> Pack:
    """The pack that comes with Tidegate, checked against the feature catalogue."""
    from models.features import RULE_KINDS

    return load_pack(CORE, name="core.toml", features=RULE_KINDS)


def _parsed(file: Origin, scope: Scope) -> Pack:
    try:
        document = tomllib.loads(file.source)
        spots = places(file.source)
    except tomllib.TOMLDecodeError as error:
        raise _toml_error(file, str(error)) from None
    except ValueError as error:  # such as a whole number of thousands of digits
        raise file.error(0, f"not valid TOML: {error}") from None
    except RecursionError:
        raise file.error(0, "the file is nested too deep to be a pack") from None
    for key in document:
        if key not in ("name", "rule"):
            hint = did_you_mean(key, ("name", "rule"))
            raise file.error(spots[(key,)].key, f"a pack holds a name and [[rule]] tables, no {key!r}{hint}")
    tables = document.get("rule")
    if not isinstance(tables, list) or not tables:
        raise file.error(0, "a pack needs at least one [[rule]] table")
    if len(tables) > MAX_RULES:
        raise file.error(0, f"a pack may have {MAX_RULES} rules, this one has {len(tables)}")
    name = document.get("name", "")
    if not isinstance(name, str):
        raise file.error(spots[("name",)].value, "the name of a pack is a text")
    rules: dict[str, Rule] = {}
    for number, table in enumerate(tables):
        if not isinstance(table, dict):
            raise file.error(spots[("rule", number)].value, "write each rule as a [[rule]] table")
        rule = Entry(table, ("rule", number), spots, file).rule(scope)
        if rule.id in rules:
            at = spots[("rule", number, "id")].value
            raise file.error(at, f"the id {rule.id!r} is taken by an earlier rule of this pack")
        rules[rule.id] = rule
    return Pack(name or file.file, _version(name, list(rules.values())), tuple(rules.values()), file.source)


def _version(name: str, rules: list[Rule]) -> str:
    content = [
        [
            rule.id, rule.version, rule.title_en, rule.title_zh, rule.runbook, rule.source.kind,
            rule.source.reference, to_text(canonical(rule.condition)), rule.confidence, rule.verified,
            [sorted(e.values.items()) for e in rule.hits], [sorted(e.values.items()) for e in rule.misses],
        ]
        for rule in rules
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode([name, content])).hexdigest()[:16]


def _toml_error(file: Origin, message: str) -> Exception:
    found = _TOML_PLACE.search(message)
    line, column = 1, 1
    if found:
        if found[1]:
            line, column = int(found[1]), int(found[2])
        else:
            line = file.source.count("\n") + 1
        message = message[: found.start()]
    lines = file.source.split("\n")
    offset = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
    return file.error(min(offset, len(file.source)), f"not valid TOML: {message}")
