"""Red, amber and green lists in the engine: precedence, ends, versions, refusals, reasons, checkpoints, alerts."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import LIST, MODEL, hit_of, needs_alert
from models.decision import Decision
from models.engine import Engine
from models.engine_settings import CAPACITIES, EngineSettings
from models.errors import RuleError
from models.events import Control, Transaction
from models.features import NAMES
from models.freezing import freeze, thaw
from models.lists import ENTITY_KINDS, NONE, ListChange, Listed, Lists
from models.money import FxTable
from models.risk import Thresholds
from models.rules.pack import load_pack
from models.serving import Snapshot
from tests.test_containment import control, decided, payment
from tests.test_engine_oracle import entries_of

T0 = 1_788_220_800_000
MINUTE = 60_000
RULE = """
[[rule]]
id = "R1"
title_en = "large"
title_zh = "大额"
expression = "hold if amount_usd > 5000"
severity = "medium"
typology = "T17"
source = { kind = "expert", reference = "test" }
runbook = "none"
hits = [{ amount_usd = 6000 }]
misses = [{ amount_usd = 1 }]
"""


def engine(**changes: Any) -> Engine:
    """Everything is band critical: what an allow does shows."""
    settings = EngineSettings(
        settle_after_ms=10 * 86_400_000, ledger_rows=512, vector_rows=8192, capacities=dict.fromkeys(CAPACITIES, 64),
        thresholds=Thresholds(medium=0.0005, high=0.001, critical=0.0015), **changes,
    )  # fmt: skip
    return Engine(settings, load_pack(RULE, name="t"), FxTable.default(), Snapshot.untrained(NAMES))


def entry(name: str, entity: str = "card", token: str = "c-1", **more: Any) -> dict[str, Any]:
    base = {
        "list": name,
        "entity": entity,
        "token": token,
        "source": "desk",
        "reason": "seen",
        "confidence": 80,
    }
    until = {} if more.get("basis") == "law" else {"until": T0 + 10 * MINUTE}
    return {**base, **until, **more}


def lists(at: int, *add: dict[str, Any], remove: list[dict[str, Any]] | None = None) -> Control:
    payload: dict[str, Any] = {"add": list(add)} if add else {}
    if remove:
        payload["remove"] = [{k: e[k] for k in ("list", "entity", "token")} for e in remove]
    return control("lists", at, f"l-{at}", payload)


def one(*events: Any, **changes: Any) -> Decision:
    return decided(engine(**changes), *events)[-1]


def action_with(*entries: dict[str, Any], **fields: Any) -> tuple[str, str]:
    decision = one(lists(T0, *entries), payment(1, T0 + 1, merchant="m", **fields))
    return decision.band, decision.action


# precedence


@pytest.mark.parametrize(
    ("entries", "band", "action"),
    [
        ([], "critical", "DECLINE"),
        ([entry("allow")], "low", "APPROVE"),
        ([entry("watch")], "critical", "DECLINE"),
        ([entry("allow"), entry("watch", "merchant", "m")], "critical", "DECLINE"),
        ([entry("allow"), entry("block", "merchant", "m", action="HOLD")], "critical", "DECLINE"),
        ([entry("allow"), entry("block", "merchant", "m", basis="law")], "critical", "FREEZE"),
        ([entry("allow"), entry("block", basis="law")], "critical", "FREEZE"),
        ([entry("block"), entry("block", "merchant", "m", action="FREEZE")], "critical", "FREEZE"),
    ],
)  # fmt: skip
def test_the_strictest_colour_decides(entries: list[dict[str, Any]], band: str, action: str) -> None:
    for order in permutations(entries):
        found = action_with(*order) if order else (one(payment(1, T0)).band, one(payment(1, T0)).action)
        assert found == (band, action)


@pytest.mark.parametrize(
    ("entries", "action"),
    [
        ([entry("watch")], "STEP_UP"),
        ([entry("watch", action="APPROVE")], "APPROVE"),
        ([entry("watch", action="HOLD")], "HOLD"),
        ([entry("block")], "DECLINE"),
        ([entry("block", action="HOLD")], "HOLD"),
        ([entry("block", basis="law")], "FREEZE"),
        ([entry("watch"), entry("allow", "merchant", "m")], "STEP_UP"),
    ],
)
def test_what_a_colour_asks_for_where_the_models_see_nothing(
    entries: list[dict[str, Any]], action: str
) -> None:
    calm = engine()
    calm.thresholds = Thresholds()
    decision = decided(calm, lists(T0, *entries), payment(1, T0 + 1, merchant="m"))[0]
    assert (decision.band, decision.action) == ("low", action)


def test_an_allow_lifts_no_rule_and_no_containment() -> None:
    allow = lists(T0, entry("allow"))
    assert one(allow, payment(1, T0 + 1, amount=600_000)).action == "HOLD"
    held = control("containment", T0, "cm", {"scope": {}, "action": "HOLD", "until": T0 + MINUTE})
    assert one(allow, held, payment(1, T0 + 1)).action == "HOLD"
    plain = one(allow, payment(1, T0 + 1))
    assert (plain.band, plain.action) == ("low", "APPROVE")
    assert plain.risk > 0.0015, "the risk is told as it is"


def test_nothing_is_explored_past_a_block() -> None:
    block = lists(T0, entry("block"))
    decision = one(block, payment(1, T0 + 1), exploration=1.0)
    assert (decision.action, decision.explored) == ("DECLINE", False)
    assert one(payment(1, T0 + 1), exploration=1.0).explored


def test_what_is_blocked_has_no_outcome() -> None:
    strict = engine()
    strict.thresholds = Thresholds()
    day = 86_400_000
    far = T0 + 11 * day
    blocked = {**entry("block"), "until": far}
    output = strict.step(
        entries_of(
            [
                lists(T0, blocked),
                *[payment(n, T0 + n, card=f"c-{n % 2}") for n in range(1, 40)],
                payment(99, far),
            ]
        )
    )
    learnt = {example.key for example in output.examples}
    numbers = {d.id: n for n, d in enumerate(output.decisions)}
    assert not learnt & {numbers[d.id] for d in output.decisions if d.action == "DECLINE"}


# ends, and what an entry speaks of


def test_an_entry_ends_by_itself_by_the_streams_clock() -> None:
    one_engine = engine()
    decided(
        one_engine, lists(T0, entry("block", until=T0 + MINUTE), entry("block", "card", "c-3", basis="law"))
    )
    at = [T0 + MINUTE, T0 + MINUTE + 1]
    ends = decided(one_engine, *[payment(n, t, card="c-1") for n, t in enumerate(at)])
    assert [len([r for r in d.reasons if r.kind == "list"]) for d in ends] == [1, 0]
    assert len(one_engine.lists) == 2
    decided(one_engine, lists(T0 + 2 * MINUTE, entry("watch", "card", "c-9")))
    assert [e.token for e in one_engine.lists.entries()] == ["c-3", "c-9"], "what is over drops out"


@pytest.mark.parametrize(
    ("entity", "token", "fields"),
    [
        ("card", "c-1", {}),
        ("customer", "who", {}),
        ("device", "d", {"device": "d"}),
        ("ip", "i", {"ip": "i"}),
        ("merchant", "m", {"merchant": "m"}),
        ("payee", "p", {"payee": "p"}),
        ("bin", "400000", {"bin": "400000"}),
        ("partner", "psp", {"partner": "psp"}),
        ("issuer_country", "CN", {"issuer_country": "CN"}),
        ("corridor", "CN>US", {"payer_country": "CN", "payee_country": "US"}),
        ("corridor", "CN>US:USD:cnp", {"payer_country": "CN", "payee_country": "US"}),
        ("account", "a", {"payer_account": "a"}),
        ("account", "a", {"payee_account": "a"}),
        ("party", "who", {}),
        ("party", "m", {"merchant": "m"}),
        ("party", "p", {"payee": "p"}),
    ],
)
def test_an_entry_speaks_of_the_entity_it_names_and_no_other(
    entity: str, token: str, fields: dict[str, Any]
) -> None:
    hit = one(lists(T0, entry("block", entity, token)), payment(1, T0 + 1, **fields))
    (reason,) = [r for r in hit.reasons if r.kind == "list"]
    assert reason.code == f"list.block.{entity}"
    miss = one(lists(T0, entry("block", entity, token + "x")), payment(1, T0 + 1, **fields))
    assert not [r for r in miss.reasons if r.kind == "list"]


def test_every_kind_of_entity_was_tried() -> None:
    tried = {
        mark.args[1][n][0]
        for mark in test_an_entry_speaks_of_the_entity_it_names_and_no_other.pytestmark
        for n in range(16)
    }
    assert tried == set(ENTITY_KINDS)


def test_reasons_say_list_source_and_confidence_in_both_languages() -> None:
    decision = one(
        lists(T0, entry("allow"), entry("block", "merchant", "m", basis="law")),
        payment(1, T0 + 1, merchant="m"),
        evidence=True,
    )
    shown = {r.code: (r.text_en, r.text_zh) for r in decision.reasons if r.kind == "list"}
    assert (
        shown["list.block.merchant"][0]
        == "merchant is on the block list by law: seen (source desk, confidence 80)"
    )
    assert shown["list.block.merchant"][1] == "商户在阻断名单上（法定）：seen（来源 desk，置信度 80）"
    assert "does not count" in shown["list.allow.card"][0]
    assert "不生效" in shown["list.allow.card"][1]
    assert decision.counterfactual is not None
    assert decision.counterfactual.decided_by == ["list.block"]


# versions


entries = st.builds(
    lambda name, token, end: Listed(
        list=name, entity="card", token=token, source="s", reason="r", confidence=1, until=end
    ),
    st.sampled_from(["block", "watch", "allow"]), st.sampled_from("abcdef"), st.integers(T0, T0 + 10),
)  # fmt: skip
changes = st.lists(st.tuples(st.booleans(), entries), min_size=1, max_size=25)


@given(changes)
def test_equal_content_has_one_version_whatever_came_before(steps: list[tuple[bool, Listed]]) -> None:
    told = Lists()
    kept: dict[tuple[str, str, str], Listed] = {}
    for add, item in steps:
        named = {k: getattr(item, k) for k in ("list", "entity", "token")}
        payload = {"add": [item]} if add else {"remove": [named]}
        told.change(msgspec.json.encode(payload), T0)
        if add:
            kept[item.key] = item
        else:
            kept.pop(item.key, None)
    assert told.entries() == [kept[key] for key in sorted(kept)]
    assert told.version == Lists(kept.values()).version == Lists(reversed(kept.values())).version
    assert (told.version == NONE) == (not kept)
    told.change(
        msgspec.json.encode({"add": [msgspec.structs.replace(steps[0][1], token="z", until=T0 + 99)]}),
        T0 + 50,
    )
    assert [e.token for e in told.entries()] == ["z"], "all others are over"


def test_decisions_name_the_version_and_none_without_lists() -> None:
    assert one(payment(1, T0)).versions.lists == NONE
    block = entry("block")
    before = one(lists(T0, block), payment(1, T0 + 1)).versions.lists
    assert before == Lists([msgspec.convert(block, Listed)]).version != NONE
    gone = one(lists(T0, block), lists(T0 + 1, remove=[block]), payment(1, T0 + 2)).versions.lists
    assert gone == NONE


def test_a_checkpoint_keeps_the_lists() -> None:
    before = engine()
    decided(
        before,
        lists(T0, entry("block"), entry("allow", "device", "d"), entry("block", "payee", "p", basis="law")),
    )
    arrays, meta = freeze(before)
    after = engine()
    thaw(after, {name: array.copy() for name, array in arrays.items()}, meta)
    assert after.lists.entries() == before.lists.entries()
    assert after.lists.version == before.lists.version
    events = [payment(1, T0 + 1), payment(2, T0 + 2, device="d", card="c-7"), lists(T0 + 3, entry("watch"))]
    assert decided(after, *events) == decided(before, *events)


# refusals


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, "at least one entry"),
        ({"add": [entry("block", confidence=101)]}, "$.add[0].confidence"),
        ({"add": [entry("block", "planet", "Mars")]}, "$.add[0].entity"),
        ({"add": [entry("grey")]}, "$.add[0].list"),
        ({"add": [entry("block", token="")]}, "$.add[0].token"),
        ({"add": [entry("block", reason=" ")]}, "source and its reason"),
        ({"add": [entry("allow", basis="law")]}, "what the law demands is a block"),
        ({"add": [{k: v for k, v in entry("block").items() if k != "until"}]}, "give the entry an end"),
        ({"add": [entry("allow", action="DECLINE")]}, "action of an entry on the allow list"),
        ({"add": [entry("watch", action="FREEZE")]}, "action of an entry on the watch list"),
        ({"add": [entry("block", note="x")]}, "note"),
        ({"add": [entry("block")], "replace": []}, "replace"),
        ({"add": [entry("watch"), entry("block", confidence="high")]}, "$.add[1].confidence"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_taken_changes_nothing(payload: dict[str, Any], said: str) -> None:
    held = engine()
    decided(held, lists(T0, entry("block", "card", "c-8")))
    before = held.lists.version
    output = held.step(entries_of([control("lists", T0 + 1, "bad", payload)]))
    (letter,) = output.dead
    assert letter.reason == "control_refused"
    assert said in letter.detail
    assert (held.lists.version, len(held.lists)) == (before, 1)
    assert held.counters.balanced()


def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.lists.MOST", 2)
    full = Lists()
    full.change(msgspec.json.encode({"add": [entry("block", token=t) for t in "ab"]}), T0)
    full.change(msgspec.json.encode({"add": [entry("block", token="b", confidence=1)]}), T0)
    with pytest.raises(RuleError, match="may have 2 entries"):
        full.change(msgspec.json.encode({"add": [entry("block", token="c")]}), T0)
    assert [e.token for e in full.entries()] == ["a", "b"]


def test_a_change_reads_back_as_it_was() -> None:
    change = msgspec.convert({"add": [entry("block"), entry("allow", "ip", "i")]}, ListChange)
    assert msgspec.json.decode(msgspec.json.encode(change), type=ListChange) == change


# alerts


def test_a_watched_entity_raises_an_alert_on_itself() -> None:
    calm = engine()
    calm.thresholds = Thresholds()
    watch = lists(T0, entry("watch", "merchant", "m", action="APPROVE"))
    decision = decided(calm, watch, payment(1, T0 + 1, merchant="m"))[0]
    assert (decision.action, needs_alert(decision)) == ("APPROVE", True)
    hit = hit_of(decision, 1)
    assert (hit.typology, hit.entity_kind, hit.entity, hit.severity, hit.causes) == (
        LIST,
        "merchant",
        "m",
        "S4",
        (LIST,),
    )
    party = lists(T0 + 2, entry("watch", "party", "who2"))
    decision = decided(calm, party, payment(2, T0 + 3, payer="who2"))[0]
    assert hit_of(decision, 2).entity_kind == "card"
    risky = one(watch, payment(1, T0 + 1, merchant="m"))
    assert hit_of(risky, 1).typology == MODEL
    assert hit_of(risky, 1).causes == (MODEL, LIST)
    blocked = decided(calm, lists(T0 + 4, entry("block")), payment(3, T0 + 5, card="c-1"))[0]
    assert (blocked.action, needs_alert(blocked)) == ("DECLINE", False)


def test_a_payment_with_no_listed_entity_is_decided_as_without_lists() -> None:
    events: list[Transaction] = [payment(n, T0 + n, card=f"x-{n % 3}") for n in range(1, 30)]
    with_lists = decided(engine(), lists(T0, entry("block"), entry("allow", "device", "d")), *events)
    without = decided(engine(), *events)
    same = [msgspec.structs.replace(d, versions=w.versions) for d, w in zip(with_lists, without, strict=True)]
    assert same == without
