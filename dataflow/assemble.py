"""Puts an engine together from settings: the same for every driver."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dataflow.settings import Settings
from dataflow.sources.mapping import Mapping
from models.engine import Engine
from models.engine_settings import EngineSettings
from models.errors import MoneyError
from models.money import FxTable
from models.rules.pack import default_pack, load_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from models.shard import KINDS


def pack_of(settings: Settings) -> Pack:
    """The rule pack the settings name; RuleError names file, line and column."""
    return load_pack(Path(settings.rules)) if settings.rules else default_pack()


def fx_of(settings: Settings) -> FxTable:
    """The FX table the settings name; raises MoneyError."""
    if not settings.fx:
        return FxTable.default()
    try:
        return FxTable.from_toml(Path(settings.fx).read_text(encoding="utf-8"), settings.fx)
    except OSError as error:
        raise MoneyError(f"{settings.fx}: {error.strerror}") from None


def engine_settings(settings: Settings, mapping: Mapping | None = None, **changes: object) -> EngineSettings:
    """Engine settings; a mapping's own `settle_after` wins, because its labels come on its own terms.

    A mapped table is history: what we would have declined took its course and has an outcome.
    """
    if mapping is not None:
        changes["settle_after_ms"] = mapping.settle_after_ms
        changes["enforced"] = False
        if mapping.attributes is not None:
            changes["attributes"] = tuple(mapping.attributes.columns)
    return msgspec.structs.replace(settings.engine, **changes)


def oversight_of(settings: Settings) -> dict[str, Any]:
    """What a learner is told of costs and thresholds."""
    engine = settings.engine
    return {
        "costs": settings.costs,
        "thresholds": engine.thresholds,
        "by_cost": engine.alert_threshold == "cost",
    }


def engine_of(
    settings: Settings, *, learn_inline: bool, mapping: Mapping | None = None, vectors_directory: Path | None = None,
    kinds: Sequence[Collection[str]] = (KINDS,), **changes: object,
) -> Engine:  # fmt: skip
    """A fresh engine. learn_inline: with a learner of its own (replay); else models come by Control events.

    vectors_directory: where vectors wait for their outcome; None keeps them in memory. kinds: of entities, by shard.
    """
    chosen = engine_settings(settings, mapping, **changes)
    learner = None
    if learn_inline:
        # With it comes River, which a process that only scores does not need.
        from models.learners import OnlineLearner

        learner = OnlineLearner(chosen.features, negative_rate=chosen.negative_rate, **oversight_of(settings))
    return Engine(
        chosen,
        pack_of(settings),
        fx_of(settings),
        Snapshot.untrained(chosen.features),
        learner,
        vectors_directory,
        kinds,
    )
