"""Control events: what they change in a running engine, in the stream itself, so that a recording replays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from models.champions import AUTOMATIC, COLUMNS
from models.columns import ENTITIES
from models.containment import changed, held, holding
from models.errors import MoneyError, RuleError, SnapshotError
from models.events import Control
from models.examples import Choice
from models.money import FxTable
from models.risk import Thresholds
from models.rules.pack import load_pack
from models.serving import Snapshot

if TYPE_CHECKING:
    from models.engine import Engine, Output

Problem = tuple[str, str]


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    name: str = "control"


class _Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entity: str
    key: str


def apply_control(engine: Engine, event: Control, output: Output) -> Problem | None:
    """Apply a Control; a problem (reason, detail) leaves everything as it was and the flow goes on."""
    try:
        _apply(engine, event, output)
    except (RuleError, MoneyError, SnapshotError) as error:
        return "control_refused", f"{event.kind}: {error}"
    except msgspec.MsgspecError as error:
        return "control_refused", f"{event.kind}: {error} - at `$.payload`"
    except _UnsupportedError as error:
        return "control_unsupported", str(error)
    return None


class _UnsupportedError(Exception):
    pass


def _apply(engine: Engine, event: Control, output: Output) -> None:
    payload = event.payload or msgspec.Raw(b"{}")
    match event.kind:
        case "rules":
            pack = msgspec.json.decode(payload, type=_Text)
            engine.load_rules(load_pack(pack.text, name=pack.name))
        case "fx":
            engine.fx = FxTable.from_json(payload)
        case "thresholds":
            engine.thresholds = msgspec.json.decode(payload, type=Thresholds)
        case "containment" | "limits":
            engine.containments = changed(
                engine.containments, event.kind, payload, event.version, event.received_at
            )
        case "lists":
            engine.lists.change(payload, event.received_at)
        case "model":
            _serve(engine, event)
        case "champion" | "trust":
            _choose(engine, event, output)
        case "pin" | "unpin":
            pin = msgspec.json.decode(payload, type=_Pin)
            if pin.entity not in ENTITIES:
                raise _UnsupportedError(f"pin: unknown entity {pin.entity!r} - at `$.payload.entity`")
            for shard in engine.shards:
                shard.state.pin(pin.entity, pin.key, event.kind == "pin")


def _serve(engine: Engine, event: Control) -> None:
    """Let the named snapshot serve; with a payload it is held in place, and what is published meanwhile waits."""
    named = event.artefact or event.version
    until: msgspec.Raw | None = event.payload
    if until is None and holding(engine.containments, event.received_at):
        return
    data = engine.artefacts.get(named)
    if data is None:
        raise SnapshotError(f"the snapshot {named!r} is not at hand")
    snapshot = Snapshot.from_bytes(data)
    if until is not None:
        engine.containments = held(engine.containments, until, event.version, named)
    engine.snapshot = snapshot


def _choose(engine: Engine, event: Control, output: Output) -> None:
    """Hand an operator's choice of champion, or his trust, to the learner: its next snapshot comes at once."""
    if event.kind == "champion" and event.version not in (AUTOMATIC, *COLUMNS):
        raise SnapshotError(
            f"there is no candidate {event.version!r}: choose {AUTOMATIC} or {', '.join(COLUMNS)}"
        )
    learner = engine.learner
    if learner is None:
        place = engine.counters.examples + len(output.examples)
        output.choices.append(Choice(place, engine.counters.controls, event))
        return
    told = (event.version, event.actor or "operator", event.reason or "", event.received_at)
    learner.trust(*told) if event.kind == "trust" else learner.choose(*told)
    data = learner.snapshot()
    output.published.append(data)
    engine.snapshot = Snapshot.from_bytes(data)
