"""The engine against the oracle of tests/oracle.py, on simulated streams and on small hostile ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.simulate import Simulator
from models import blend, learners
from models.decision import ACTIONS, Decision
from models.engine import Engine, Output
from models.engine_settings import CAPACITIES, EngineSettings
from models.errors import EventError
from models.events import AnyEvent, Behaviour, Control, Evidence, Heartbeat, Label, Transaction, decode
from models.examples import Example, publishes
from models.features import BY_NAME, NAMES
from models.learners import OnlineLearner
from models.money import FxTable
from models.risk import DECLINES, Thresholds, strictest
from models.rules.pack import load_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from tests.oracle import Asked, Oracle, Verdict
from tests.oracle_features import DAY, HOUR, civil_day, shape

BATCHES = (1, 7, 64, 512)
START = 1_788_220_800_000 + 15 * HOUR  # 23:00 in Shanghai: a civil day ends within the first hour
FX = FxTable.default()

# --- the rules, and what the oracle is to say of them ---------------------------------------------------

VELOCITIES: dict[str, tuple[str, Asked]] = {
    rule: (text, Asked(rule, *asked))
    for rule, text, *asked in (
        ("COUNT", 'velocity(count, by=card, window="10m", where=declined)',
         "count", "card", shape(600_000), 600_000,
         lambda t: None if t.authorisation is None else t.authorisation == "declined"),
        ("SUM", 'velocity(sum, amount_usd, by=customer, window="1d")', "sum", "customer", shape(DAY), DAY),
        ("MEAN", 'velocity(mean, amount_usd, by=merchant, window="7d", where=channel == "cnp")',
         "mean", "merchant", shape(7 * DAY), 7 * DAY, lambda t: t.channel == "cnp"),
        ("MERCHANTS", 'velocity(distinct, merchant, by=card, window="1h")', "merchant", "card", shape(HOUR), HOUR),
        ("COUNTRIES", 'velocity(distinct, ip_country, by=customer, window="30d", where=amount_usd >= 5)',
         "ip_country", "customer", shape(30 * DAY), 30 * DAY,
         lambda t: FX.dollars(t.amount, t.currency, t.event_time) >= 5),
        ("TODAY", 'velocity(sum, amount_usd, by=customer, window="calendar day", tz="Asia/Shanghai")',
         "sum", "customer", civil_day("Asia/Shanghai"), 25 * HOUR),
        ("DEVICE", 'velocity(count, by=device, window="2h", where=ip_country == "CN" or ip_country == "US")',
         "count", "device", shape(2 * HOUR), 2 * HOUR,
         lambda t: None if t.ip_country is None else t.ip_country in ("CN", "US")),
    )
}  # fmt: skip


def pack_of(*rules: str) -> Pack:
    """A pack whose rules hit whenever their velocity can be judged, so that their reasons show its value."""
    return load_pack("".join(_rule(rule, VELOCITIES[rule][0]) for rule in rules), name="oracle")


def _rule(rule: str, velocity: str) -> str:
    quoted = velocity.replace('"', r"\"")
    return f"""
[[rule]]
id = "{rule}"
title_en = "{rule}"
title_zh = "{rule}"
expression = '''step_up if {velocity} >= 0'''
severity = "low"
typology = "T01"
shadow = true
source = {{ kind = "expert", reference = "test" }}
runbook = "none"
hits = [{{ "{quoted}" = 1 }}]
misses = [{{ "{quoted}" = -1 }}]
"""


FIRST = ("COUNT", "SUM", "MERCHANTS", "TODAY", "DEVICE")
SECOND = ("MEAN", "COUNT", "COUNTRIES", "TODAY", "DEVICE")
PACKS = {"first": FIRST, "second": SECOND}


# --- streams --------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """An entry as a source hands it over."""

    place: str
    line: bytes | None = None
    event: AnyEvent | None = None
    error: EventError | None = None


def entries_of(events: Sequence[AnyEvent | bytes]) -> list[Entry]:
    return [
        Entry(f"stream:{n}", line=e) if isinstance(e, bytes) else Entry(f"stream:{n}", event=e)
        for n, e in enumerate(events)
    ]


def parsed(entry: Entry) -> AnyEvent | EventError:
    if entry.event is not None:
        return entry.event
    try:
        return decode(entry.line or b"")
    except EventError as error:
        return error


def simulated(seed: int, customers: int, days: float, *scenarios: str) -> list[Entry]:
    return entries_of(list(Simulator(seed, customers=customers, scenarios=scenarios or None).events(days)))


_AHEAD = st.sampled_from([0, 0, 0, 0, 4 * 60_000, 6 * 60_000])
_LATE = st.sampled_from([0, 0, 0, 0, 1_000, 540_000, 660_000, 3 * HOUR, 7 * HOUR, 5 * DAY, 9 * DAY])
_STEP = st.sampled_from([0, 1, 999, 59_000, 600_000, 600_000, HOUR, HOUR, 7 * HOUR, DAY, 2 * DAY, 8 * DAY])
_COUNTRY = st.sampled_from([None, "CN", "US", "GB", "ZZ"])


def _some(prefix: str, most: int) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"{prefix}{n}" for n in range(most))])


_evidence = st.none() | st.builds(
    Evidence,
    knowledge=st.sampled_from([None, "passed", "failed"]),
    possession=st.sampled_from([None, "passed", "absent"]),
)
_payments = st.fixed_dictionaries({
    "amount": st.sampled_from([0, 99, 499, 500, 12_345, 10**9, 10**13]),
    "currency": st.sampled_from(["USD", "USD", "CNY", "JPY", "XXX"]),
    "channel": st.sampled_from(["cnp", "qr"]),
    "card": _some("card-", 4), "payer": _some("who-", 4), "device": _some("dev-", 3), "ip": _some("ip-", 3),
    "merchant": _some("shop-", 3), "payee": _some("payee-", 3), "bin": st.sampled_from([None, "400000", "510000"]),
    "partner": _some("psp-", 2), "ship_token": _some("ship-", 3), "issuer_country": _COUNTRY,
    "payer_country": _COUNTRY, "payee_country": _COUNTRY, "ip_country": _COUNTRY, "ship_country": _COUNTRY,
    "authorisation": st.sampled_from([None, "approved", "declined"]),
    "decline_code": st.sampled_from([None, "invalid_account", "do_not_honor"]), "evidence": _evidence,
})  # fmt: skip
_acts = st.fixed_dictionaries({
    "kind": st.sampled_from([
        "login", "login_failed", "device_change", "credential_change", "contact_change", "payee_added", "refund",
    ]),
    "payer": _some("who-", 4).filter(bool), "card": _some("card-", 4), "device": _some("dev-", 3),
    "ip": _some("ip-", 3), "merchant": _some("shop-", 3), "payee": _some("payee-", 3),
})  # fmt: skip
_controls = st.sampled_from([
    {"kind": "rules", "version": "first"}, {"kind": "rules", "version": "second"}, {"kind": "rules", "version": "bad"},
    {"kind": "pin", "version": "p", "payload": msgspec.Raw(b'{"entity":"card","key":"card-0"}')},
    {"kind": "pin", "version": "p", "payload": msgspec.Raw(b'{"entity":"card","key":"card-1"}')},
    {"kind": "unpin", "version": "p", "payload": msgspec.Raw(b'{"entity":"card","key":"card-1"}')},
    {"kind": "lists", "version": "l"},
    {"kind": "lists", "version": "l", "payload": msgspec.Raw(b'{"add":[],"nonsense":1}')},
])  # fmt: skip
_scopes = st.sampled_from([
    {}, {"card": "card-0"}, {"party": "shop-1"}, {"party": "who-1", "channel": "cnp"}, {"corridor": "CN>US"},
    {"corridor": "??>??:USD:cnp"}, {"bin": "400000"}, {"partner": "psp-0"}, {"device": "dev-1"}, {"planet": "Mars"},
    {"issuer_country": "CN", "payee": "payee-1"},
])  # fmt: skip
_measures = st.one_of(
    st.fixed_dictionaries({
        "kind": st.just("containment"), "scope": _scopes, "action": st.sampled_from(ACTIONS[1:]),
    }),
    st.fixed_dictionaries({"kind": st.just("limits"), "scope": _scopes, "above_usd": st.sampled_from([0, 5, 123.45])}),
    st.fixed_dictionaries({"kind": st.just("containment"), "scope": _scopes, "rules_only": st.just(True)}),
    st.fixed_dictionaries({"kind": st.sampled_from(["containment", "limits"]), "lift": st.sampled_from("AB")}),
)  # fmt: skip
_entries = st.builds(
    lambda name, of, law, action: {
        "list": name, "entity": of[0], "token": of[1], "source": "s", "reason": "r", "confidence": 50,
        **({"basis": "law"} if law and name == "block" else {}),
        **({"action": action} if name == "block" and action else {}),
    },
    st.sampled_from(["block", "watch", "allow"]),
    st.sampled_from([
        ("card", "card-0"), ("card", "card-1"), ("customer", "who-1"), ("party", "who-0"), ("party", "shop-1"),
        ("device", "dev-1"), ("corridor", "CN>US"), ("corridor", "??>??:USD:cnp"), ("bin", "400000"),
        ("account", "acc-1"), ("issuer_country", "CN"), ("merchant", "shop-0"),
    ]),
    st.booleans(), st.sampled_from([None, "HOLD", "FREEZE"]),
)  # fmt: skip
_listings = st.builds(
    lambda add, remove: {
        "kind": "lists", "add": add, "remove": [{k: e[k] for k in ("list", "entity", "token")} for e in remove],
    },
    st.lists(_entries, min_size=1, max_size=2, unique_by=lambda e: (e["list"], e["entity"], e["token"])),
    st.lists(_entries, max_size=2),
)  # fmt: skip
_back = st.integers(0, 12)
_plans = st.one_of(
    *[st.tuples(st.just("pay"), _payments)] * 6,
    st.tuples(st.just("act"), _acts),
    *[st.tuples(st.just("label"), st.tuples(_back, st.booleans()))] * 2,
    st.tuples(st.just("again"), _back),
    st.tuples(st.just("altered"), _back),
    st.tuples(st.just("control"), _controls),
    st.tuples(
        st.just("measure"), st.tuples(st.sampled_from("AB"), st.sampled_from([0, HOUR, 9 * DAY]), _measures)
    ),
    st.tuples(st.just("measure"), st.tuples(st.just("L"), st.sampled_from([0, HOUR, 9 * DAY]), _listings)),
    st.tuples(st.just("other"), st.sampled_from([b"{", b"[]", b'{"type":"transaction","id":"x"}', None])),
)


_listed_plans = st.one_of(
    st.tuples(st.just("pay"), _payments),
    st.tuples(st.just("measure"), st.tuples(st.just("L"), st.sampled_from([0, HOUR, 9 * DAY]), _listings)),
)


@st.composite
def hostile(
    draw: st.DrawFn, most: int = 45, plans: st.SearchStrategy[tuple[str, Any]] = _plans
) -> list[Entry]:
    """A little stream with few entities: late, repeated, altered, refused, undecodable, with missing fields."""
    events: list[AnyEvent | bytes] = []
    now = START
    for number, (kind, plan) in enumerate(
        draw(st.lists(st.tuples(st.just(0), plans).map(lambda p: p[1]), min_size=1, max_size=most))
    ):
        now += draw(_STEP)
        times: dict[str, Any] = {
            "id": f"e{number}", "event_time": now + draw(_AHEAD) - draw(_LATE), "received_at": now,
        }  # fmt: skip
        paid = [e for e in events if isinstance(e, Transaction)]
        if kind == "pay":
            events.append(Transaction(**times, **plan))
        elif kind == "act":
            events.append(Behaviour(**times, **plan))
        elif kind == "control":
            events.append(_control(times, **plan))
        elif kind == "measure":
            version, lasts, told = plan
            payload = {name: value for name, value in told.items() if name != "kind"}
            if told["kind"] == "lists":
                ends = [{} if "basis" in e else {"until": now + lasts} for e in payload["add"]]
                payload["add"] = [{**e, **end} for e, end in zip(payload["add"], ends, strict=True)]
            elif "lift" not in payload:
                payload["until"] = now + lasts
            raw = msgspec.Raw(msgspec.json.encode(payload))
            events.append(_control(times, told["kind"], version, raw))
        elif kind == "other":
            events.append(plan if plan is not None else Heartbeat(**times, component="c"))
        elif kind == "label":
            of = paid[-1 - plan[0]].id if plan[0] < len(paid) else "unknown"
            events.append(Label(**times, transaction_id=of, fraud=plan[1], source="chargeback"))
        elif plan < len(paid):
            old = paid[-1 - plan]
            events.append(old if kind == "again" else msgspec.structs.replace(old, amount=old.amount + 1))
    return entries_of(events)


def _control(times: dict[str, Any], kind: Any, version: str, payload: Any = None) -> Control:
    if kind == "rules":
        text = pack_of(*PACKS[version]).text if version in PACKS else "[[rule]]"
        payload = msgspec.Raw(msgspec.json.encode({"text": text}))
    return Control(
        **{**times, "event_time": times["received_at"]}, kind=kind, version=version, payload=payload
    )


# --- both engines ---------------------------------------------------------------------------------------

TIGHT = EngineSettings(
    settle_after_ms=2 * DAY, negative_rate=0.6, publish_every=5, ledger_rows=20, vector_rows=8192,
    capacities={name: 3 if name in ("card", "customer", "account") else 2 for name in CAPACITIES},
    explain_all=True, with_features=True,
)  # fmt: skip
ROOMY = msgspec.structs.replace(
    TIGHT, settle_after_ms=DAY, publish_every=20, ledger_rows=300, capacities=dict.fromkeys(CAPACITIES, 40)
)


@pytest.fixture(autouse=True, scope="module")
def _early_models() -> Iterator[None]:
    """Let models of a few examples count, so that short streams change models too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blend, "FEWEST_FRAUDS", 2)
        patch.setattr(blend, "FEWEST_GOOD", 3)
        patch.setattr(blend, "FEWEST_KEPT", 3)
        patch.setattr(learners, "REFRESH", 5)
        yield


def engine_of(chosen: EngineSettings, *, learns: bool = False) -> Engine:
    learner = OnlineLearner(NAMES, negative_rate=chosen.negative_rate) if learns else None
    return Engine(chosen, pack_of(*FIRST), FX, Snapshot.untrained(NAMES), learner)


def run(engine: Engine, entries: Sequence[Entry], batch: int) -> Output:
    """All outputs of a stream in batches of the given size."""
    whole = Output()
    for start in range(0, len(entries), batch):
        part = engine.step(entries[start : start + batch])
        for name in ("decisions", "repeated", "dead", "examples", "published", "labelled"):
            getattr(whole, name).extend(getattr(part, name))
        assert engine.counters.balanced()
    return whole


def told(output: Output) -> list[object]:
    """Everything an output says, in a form that can be compared."""
    examples = [(e.vector.tobytes(), e.fraud, e.key, e.weight) for e in output.examples]
    return [output.decisions, output.repeated, output.dead, examples, output.published, output.labelled]


def oracle_of(chosen: EngineSettings) -> Oracle:
    packs = {version: tuple(VELOCITIES[rule][1] for rule in rules) for version, rules in PACKS.items()}
    return Oracle(
        settle_after=chosen.settle_after_ms, negative_rate=chosen.negative_rate, ledger_rows=chosen.ledger_rows,
        vector_rows=chosen.vector_rows, capacities=chosen.capacities, asked=packs["first"], packs=packs, fx=FX,
    )  # fmt: skip


def same(got: float | None, want: float | None) -> bool:
    # The absolute part is for what is near 0 by cancelling: an amount that is exactly the usual one.
    return (
        got is want if got is None or want is None else math.isclose(got, want, rel_tol=1e-12, abs_tol=1e-12)
    )


def compare(decision: Decision, verdict: Verdict) -> None:
    """One decision against the oracle's verdict on it."""
    assert decision.features is not None
    assert set(verdict.features) == set(NAMES)
    wrong = {
        name: (got, verdict.features[name])
        for name, got in decision.features.items()
        if not same(got, verdict.features[name])
    }
    assert not wrong, f"{decision.id}: (engine, oracle) {wrong}"
    shown = {reason.code: reason.observed for reason in decision.reasons if reason.kind == "rule"}
    values = {rule: shown.get(rule) for rule in verdict.velocities}
    assert set(shown) | set(decision.not_assessed) == set(verdict.velocities)
    wrong = {
        rule: (values[rule], want)
        for rule, want in verdict.velocities.items()
        if not same(values[rule], want)
    }
    assert not wrong, f"{decision.id}: (engine, oracle) {wrong}"
    assert decision.late == verdict.late


def assert_contained(decision: Decision, verdict: Verdict, thresholds: Thresholds) -> None:
    """Band, action and reasons are what models, measures in force and lists ask for (the rules are shadows)."""
    assert decision.band == thresholds.band(0.0 if verdict.rules_only else decision.risk)
    asked = thresholds.high_action if decision.explored else thresholds.action(decision.band)
    listed = [action for _, action in verdict.listed]
    assert decision.action == strictest([asked, *verdict.contained, *listed])  # type: ignore[list-item]
    shown = sorted(r.code.split(".")[1] for r in decision.reasons if r.kind == "list")
    assert shown == sorted(name for name, _ in verdict.listed)
    assert len(verdict.contained) == sum(reason.kind == "containment" for reason in decision.reasons)


def check(entries: Sequence[Entry], engine: Engine, oracle: Oracle, output: Output) -> None:
    """A whole stream's output against the oracle."""
    versions = [Snapshot.untrained(NAMES).version]
    versions += [Snapshot.from_bytes(data).version for data in output.published]
    decisions, repeated = iter(output.decisions), iter(output.repeated)
    dead, examples = iter(output.dead), iter(output.examples)
    first: dict[str, Decision] = {}
    learnt = published = unmatched = late = 0
    labelled = []
    for entry in entries:
        verdict = oracle.take(parsed(entry))
        if verdict.decided is not None:
            decision = first[verdict.decided] = next(decisions)
            assert decision.id == verdict.decided
            compare(decision, verdict)
            assert_contained(decision, verdict, engine.thresholds)
            assert decision.versions.model == versions[published], "a model serves from the row after it on"
            late += verdict.late
            if engine.settings.enforced and decision.action in DECLINES:
                oracle.forgo(decision.id)
        if verdict.duplicate is not None:
            assert next(repeated) == first[verdict.duplicate]
        if verdict.refused is not None:
            letter = next(dead)
            assert (letter.reason, letter.place) == (verdict.refused, entry.place)
        for id_, fraud in verdict.examples:
            example = next(examples)
            assert example.fraud == fraud
            assert_vector(example, first[id_])
            learnt += 1
            published += engine.learner is not None and publishes(learnt, engine.settings.publish_every)
        labelled += [verdict.labelled] if verdict.labelled is not None else []
        unmatched += verdict.unmatched
    for rest in (decisions, repeated, dead, examples):
        assert next(rest, None) is None, "the engine says more than the oracle"
    assert published == len(output.published)
    assert [label.transaction_id for label in output.labelled] == labelled
    counters = engine.counters
    assert (counters.labels_unmatched, counters.late, counters.evicted) == (unmatched, late, oracle.evicted)
    assert counters.decided == len(output.decisions)
    assert counters.duplicates == len(output.repeated)
    assert counters.dead_letters == len(output.dead)
    assert counters.events_in == len(entries)
    assert counters.balanced()


def assert_vector(example: Example, decision: Decision) -> None:
    assert decision.features is not None
    row = [
        math.nan if value is None else min(value, BY_NAME[name].cap or math.inf)
        for name, value in decision.features.items()
    ]
    np.testing.assert_array_equal(example.vector, np.array(row, dtype=np.float32).astype(np.float64))


QUICK = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "customers", "scenarios"),
    [(5, 5, ("card_testing", "account_takeover")), (11, 12, ("quiet",))],
)
def test_simulated_stream_agrees_with_the_oracle(
    seed: int, customers: int, scenarios: tuple[str, ...]
) -> None:
    entries = simulated(seed, customers, 3, *scenarios)
    engine = engine_of(ROOMY, learns=True)
    output = run(engine, entries, 64)
    check(entries, engine, oracle_of(ROOMY), output)
    kinds = {Transaction} if scenarios == ("quiet",) else {Transaction, Behaviour, Label}
    assert {type(entry.event) for entry in entries} >= kinds


@QUICK
@given(hostile())
def test_hostile_stream_agrees_with_the_oracle(entries: list[Entry]) -> None:
    engine = engine_of(TIGHT)
    check(entries, engine, oracle_of(TIGHT), run(engine, entries, 7))


@QUICK
@given(hostile(), st.sampled_from(BATCHES))
def test_nothing_depends_on_the_batch_size(entries: list[Entry], batch: int) -> None:
    assert told(run(engine_of(TIGHT), entries, batch)) == told(run(engine_of(TIGHT), entries, 3))


@QUICK
@given(hostile(), st.integers(1, 60))
def test_no_decision_looks_ahead(entries: list[Entry], end: int) -> None:
    """What comes later, and comes in the same batch, changes nothing that was decided before."""
    whole = run(engine_of(TIGHT), entries, len(entries) or 1)
    before = run(engine_of(TIGHT), entries[:end], 1)
    assert whole.decisions[: len(before.decisions)] == before.decisions
    assert whole.dead[: len(before.dead)] == before.dead


# Every payment would be declined by the models; every second one is let through.
CAREFUL = msgspec.structs.replace(
    TIGHT, thresholds=Thresholds(medium=0.0005, high=0.001, critical=0.0015), exploration=0.5
)


@QUICK
@given(hostile(plans=_listed_plans), st.sampled_from(BATCHES))
def test_lists_agree_with_the_oracle(entries: list[Entry], batch: int) -> None:
    """Many entries at once, where every payment would be declined by the models: an allow shows."""
    strict = msgspec.structs.replace(CAREFUL, exploration=0.0)
    output = run(engine := engine_of(strict), entries, batch)
    check(entries, engine, oracle_of(strict), output)


@QUICK
@given(hostile(), st.sampled_from(BATCHES))
def test_what_was_declined_has_no_outcome_and_what_was_explored_counts_twice(
    entries: list[Entry], batch: int
) -> None:
    output = run(engine := engine_of(CAREFUL), entries, batch)
    check(entries, engine, oracle_of(CAREFUL), output)
    assert told(output) == told(run(engine_of(CAREFUL), entries, 1))
    by_number = dict(enumerate(output.decisions))
    for decision in output.decisions:
        if decision.explored:
            assert (decision.band, decision.action) == ("critical", CAREFUL.thresholds.high_action)
    for example in output.examples:
        assert example.weight == (2.0 if by_number[example.key].explored else 1.0)


def test_a_recorded_history_takes_its_course_whatever_we_would_have_done() -> None:
    entries = simulated(3, 10, 3, "quiet")
    history = msgspec.structs.replace(CAREFUL, exploration=0.0, settle_after_ms=DAY // 2, negative_rate=1.0)
    carried_out = run(engine_of(history), entries, 50)
    told_all = run(engine_of(msgspec.structs.replace(history, enforced=False)), entries, 50)
    assert {d.action for d in carried_out.decisions} == {"DECLINE"}
    assert not carried_out.examples
    assert len(told_all.examples) > 0.5 * len(told_all.decisions)


def test_a_ledger_of_any_size_forgets_the_oldest() -> None:
    """Sizes that are no power of two, too."""
    entries = simulated(3, 10, 2, "quiet")
    for rows in (1, 3, 20, 100):
        chosen = msgspec.structs.replace(TIGHT, ledger_rows=rows)
        check(entries, engine := engine_of(chosen), oracle_of(chosen), run(engine, entries, 16))
