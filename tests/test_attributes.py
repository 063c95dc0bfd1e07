"""Attributes of transactions as columns of the models: learnt, scored, explained, kept over a checkpoint."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from dataflow.assemble import engine_of, engine_settings
from dataflow.evaluation.groups import columns_by_group
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from dataflow.sources.mapping import load_mapping
from models.engine import Engine
from models.engine_settings import EngineSettings
from models.events import Label, Transaction
from models.features import CATALOGUE, NAMES, names_with
from models.reasons import model_reasons


def payments(count: int, seed: int = 3) -> list[Transaction]:
    """Fraud depends on the attribute `basket` alone; every tenth payment lacks it."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        basket = float(rng.normal())
        made.append(
            Transaction(
                id=f"t{i}", event_time=1_700_000_000_000 + i * 60_000, received_at=1_700_000_000_000 + i * 60_000,
                amount=1000, currency="USD", channel="cnp", card=f"c{rng.integers(500)}",
                attributes=None if i % 10 == 9 else {"basket": basket, "not_asked_for": 1.0},
            )
        )  # fmt: skip
    return made


def stream(made: list[Transaction]) -> list[RawItem]:
    """Payments, each followed by its label if fraud, in order of arrival."""
    items = []
    for t in made:
        items.append(RawItem("x", None, t, None))
        if t.attributes is not None and t.attributes["basket"] > 1.5:
            label = Label(
                id=f"l-{t.id}", event_time=t.event_time, received_at=t.received_at, transaction_id=t.id, fraud=True,
                source="chargeback",
            )  # fmt: skip
            items.append(RawItem("x", None, label, None))
    return items


def engine(**changes: object) -> Engine:
    return engine_of(
        Settings(), learn_inline=True, attributes=("basket",), settle_after_ms=3_600_000, negative_rate=1.0, **changes
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> tuple[Engine, list[float], list[bool]]:
    made = payments(6_000)
    at = engine(explain_all=True, evidence=True, publish_every=500)
    risks = []
    items = stream(made)
    for start in range(0, len(items), 256):
        for decision in at.step(items[start : start + 256]).decisions:
            risks.append(decision.risk)
    frauds = [t.attributes is not None and t.attributes["basket"] > 1.5 for t in made]
    return at, risks, frauds


def test_what_only_the_attribute_tells_is_learnt(trained: tuple[Engine, list[float], list[bool]]) -> None:
    _, risks, frauds = trained
    late = slice(4_000, None)
    bad = np.array(risks[late])[np.array(frauds[late])]
    good = np.array(risks[late])[~np.array(frauds[late])]
    assert np.median(bad) > 10 * np.median(good)
    assert np.mean(bad > np.quantile(good, 0.98)) > 0.8


def test_the_reason_names_the_attribute_and_its_value(
    trained: tuple[Engine, list[float], list[bool]],
) -> None:
    at, _, _ = trained
    suspect = msgspec.structs.replace(
        payments(1)[0], id="suspect", event_time=1_701_000_000_000, received_at=1_701_000_000_000,
        attributes={"basket": 3.25},
    )  # fmt: skip
    (decision,) = at.step([RawItem("x", None, suspect, None)]).decisions
    first = decision.reasons[0]
    assert (first.code, first.text_en, first.text_zh) == (
        "attribute.basket", "attribute basket: 3.25", "属性 basket：3.25",
    )  # fmt: skip
    assert first.share is not None
    assert first.share > 1.0
    assert decision.features is not None
    assert decision.features["attribute.basket"] == 3.25
    assert "attribute.not_asked_for" not in decision.features


def test_a_missing_attribute_is_missing_and_not_zero(trained: tuple[Engine, list[float], list[bool]]) -> None:
    at, _, _ = trained
    bare = msgspec.structs.replace(
        payments(1)[0],
        id="bare",
        event_time=1_701_000_100_000,
        received_at=1_701_000_100_000,
        attributes=None,
    )
    (decision,) = at.step([RawItem("x", None, bare, None)]).decisions
    assert decision.features is not None
    assert decision.features["attribute.basket"] is None
    shares = np.zeros((1, len(NAMES) + 2))
    shares[0, len(NAMES)] = 0.5
    ((reason,),) = model_reasons(np.full((1, len(NAMES) + 1), np.nan), shares, names_with(["basket"]))
    assert reason.text_en == "attribute basket: not known"
    assert reason.observed is None


def test_the_vector_has_one_column_an_attribute_in_the_order_asked_for() -> None:
    settings = EngineSettings(attributes=("b", "a"))
    assert settings.features == (*NAMES, "attribute.b", "attribute.a")
    assert len(settings.features) == len(CATALOGUE) + 2
    groups = columns_by_group(CATALOGUE, len(settings.features))
    assert groups["attributes of the data"] == [len(CATALOGUE), len(CATALOGUE) + 1]
    assert sorted(column for columns in groups.values() for column in columns) == list(
        range(len(CATALOGUE) + 2)
    )
    assert "attributes of the data" not in columns_by_group(CATALOGUE)


def test_attributes_given_twice_or_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        EngineSettings(attributes=("a", "a"))
    with pytest.raises(ValueError, match="at most 256"):
        EngineSettings(attributes=tuple(f"a{n}" for n in range(257)))


def test_a_mapping_brings_its_attributes() -> None:
    settings = engine_settings(Settings(), load_mapping("ulb"))
    assert settings.attributes == tuple(f"V{n}" for n in range(1, 29))


def test_batches_do_not_change_what_attributes_do() -> None:
    items = stream(payments(1_500))
    whole, cut = engine(publish_every=200), engine(publish_every=200)
    once = [d.risk for d in whole.step(items).decisions]
    parts = [d.risk for i in range(0, len(items), 37) for d in cut.step(items[i : i + 37]).decisions]
    assert once == parts


def test_a_smaller_amount_is_judged_with_the_attributes_of_the_payment(
    trained: tuple[Engine, list[float], list[bool]],
) -> None:
    at, _, _ = trained
    suspect = msgspec.structs.replace(
        payments(1)[0], id="costly", event_time=1_701_000_200_000, received_at=1_701_000_200_000,
        attributes={"basket": 3.0},
    )  # fmt: skip
    (decision,) = at.step([RawItem("x", None, suspect, None)]).decisions
    assert decision.band != "low"
    assert not [hit for hit in decision.rules if not hit.shadow]
    assert decision.counterfactual is not None
    # Fraud does not depend on the amount here, so no amount may be told to turn it.
    assert decision.counterfactual.amount_usd is None
