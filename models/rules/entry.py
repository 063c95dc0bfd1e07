"""One `[[rule]]` table of a pack → a Rule, or a refusal that points into the file."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from models.decision import BANDS, Action, Band
from models.errors import RuleError
from models.rules.canonical import canonical, to_text
from models.rules.check import Scope, check_condition
from models.rules.origin import Origin, did_you_mean
from models.rules.parser import parse_rule
from models.rules.rule import CONFIDENCES, SOURCE_KINDS, TYPOLOGIES, Example, Rule, Source
from models.rules.toml_places import Path, Spot, string_offsets

_KEYS = (
    "id", "title_en", "title_zh", "expression", "severity", "typology", "source", "effective_from",
    "effective_to", "shadow", "runbook", "confidence", "verified", "hits", "misses",
)  # fmt: skip
_LARGEST = 1e18
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Entry:
    """Reads the table at `path`; every method raises RuleError at the key or value it is about."""

    def __init__(
        self, table: Mapping[str, Any], path: Path, spots: Mapping[Path, Spot], file: Origin
    ) -> None:
        self.table = table
        self.path = path
        self.spots = spots
        self.file = file

    def fail(self, message: str, *keys: str | int, at_key: bool = False) -> RuleError:
        spot = self.spots.get((*self.path, *keys)) or self.spots[self.path]
        return self.file.error(spot.key if at_key else spot.value, message)

    def known(self, allowed: tuple[str, ...]) -> None:
        for key in self.table:
            if key not in allowed:
                raise self.fail(f"unknown key {key!r}{did_you_mean(key, allowed)}", key, at_key=True)

    def text(self, key: str) -> str:
        value = self.table.get(key)
        if value is None:
            raise self.fail(f"the key {key!r} is missing here")
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"{key} must be a text that says something", key)
        return value

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            hint = did_you_mean(value, allowed)
            raise self.fail(f"{key} is one of {', '.join(allowed)}, not {value!r}{hint}", key)
        return value

    def flag(self, key: str) -> bool | None:
        value = self.table.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.fail(f"{key} must be true or false", key)
        return value

    def day(self, key: str) -> int | None:
        value = self.table.get(key)
        if value is None:
            return None
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise self.fail(f"{key} must be a date without time, as in 2026-01-31 (UTC)", key)
        start = dt.datetime.combine(value, dt.time(), tzinfo=dt.UTC)
        return int(start.timestamp()) * 1000

    def examples(self, key: str) -> tuple[Example, ...]:
        listed = self.table.get(key, [])
        if not isinstance(listed, list):
            raise self.fail(f"{key} must be a list of tables, as in [ {{ amount_usd = 3 }} ]", key)
        found = []
        for number, values in enumerate(listed):
            if not isinstance(values, dict):
                raise self.fail(f"{key} must hold tables of column values", key, number)
            for name, value in values.items():
                if not isinstance(value, (bool, int, float, str)):
                    raise self.fail("a column's value is a number, true, false or a text", key, number, name)
                if not isinstance(value, str) and not abs(value) <= _LARGEST:
                    raise self.fail(f"a column's value lies within ±{_LARGEST:g}", key, number, name)
            here = (*self.path, key, number)
            key_at = {name: self.spots[(*here, name)].key for name in values if (*here, name) in self.spots}
            found.append(Example(values, self.spots[here].value, key_at))
        return tuple(found)

    def source(self) -> Source:
        table = self.table.get("source")
        if not isinstance(table, dict):
            example = 'source = { kind = "expert", reference = "…" }'
            raise self.fail(f"a rule must say where it comes from: {example}", "source")
        inner = Entry(table, (*self.path, "source"), self.spots, self.file)
        if inner.path not in self.spots:
            inner.path = self.path
        inner.known(("kind", "reference"))
        return Source(inner.word("kind", SOURCE_KINDS), inner.text("reference"))  # type: ignore[arg-type]

    def rule(self, scope: Scope) -> Rule:
        """The table as a Rule, its names judged by `scope`."""
        self.known(_KEYS)
        identity = self.text("id")
        if not _ID.fullmatch(identity):
            raise self.fail("an id has 1 to 64 letters, digits, '.', '_' or '-'", "id")
        text = self.text("expression")
        offsets = string_offsets(self.file.source, self.spots[(*self.path, "expression")].value)
        origin = Origin(self.file.file, self.file.source, offsets)
        parsed = parse_rule(text, origin)
        check_condition(parsed.condition, scope, origin)
        first, last = self.day("effective_from"), self.day("effective_to")
        if first is not None and last is not None and first >= last:
            raise self.fail("effective_to must lie after effective_from", "effective_to")
        confidence = self.word("confidence", CONFIDENCES) if "confidence" in self.table else None
        verified = self.flag("verified")
        if confidence == "M" and verified is not False:
            raise self.fail('a figure from memory (confidence = "M") needs verified = false', "confidence")
        action = cast(Action, parsed.action.upper())
        severity, typology = cast(Band, self.word("severity", BANDS)), self.word("typology", TYPOLOGIES)
        shadow = bool(self.flag("shadow"))
        meaning = to_text(canonical(parsed.condition))
        matters = [identity, action, meaning, severity, typology, shadow, first, last]
        return Rule(
            id=identity,
            version=hashlib.sha256(msgspec.json.encode(matters)).hexdigest()[:12],
            action=action,
            severity=severity,
            typology=typology,
            shadow=shadow,
            text=text.strip(),
            condition=parsed.condition,
            title_en=self.text("title_en"),
            title_zh=self.text("title_zh"),
            runbook=self.text("runbook"),
            source=self.source(),
            effective_from=first,
            effective_to=last,
            confidence=confidence,
            verified=verified,
            hits=self.examples("hits"),
            misses=self.examples("misses"),
            origin=origin,
            file=self.file,
        )
