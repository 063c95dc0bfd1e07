"""Counterfactuals on the amount: the recomputed vector is the engine's own, and what is told was scored."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from models import counterfactual as module
from models import engine as engine_module
from models.columns import Float
from models.counterfactual import counterfactual, vectors_at
from models.decision import BANDS, Decision, RuleHit
from models.engine import Engine
from models.events import Transaction, decode, encode
from models.features import NAMES, matrix
from models.freezing import freeze, thaw
from models.risk import Thresholds
from models.serving import Scores, Snapshot
from models.view import View
from tests.streams import record

BEFORE, TRIED = 500, 12


class Line(msgspec.Struct):
    """An entry as a source hands it over."""

    line: bytes
    place: str = "test"
    event: None = None
    error: None = None


def lines_of(name: str) -> list[Line]:
    with gzip.open(record.path_of(name)) as file:
        return [Line(line.rstrip(b"\n")) for line in file]


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[View]:
    found: list[View] = []

    def watched(view: View, attributes: Sequence[str] = ()) -> Float:
        found.append(view)
        return matrix(view, attributes)

    monkeypatch.setattr(engine_module, "matrix", watched)
    return found


def vector_of(engine: Engine, line: Line) -> Float:
    seen: list[Float] = []
    engine.watch = seen.append
    engine.step([line])
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize("name", ["commerce", "merchant"])
def test_the_recomputed_vector_is_the_one_the_engine_would_have_made(name: str, views: list[View]) -> None:
    lines = lines_of(name)
    engine = record.fresh_engine()
    engine.step(lines[:BEFORE])
    compared, moved = 0, set()
    for line in lines[BEFORE:]:
        event = decode(line.line)
        if compared < TRIED and isinstance(event, Transaction) and event.amount > 0:
            arrays, frozen = freeze(engine)
            kept = {key: np.array(array) for key, array in arrays.items()}
            views.clear()
            before = vector_of(engine, line)[0]
            view, here = views[0], float(views[0].columns["amount_usd"][0])
            for factor in (0.003, 0.4, 7.0):
                amount = max(int(event.amount * factor), 1)
                other = record.fresh_engine()
                thaw(other, kept, frozen)
                changed = msgspec.structs.replace(event, amount=amount, content=None)
                wanted = vector_of(other, Line(encode(changed)))[0]
                usd = np.array([float(views[-1].columns["amount_usd"][0]), here])
                got = vectors_at(view, 0, usd)
                np.testing.assert_array_equal(got[0], wanted)
                np.testing.assert_array_equal(got[1], before)
                moved |= {NAMES[i] for i in np.flatnonzero(~((wanted == before) | np.isnan(before)))}
            compared += 1
        else:
            engine.step([line])
    assert compared == TRIED
    # The amounts that windows add up move too, not only the formulas that name the amount.
    assert {
        "amount_usd",
        "log_amount",
        "card_mean_usd_1d",
        "customer_usd_7d",
        "amount_card_robust_deviation",
    } <= moved


class Scored(Snapshot):
    """A snapshot whose risk is a given function of the amount."""

    def __init__(self, risk_of_usd: object) -> None:
        super().__init__(*_untrained())
        self.risk_of_usd, self.asked = risk_of_usd, 0

    def score(self, rows: Float) -> Scores:
        self.asked += len(rows)
        return Scores(np.array([self.risk_of_usd(x) for x in rows[:, NAMES.index("amount_usd")]]), {})  # type: ignore[operator]


def _untrained() -> tuple[object, bytes]:
    from models.serving import untrained_body
    from models.snapshot import encode as encode_snapshot

    body = untrained_body(NAMES, 0.01)
    return body, encode_snapshot(body)


@pytest.fixture
def payment(views: list[View]) -> tuple[View, float]:
    """A payment of more than 20 US dollars."""
    record.fresh_engine().step(lines_of("commerce")[:BEFORE])
    for view in views:
        rows = np.flatnonzero(np.asarray(view.columns["amount_usd"]) > 20)
        if rows.size:
            at = int(rows[-1])
            part = module.with_amounts(view, at, np.array([float(view.columns["amount_usd"][at])]))
            return part, float(view.columns["amount_usd"][at])
    raise AssertionError("the stream has no payment of more than 20 US dollars")


LIMITS = Thresholds()


@pytest.mark.parametrize("edge", [19.99, 11.0, 0.5, 0.02])
def test_the_largest_amount_is_found_within_the_precision(payment: tuple[View, float], edge: float) -> None:
    view, _ = payment
    snapshot = Scored(lambda x: 0.05 if x <= edge + 1e-9 else 0.5)
    told = counterfactual(view, 0, snapshot, LIMITS, 0.5, [], [])
    assert told is not None
    assert told.amount_usd is not None
    assert edge - max(0.01, module.PRECISION * edge) <= told.amount_usd <= edge + 1e-9
    assert (told.band, told.risk, told.steady) == ("low", 0.05, True)
    assert f"At most {told.amount_usd:,.2f} US dollars" in told.text_en
    assert snapshot.asked < 150


def test_a_band_in_between_counts(payment: tuple[View, float]) -> None:
    view, usd = payment
    rising = Scored(lambda x: min(0.02 + 0.5 * x / usd, 0.95))
    risk = rising.score(vectors_at(view, 0, np.array([usd]))).risk[0]
    told = counterfactual(view, 0, rising, LIMITS, risk, [], [])
    assert told is not None
    assert told.band == "medium"
    assert told.risk is not None
    assert told.risk < LIMITS.high
    above = rising.score(
        vectors_at(view, 0, np.array([(told.amount_usd or 0) * (1 + module.PRECISION) + 0.01]))
    ).risk[0]
    assert above >= LIMITS.high


def test_where_risk_does_not_rise_with_the_amount_that_is_said(payment: tuple[View, float]) -> None:
    view, _ = payment
    # Small amounts are risky too (card testing): only the middle is calm.
    snapshot = Scored(lambda x: 0.05 if 5 < x < 10 else 0.5)
    told = counterfactual(view, 0, snapshot, LIMITS, 0.5, [], [])
    assert told is not None
    assert told.amount_usd == pytest.approx(9.99, rel=module.PRECISION)
    assert not told.steady
    assert "At most" not in told.text_en
    assert "并非" in told.text_zh


def test_no_amount_is_told_where_none_helps_or_the_risk_cannot_be_told_again(
    payment: tuple[View, float],
) -> None:
    view, _ = payment
    told = counterfactual(view, 0, Scored(lambda _: 0.9), LIMITS, 0.9, [], [])
    assert told is not None
    assert told.amount_usd is None
    assert told.text_en.startswith("No smaller amount")
    assert counterfactual(view, 0, Scored(lambda _: 0.9), LIMITS, 0.8, [], []) is None
    assert counterfactual(view, 0, Scored(lambda _: 0.01), LIMITS, 0.01, [], []) is None


def test_where_a_rule_decides_it_is_named(payment: tuple[View, float]) -> None:
    view, _ = payment
    snapshot = Scored(lambda _: 0.5)

    def hit(name: str, action: str, shadow: bool = False) -> RuleHit:
        return RuleHit(name, "1", action, "high", "T01", shadow)  # type: ignore[arg-type]

    told = counterfactual(view, 0, snapshot, LIMITS, 0.5, [hit("R1", "DECLINE"), hit("R2", "STEP_UP")], [])
    assert told is not None
    assert (told.decided_by, told.amount_usd, snapshot.asked) == (["R1"], None, 0)
    assert "R1" in told.text_en
    assert "R1" in told.text_zh
    contained = counterfactual(view, 0, snapshot, LIMITS, 0.5, [], [("containment", "HOLD")])
    assert contained is not None
    assert contained.decided_by == ["containment"]
    for hits in ([hit("R2", "STEP_UP")], [hit("R3", "FREEZE", shadow=True)]):
        weaker = counterfactual(view, 0, snapshot, LIMITS, 0.5, hits, [])
        assert weaker is not None
        assert weaker.decided_by == []


def test_evidence_changes_no_decision_and_stands_beside_every_reason() -> None:
    plain, rich = record.fresh_engine(), record.fresh_engine()
    rich.settings = msgspec.structs.replace(rich.settings, evidence=True, explain_all=False)
    lines = lines_of("merchant")
    ours: list[Decision] = rich.step(lines).decisions
    for a, b in zip(plain.step(lines).decisions, ours, strict=True):
        assert (b.features is not None) == bool(b.reasons)
        if b.counterfactual and b.counterfactual.amount_usd is not None:
            assert BANDS.index(b.counterfactual.band or "critical") < BANDS.index(b.band)
        assert msgspec.structs.replace(b, features=a.features, counterfactual=None) == a
    assert any(d.counterfactual for d in ours)
