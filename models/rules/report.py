"""What `tidegate rules check FILE…` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from models.columns import Interner, Kind
from models.errors import RuleError
from models.rules.compiled import compile_pack
from models.rules.pack import load_pack
from models.rules.rule import Pack


def check_files(paths: Iterable[Path | str], features: Mapping[str, Kind] | None = None) -> list[str]:
    """Check packs; one line a file. A refused pack's line is its error and starts with `file:line:column:`,
    an accepted one's starts with `ok `. features: the catalogue to check names with (default: the engine's).
    """
    if features is None:
        from models.features import RULE_KINDS

        features = RULE_KINDS
    lines = []
    for path in map(Path, paths):
        try:
            pack = load_pack(path, features=features)
            compile_pack(pack, Interner(), features)
            lines.append(_summary(path, pack))
        except RuleError as error:
            lines.append(str(error))
    return lines


def _summary(path: Path, pack: Pack) -> str:
    rules = pack.rules
    typologies = len({rule.typology for rule in rules})
    shadow = sum(rule.shadow for rule in rules)
    examples = sum(len(rule.hits) + len(rule.misses) for rule in rules)
    untested = [rule.id for rule in rules if not rule.hits or not rule.misses]
    line = f"ok {path}: {len(rules)} rules ({shadow} shadow), {typologies} typologies, {examples} examples, "
    line += f"version {pack.version}"
    return line + (f"; without a hit or a miss: {', '.join(untested)}" if untested else "")
