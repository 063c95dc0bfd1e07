"""The engine's state as arrays and a small record, and back: what a checkpoint writes and reads.

No Python objects are pickled here; an inline learner's own state is bytes it made itself, inside a checkpoint that
is signed as a whole.
"""

from __future__ import annotations

import msgspec
import numpy as np

from models.columns import Interner
from models.containment import Containment
from models.decision import Counters
from models.engine import Engine
from models.entities import Arrays
from models.errors import SnapshotError
from models.lists import Listed, Lists
from models.money import FxTable
from models.risk import Thresholds
from models.rules.pack import load_pack
from models.serving import Snapshot
from models.state import arrays_of, restore_into

FORMAT = 9


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """What is not an array. `pack` is the rule pack's TOML text."""

    format: int
    texts: list[str]
    corridors: list[str]
    actors: list[str]
    counters: Counters
    thresholds: Thresholds
    containments: list[Containment]
    lists: list[Listed]
    pack_name: str
    pack: str
    fx: bytes
    since: dict[str, int]
    has_learner: bool


def _parts(engine: Engine, shards: bool) -> dict[str, object]:
    parts: dict[str, object] = {"ledger": engine.ledger, "vectors": engine.vectors}
    for shard in engine.shards if shards else ():
        parts.update(shard.parts())
    return parts


def record_of(engine: Engine) -> bytes:
    """The encoded Frozen record: everything that is not an array."""
    frozen = Frozen(
        format=FORMAT, texts=engine.interner.texts(), corridors=engine.corridors.texts(),
        actors=engine.actors.texts(),
        counters=engine.counters, thresholds=engine.thresholds,
        containments=list(engine.containments), lists=engine.lists.entries(),
        pack_name=engine.pack.name, pack=engine.pack.text, fx=engine.fx.to_json(),
        since=engine.shards[0].velocities.since,
        has_learner=engine.learner is not None,
    )  # fmt: skip
    return msgspec.msgpack.encode(frozen)


def freeze(engine: Engine, shards: bool = True) -> tuple[Arrays, bytes]:
    """All state: arrays by name (views, to be written before the next step) and the encoded Frozen record.

    shards: with the memory of entities.
    """
    arrays = arrays_of(_parts(engine, shards))
    arrays["snapshot"] = np.frombuffer(engine.snapshot.data, dtype=np.uint8)
    if engine.learner is not None:
        arrays["learner"] = np.frombuffer(engine.learner.to_state(), dtype=np.uint8)
    return arrays, record_of(engine)


def counters_in(meta: bytes) -> Counters:
    """The counters of a Frozen record, without an engine."""
    return msgspec.msgpack.decode(meta, type=_Counted).counters


class _Counted(msgspec.Struct):
    counters: Counters


def adopt(engine: Engine, meta: bytes) -> Frozen:
    """Put a Frozen record into an engine; raises SnapshotError when it is of another format."""
    try:
        frozen = msgspec.msgpack.decode(meta, type=Frozen)
    except msgspec.DecodeError as error:
        raise SnapshotError(
            f"checkpoint record: {error} - made by another version? start from the stream"
        ) from None
    if frozen.format != FORMAT:
        raise SnapshotError(f"checkpoint format {frozen.format}, this version reads {FORMAT}")
    engine.interner.codes.clear()
    for text in frozen.texts:
        engine.interner.code(text)
    engine.corridors, engine.actors = Interner(frozen.corridors), Interner(frozen.actors)
    engine.counters = frozen.counters
    engine.thresholds = frozen.thresholds
    engine.containments = tuple(frozen.containments)
    engine.lists = Lists(frozen.lists)
    engine.fx = FxTable.from_json(frozen.fx)
    engine.load_rules(load_pack(frozen.pack, name=frozen.pack_name))
    for shard in engine.shards:
        shard.velocities.since.update(frozen.since)
    return frozen


def thaw(engine: Engine, arrays: Arrays, meta: bytes, shards: bool = True) -> None:
    """Put a state into an engine made with the same settings; raises SnapshotError when it is of another format."""
    frozen = adopt(engine, meta)
    restore_into(_parts(engine, shards), arrays)
    engine.snapshot = Snapshot.from_bytes(arrays["snapshot"].tobytes())
    if frozen.has_learner and engine.learner is not None:
        engine.learner = type(engine.learner).from_state(arrays["learner"].tobytes())
