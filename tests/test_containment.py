"""Measures in the stream that the oracle's random streams do not reach: models held in place, scopes, refusals."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from dataflow.simulate import Simulator
from models import blend, learners
from models.containment import Containment, changed, check_scope, holding
from models.decision import Decision
from models.engine import Engine
from models.engine_settings import CAPACITIES, EngineSettings
from models.events import Control, Transaction
from models.features import NAMES
from models.freezing import freeze, thaw
from models.learners import OnlineLearner
from models.money import FxTable
from models.risk import Thresholds
from models.rules.pack import load_pack
from models.serving import Snapshot
from tests.test_engine_oracle import entries_of, pack_of

T0 = 1_788_220_800_000
MINUTE = 60_000
SETTINGS = EngineSettings(
    settle_after_ms=10 * 86_400_000, ledger_rows=512, vector_rows=8192, capacities=dict.fromkeys(CAPACITIES, 64)
)  # fmt: skip


def engine() -> Engine:
    return Engine(SETTINGS, pack_of("COUNT"), FxTable.default(), Snapshot.untrained(NAMES))


@pytest.fixture
def _early_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models of a few examples count."""
    monkeypatch.setattr(blend, "FEWEST_FRAUDS", 2)
    monkeypatch.setattr(blend, "FEWEST_GOOD", 3)
    monkeypatch.setattr(blend, "FEWEST_KEPT", 3)
    monkeypatch.setattr(learners, "REFRESH", 5)


def snapshot(examples: int) -> bytes:
    """A model of its own; different numbers of examples, different versions."""
    learner = OnlineLearner(NAMES, negative_rate=1.0)
    for n in range(examples):
        learner.learn(np.full(len(NAMES), n % 7, dtype=np.float64), n % 3 == 0, 1.0, n)
    return learner.snapshot()


def payment(n: int, at: int, **fields: Any) -> Transaction:
    given = {
        "amount": 10_000,
        "currency": "USD",
        "channel": "cnp",
        "payer": "who",
        "card": f"c-{n}",
        **fields,
    }
    return Transaction(id=f"e{n}", event_time=at, received_at=at, **given)


def control(kind: Any, at: int, version: str, payload: object = None, artefact: str | None = None) -> Control:
    raw = None if payload is None else msgspec.Raw(msgspec.json.encode(payload))
    return Control(
        id=f"{kind}-{version}-{at}", event_time=at, received_at=at, kind=kind, version=version, artefact=artefact,
        payload=raw,  # type: ignore[arg-type]
    )  # fmt: skip


def decided(engine: Engine, *events: Any) -> list[Decision]:
    output = engine.step(entries_of(list(events)))
    assert not output.dead, output.dead
    return output.decisions


@pytest.mark.usefixtures("_early_models")
def test_a_rolled_back_model_stays_until_its_time_is_over_or_it_is_lifted() -> None:
    models = {name: snapshot(n) for name, n in (("old", 40), ("new", 80), ("newest", 120))}
    versions = {name: Snapshot.from_bytes(data).version for name, data in models.items()}
    assert len(set(versions.values())) == 3
    held = engine()
    held.artefacts = {versions[name]: data for name, data in models.items()}

    def serves(at: int, *events: Any) -> str:
        return decided(held, *events, payment(at, T0 + at))[0].versions.model

    def publish(name: str, at: int) -> Control:
        return control("model", T0 + at, versions[name], artefact=versions[name])

    assert serves(1, publish("new", 1)) == versions["new"]
    back = control("model", T0 + 2, "cm_1", {"until": T0 + MINUTE}, artefact=versions["old"])
    assert serves(3, back) == versions["old"]
    assert serves(4, publish("newest", 4)) == versions["old"], "what is published meanwhile waits"
    arrays, meta = freeze(held)
    again = engine()
    thaw(again, {name: array.copy() for name, array in arrays.items()}, meta)
    assert holding(again.containments, T0 + 5), "a checkpoint keeps the hold"
    assert (
        serves(6, control("containment", T0 + 5, "lift", {"lift": "cm_1"}), publish("newest", 6))
        == versions["newest"]
    )
    assert (
        serves(8, control("model", T0 + 7, "cm_2", {"until": T0 + MINUTE}, artefact=versions["old"]))
        == versions["old"]
    )
    late = MINUTE + 1
    assert serves(late, publish("new", late)) == versions["new"], (
        "after its time the next one published serves"
    )


def test_a_hold_on_a_model_that_is_not_at_hand_changes_nothing() -> None:
    one = engine()
    before = one.snapshot.version
    output = one.step(entries_of([control("model", T0, "cm_1", {"until": T0 + 1}, artefact="gone")]))
    assert [letter.reason for letter in output.dead] == ["control_refused"]
    assert "'gone' is not at hand" in output.dead[0].detail
    assert (one.snapshot.version, one.containments) == (before, ())


def test_rules_only_sets_the_models_aside_and_leaves_the_rules() -> None:
    rule = (
        'name = "one"\n[[rule]]\nid = "R"\ntitle_en = "r"\ntitle_zh = "r"\nexpression = "hold if amount_usd >= 500"\n'
        'severity = "high"\ntypology = "T01"\nsource = { kind = "expert", reference = "test" }\nrunbook = "none"\n'
        "hits = [{ amount_usd = 500 }]\nmisses = [{ amount_usd = 1 }]\n"
    )
    edges = Thresholds(medium=0.0001, high=0.0002, critical=0.0003)
    strict = msgspec.structs.replace(SETTINGS, thresholds=edges)
    one = Engine(strict, load_pack(rule, name="one"), FxTable.default(), Snapshot.untrained(NAMES))
    first, second = decided(one, payment(1, T0), payment(2, T0 + 1, amount=60_000))
    assert (first.band, first.action, second.action) == ("critical", "DECLINE", "DECLINE")
    on = control("containment", T0 + 2, "cm_1", {"scope": {}, "rules_only": True, "until": T0 + MINUTE})
    first, second = decided(one, on, payment(3, T0 + 3), payment(4, T0 + 4, amount=60_000))
    assert (first.band, first.action, second.action) == ("low", "APPROVE", "HOLD")
    assert "only rules decide" in first.reasons[0].text_en
    assert decided(one, payment(5, T0 + MINUTE + 1))[0].action == "DECLINE", (
        "it ends by the stream's own clock"
    )


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        ("containment", {"scope": {}, "until": T0}, "changes nothing"),
        ("containment", {"scope": {"planet": "Mars"}, "action": "HOLD", "until": T0}, "planet"),
        ("containment", {"scope": {"bin": ""}, "action": "HOLD", "until": T0}, "is empty"),
        ("containment", {"scope": {}, "action": "STOP", "until": T0}, "action"),
        ("limits", {"scope": {}, "until": T0}, "above_usd"),
        ("limits", {"scope": {}, "above_usd": -1, "until": T0}, "$.above_usd"),
        ("limits", {"scope": {}, "above_usd": 5, "action": "FREEZE", "until": T0}, "unknown field `action`"),
        ("model", {"until": "soon"}, "until"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(kind: str, payload: object, why: str) -> None:
    one = engine()
    one.artefacts = {"m": Snapshot.untrained(NAMES).data}
    output = one.step(entries_of([control(kind, T0, "m", payload)]))
    assert [letter.reason for letter in output.dead] == ["control_refused"]
    assert why in output.dead[0].detail
    assert one.containments == ()


def test_expired_measures_are_not_kept_for_ever() -> None:
    active: tuple[Containment, ...] = ()
    for n in range(50):
        payload = msgspec.json.encode({"scope": {"card": f"c{n}"}, "action": "HOLD", "until": T0 + n})
        active = changed(active, "containment", payload, f"cm_{n}", T0 + n)
    assert [c.version for c in active] == ["cm_49"]


def test_a_scope_says_what_is_wrong_with_it() -> None:
    check_scope({"corridor": "CN>US", "party": "who"})
    with pytest.raises(ValueError, match="'moon' is not one of corridor, party, card"):
        check_scope({"moon": "x"})


@pytest.mark.parametrize("batch", [1, 13, 400])
def test_measures_cut_batches_and_the_answers_stay_the_same(batch: int) -> None:
    events: list[Any] = list(Simulator(31, customers=40, scenarios=("card_testing",)).events(4))
    paid = [e for e in events if isinstance(e, Transaction)]
    middle = events.index(paid[len(paid) // 2])
    at = events[middle].received_at
    place = {"scope": {"corridor": "CN>US"}, "action": "DECLINE", "until": at + 8 * 3_600_000}
    events[middle:middle] = [
        control("containment", at, "cm_1", place),
        control(
            "limits", at, "cm_2", {"scope": {"channel": "cnp"}, "above_usd": 40, "until": at + 60 * 3_600_000}
        ),
    ]
    entries = entries_of(events)
    one, other = engine(), engine()
    decisions = [d for n in range(0, len(entries), batch) for d in one.step(entries[n : n + batch]).decisions]
    assert decisions == other.step(entries).decisions
    limited = [d for d in decisions if any("lowered limit" in r.text_en for r in d.reasons)]
    assert limited
    assert all(d.action in ("HOLD", "DECLINE") and float(d.context["amount_usd"] or 0) > 40 for d in limited)
