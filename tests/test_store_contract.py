"""What every Store promises, held over the memory store and a real Valkey by RESP2 and RESP3."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.alert import MAX_EVENTS_KEPT, MERGE_WINDOW_MS, Alert, AlertHit, hit_of
from alerts.custody.audit import AuditEntry
from alerts.memory_store import MemoryStore
from alerts.minutes import add_decision, add_hit, head_of
from alerts.redis_store import RedisStore
from alerts.store import Commit, Conflict
from dataflow.embedded import embedded
from models.decision import Counters, DeadLetter, Decision, RuleHit, Versions, encode_decision
from models.errors import StoreError
from models.events import Label, decode

T0 = 1_700_000_000_000
NOW = T0 + 5_000_000
BEGAN = NOW - 60_000
HOUR = 3_600_000
ROLE = "senior"
LIVES = ("open", "acknowledged", "snoozed", "escalated", "proposed", "resolved")
AnyStore = MemoryStore | RedisStore
Make = Callable[..., AnyStore]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "resp2", "resp3"])
def make(request: pytest.FixtureRequest, url: str) -> Make:
    redis.Redis.from_url(url).flushall()
    if request.param == "memory":
        return MemoryStore
    return lambda **options: RedisStore(url, protocol=int(request.param[-1]), **options)  # type: ignore[arg-type]


@pytest.fixture
def store(make: Make) -> AnyStore:
    return make()


def queued(store: AnyStore, url: str) -> list[Label]:
    """The labels verdicts sent back."""
    if isinstance(store, MemoryStore):
        lines = store.queued
    else:
        lines = [fields[b"e"] for _, fields in redis.Redis.from_url(url).xrange("tg:in")]
    labels = [decode(line) for line in lines]
    assert all(isinstance(label, Label) for label in labels)
    return labels  # type: ignore[return-value]


def decision(
    n: int, card: str = "card-1", severity: str = "high", time: int | None = None, risk: float = 0.9
) -> Decision:
    rule = RuleHit(id="R1", version="1", action="HOLD", severity=severity, typology="T12")  # type: ignore[arg-type]
    return Decision(
        id=f"e{n}",
        event_time=T0 + n * 1000 if time is None else time,
        risk=risk,
        band="high",
        action="HOLD",
        rules=[rule],
        versions=Versions("m1", "r1", "l1", "f1"),
        context={"card": card, "merchant": "shop", "amount_usd": 10.1 * n, "corridor": "CN>US 电商"},
    )


def commit_of(first: int, decisions: list[Decision], first_hit: int | None = None, dead: int = 0) -> Commit:
    """A batch in which every decision is also a hit; ordinals of hits equal those of decisions by default."""
    first_hit = first if first_hit is None else first_hit
    hits = [hit_of(d, first_hit + i) for i, d in enumerate(decisions)]
    minutes: dict[int, dict[str, float]] = {}
    for d, hit in zip(decisions, hits, strict=True):
        add_decision(minutes, head_of(encode_decision(d)))
        add_hit(minutes, hit)
    return Commit(
        first_decision_ordinal=first,
        decisions=[encode_decision(d) for d in decisions],
        hits=hits,
        first_dead_ordinal=first,
        dead=[
            DeadLetter(reason="malformed", detail="at `$.x`", place=f"f:{first + i}", undecodable=True)
            for i in range(dead)
        ],
        counters=Counters(events_in=first + len(decisions) - 1, decided=first + len(decisions) - 1),
        minutes=minutes,
        stream_time=decisions[-1].event_time if decisions else T0,
        now=BEGAN,
    )


def only_alert(store: AnyStore) -> Alert:
    (alert,) = store.alerts(LIVES, "newest", 10)
    return alert


def trail(store: AnyStore) -> list[AuditEntry]:
    """The audit entries on the only alert there is."""
    return store.audit_of("alert", only_alert(store).id, 100)


def state(store: AnyStore) -> dict[str, Any]:
    """Everything a reader can see, for comparing two stores."""
    alerts = store.alerts(LIVES, "priority", 1000)
    return {
        "cursors": store.cursors(),
        "counters": store.counters(),
        "time": store.stream_time(),
        "recent": store.recent_decisions(1000),
        "card": store.decisions_of("card", "card-1", 1000),
        "minutes": {
            minute: {name: round(value, 4) for name, value in fields.items()}
            for minute, fields in store.minutes(0, 2 * T0).items()
        },
        "dead": store.dead_letters(1000),
        "alerts": alerts,
        "newest": [a.id for a in store.alerts(LIVES, "newest", 1000)],
        "counts": store.alert_counts(),
        "audit": store.audit_chain(0, 1000),
        "acts": store.acts(0, 1000),
        "due": store.due(2 * T0, 1000),
        "bells": store.bells(2 * T0, 1000),
        "snoozes": store.rule_snoozes(),
    }


class TestCommit:
    def test_everything_written_can_be_read(self, store: AnyStore) -> None:
        batch = commit_of(1, [decision(1), decision(2, card="card-2")], dead=2)
        store.commit(batch)
        assert store.cursors() == {"decisions": 2, "hits": 2, "dead": 2}
        assert store.counters() == batch.counters
        assert store.stream_time() == T0 + 2000
        assert store.decision("e1") == batch.decisions[0]
        assert store.decision("nobody") is None
        assert store.recent_decisions(1) == [batch.decisions[1]]
        assert store.decisions_of("card", "card-2", 5) == [batch.decisions[1]]
        assert store.decisions_of("merchant", "shop", 5) == batch.decisions[::-1]
        assert store.dead_letters(5) == batch.dead[::-1]
        assert store.minutes(0, 2 * T0) == batch.minutes
        assert store.minutes(0, min(batch.minutes)) == {}
        assert store.ping() >= 0
        store.wait_durable()

    def test_an_empty_store_is_empty(self, store: AnyStore) -> None:
        assert store.cursors() == {"decisions": 0, "hits": 0, "dead": 0}
        assert store.counters() == Counters()
        assert store.stream_time() == 0
        assert store.recent_decisions(5) == store.dead_letters(5) == store.acts(0, 5) == []
        assert store.alerts(("open",), "priority", 5) == store.alerts_of("card", "x", 5) == []
        assert set(store.alert_counts().values()) == {0}

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(cuts=st.sets(st.integers(1, 11), max_size=4), back=st.integers(0, 12))
    def test_any_replay_of_any_cut_changes_nothing(
        self, make: Make, url: str, cuts: set[int], back: int
    ) -> None:
        decisions = [decision(n, card=f"card-{n % 3}", time=T0 + n * 30_000) for n in range(1, 13)]
        redis.Redis.from_url(url).flushall()
        once = make()
        once.commit(commit_of(1, decisions, dead=12))
        expected = state(once)
        redis.Redis.from_url(url).flushall()
        cut = make()
        for start, end in pairwise([0, *sorted(cuts), 12]):
            # A kill before each batch: the scorer goes on from an older checkpoint, with other batches.
            start = max(start - back, 0)
            cut.commit(commit_of(start + 1, decisions[start:end], dead=end - start))
        assert state(cut) == expected

    def test_none_wanted_none_given(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1)], dead=1))
        assert store.recent_decisions(0) == store.dead_letters(0) == store.deliveries(0) == []
        assert store.decisions_of("card", "card-1", 0) == store.alerts_of("card", "card-1", 0) == []
        assert store.alerts(("open",), "newest", 0) == []

    def test_a_gap_is_refused_and_nothing_is_written(self, store: AnyStore) -> None:
        with pytest.raises(StoreError, match="checkpoint is ahead"):
            store.commit(commit_of(3, [decision(3)]))
        assert store.recent_decisions(5) == []

    def test_a_replay_does_not_set_the_counters_back(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1), decision(2)]))
        store.commit(commit_of(1, [decision(1)]))
        assert store.counters().events_in == 2
        assert store.stream_time() == T0 + 2000

    def test_old_decisions_go_new_ones_stay(self, make: Make) -> None:
        store = make(keep_decisions=5, keep_of_entity=3)
        for start in range(1, 61, 10):
            store.commit(commit_of(start, [decision(n) for n in range(start, start + 10)]))
        assert [head_of(d).id for d in store.recent_decisions(100)] == ["e60", "e59", "e58", "e57", "e56"]
        assert store.decision("e1") is None
        assert store.decision("e60") is not None
        assert [head_of(d).id for d in store.decisions_of("card", "card-1", 3)] == ["e60", "e59", "e58"]
        assert len(store.decisions_of("card", "card-1", 100)) <= 5


class TestAlerts:
    def test_hits_of_one_fingerprint_merge(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1), decision(2, risk=0.95), decision(3, risk=0.7)]))
        alert = only_alert(store)
        assert (alert.count, alert.version, alert.event_ids) == (3, 3, ["e1", "e2", "e3"])
        assert math.isclose(alert.amount_usd, 10.1 * 6)
        assert math.isclose(alert.priority, 10.1 * (0.9 + 2 * 0.95 + 3 * 0.7))
        assert alert.decision.id == "e2"
        assert (alert.first_time, alert.last_time, alert.opened_at) == (T0 + 1000, T0 + 3000, T0 + 1000)
        assert store.alerts_of("card", "card-1", 5) == [alert] == [store.alert(alert.id)]
        assert [(act.id, act.action) for act in store.acts(0, 5)] == [(alert.id, "opened")]

    def test_worse_severity_is_told_again(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1), decision(2, severity="critical"), decision(3)]))
        alert = only_alert(store)
        assert alert.severity == "S1"
        acts = store.acts(0, 5)
        assert [(act.id, act.action) for act in acts] == [(alert.id, "opened"), (alert.id, "worsened")]
        assert store.acts(acts[0].number, 5) == acts[1:]
        assert store.acts(0, 1) == acts[:1]
        assert store.last_act() == acts[-1].number
        assert store.alert_counts()["open:S1"] == 1
        assert store.alert_counts()["open:S2"] == 0
        assert [
            (e.action, (e.before or {}).get("severity"), (e.after or {}).get("severity"))
            for e in trail(store)
        ] == [
            ("opened", None, "S2"),
            ("worsened", "S2", "S1"),
        ]

    def test_a_quiet_alert_hides_no_new_hit(self, store: AnyStore) -> None:
        late = T0 + MERGE_WINDOW_MS + 1001
        store.commit(commit_of(1, [decision(1), decision(2, time=late)]))
        assert [a.count for a in store.alerts(("open",), "newest", 5)] == [1, 1]
        store.commit(commit_of(3, [decision(3, time=late + 1)]))
        newest, old = store.alerts(("open",), "newest", 5)
        assert (newest.event_ids, old.event_ids) == (["e2", "e3"], ["e1"])

    def test_a_resolved_alert_hides_no_new_hit(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1)]))
        store.resolve(only_alert(store).id, 1, "legitimate", "ana", NOW, ROLE)
        store.commit(commit_of(2, [decision(2)]))
        assert [a.event_ids for a in store.alerts(("open",), "newest", 5)] == [["e2"]]
        assert [a.event_ids for a in store.alerts(("resolved",), "newest", 5)] == [["e1"]]

    def test_event_ids_are_bounded(self, store: AnyStore) -> None:
        n = MAX_EVENTS_KEPT + 7
        store.commit(commit_of(1, [decision(i) for i in range(1, n + 1)]))
        alert = only_alert(store)
        assert alert.count == n
        assert alert.event_ids == [f"e{i}" for i in range(8, n + 1)]

    def test_sorted_by_priority_or_newest(self, store: AnyStore) -> None:
        batch = [decision(9, card="a", time=T0), decision(3, card="b", time=T0 + 2), decision(5, card="c")]
        store.commit(commit_of(1, batch))
        assert [a.entity for a in store.alerts(("open",), "priority", 2)] == ["a", "c"]
        assert [a.entity for a in store.alerts(("open", "resolved"), "newest", 5)] == ["c", "b", "a"]

    def test_a_snoozed_alert_that_worsens_is_open_again(self, store: AnyStore) -> None:
        store.commit(commit_of(1, [decision(1)]))
        store.set_status(only_alert(store).id, 1, "snoozed", "ana", NOW, ROLE)
        store.commit(commit_of(2, [decision(2)]))
        assert only_alert(store).status == "snoozed"
        store.commit(commit_of(3, [decision(3, severity="critical")]))
        assert only_alert(store).status == "open"


hits = st.builds(
    lambda card, severity, time, risk: (card, severity, T0 + time, risk),
    st.sampled_from(["card-1", "b", "c"]),
    st.sampled_from(["high", "critical"]),
    st.integers(0, 4) | st.integers(0, 3 * MERGE_WINDOW_MS),
    st.floats(0, 1),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(hits, min_size=1, max_size=12), resolve_after=st.integers(0, 12))
def test_both_stores_tell_the_same_story(
    url: str, rows: list[tuple[str, str, int, float]], resolve_after: int
) -> None:
    redis.Redis.from_url(url).flushall()
    memory, real = MemoryStore(), RedisStore(url)
    for store in (memory, real):
        for n, (card, severity, time, risk) in enumerate(rows, 1):
            store.commit(commit_of(n, [decision(n, card, severity, time, risk)]))
            if n == resolve_after:
                worst = store.alerts(("open",), "priority", 1)[0]
                after = store.resolve(worst.id, worst.version, "fraud", "ana", NOW, ROLE)
                assert isinstance(after, Alert)
                store.undo(worst.id, after.version, "ana", NOW + 1, ROLE)
    assert state(real) == state(memory)
    assert queued(real, url) == queued(memory, url)


class TestPeople:
    @pytest.fixture
    def alert(self, store: AnyStore) -> Alert:
        store.commit(commit_of(1, [decision(1), decision(2)]))
        return only_alert(store)

    def test_a_claim_keeps_others_away_until_it_lapses(self, store: AnyStore, alert: Alert) -> None:
        mine = store.claim(alert.id, "ana", NOW, 1000, ROLE)
        assert isinstance(mine, Alert)
        assert (mine.claimed_by, mine.claimed_until, mine.version) == ("ana", NOW + 1000, alert.version + 1)
        theirs = store.claim(alert.id, "bob", NOW + 999, 1000, ROLE)
        assert isinstance(theirs, Conflict)
        assert theirs.current == mine
        renewed = store.claim(alert.id, "ana", NOW + 500, 1000, ROLE)
        assert isinstance(renewed, Alert)
        assert (renewed.claimed_until, renewed.version) == (NOW + 1500, mine.version)
        taken = store.claim(alert.id, "bob", NOW + 1500, 1000, ROLE)
        assert isinstance(taken, Alert)
        assert taken.claimed_by == "bob"

    @pytest.mark.parametrize(("verdict", "fraud"), [("fraud", True), ("legitimate", False)])
    def test_a_verdict_becomes_labels_in_stream_time(
        self, store: AnyStore, url: str, alert: Alert, verdict: str, fraud: bool
    ) -> None:
        after = store.resolve(alert.id, alert.version, verdict, "ana", NOW, ROLE)  # type: ignore[arg-type]
        assert isinstance(after, Alert)
        assert (after.status, after.verdict, after.resolved_by, after.resolved_at) == (
            "resolved",
            verdict,
            "ana",
            NOW,
        )
        labels = queued(store, url)
        assert [(x.transaction_id, x.fraud, x.source, x.actor) for x in labels] == [
            ("e1", fraud, "analyst", "ana"),
            ("e2", fraud, "analyst", "ana"),
        ]
        assert {(x.event_time, x.received_at) for x in labels} == {(T0 + 2000, T0 + 2000)}
        assert store.alert_counts()["resolved"] == 1
        assert store.alert_counts()["open"] == 0

    def test_unsure_sends_no_label(self, store: AnyStore, url: str, alert: Alert) -> None:
        assert isinstance(store.resolve(alert.id, alert.version, "unsure", "ana", NOW, ROLE), Alert)
        assert queued(store, url) == []

    def test_an_outdated_version_is_a_conflict(self, store: AnyStore, url: str, alert: Alert) -> None:
        for outcome in (
            store.resolve(alert.id, alert.version - 1, "fraud", "ana", NOW, ROLE),
            store.set_status(alert.id, alert.version - 1, "escalated", "ana", NOW, ROLE),
            store.undo(alert.id, alert.version - 1, "ana", NOW, ROLE),
        ):
            assert outcome == Conflict(alert)
        assert queued(store, url) == []
        assert len(trail(store)) == 1

    def test_the_same_verdict_twice_counts_once(self, store: AnyStore, url: str, alert: Alert) -> None:
        first = store.resolve(alert.id, alert.version, "fraud", "ana", NOW, ROLE)
        assert store.resolve(alert.id, alert.version, "fraud", "ana", NOW + 5, ROLE) == first
        assert isinstance(store.resolve(alert.id, alert.version, "fraud", "bob", NOW, ROLE), Conflict)
        assert len(queued(store, url)) == 2

    def test_undo_reopens_and_corrects_the_labels(self, store: AnyStore, url: str, alert: Alert) -> None:
        resolved = store.resolve(alert.id, alert.version, "fraud", "ana", NOW, ROLE)
        assert isinstance(resolved, Alert)
        reopened = store.undo(alert.id, resolved.version, "ana", NOW + 1, ROLE)
        assert isinstance(reopened, Alert)
        assert (reopened.status, reopened.verdict, reopened.resolved_at) == ("open", None, None)
        labels = queued(store, url)
        assert [x.fraud for x in labels] == [True, True, False, False]
        assert len({x.id for x in labels}) == 4
        assert [e.action for e in trail(store)] == ["opened", "resolved", "undone"]
        store.commit(commit_of(3, [decision(3)]))
        assert only_alert(store).event_ids == ["e1", "e2", "e3"]

    def test_learned_is_marked_and_an_undo_takes_it_back(self, store: AnyStore, alert: Alert) -> None:
        resolved = store.resolve(alert.id, alert.version, "fraud", "ana", NOW, ROLE)
        assert isinstance(resolved, Alert)
        assert not resolved.learned
        store.mark_learned(["e2", "stranger"])
        assert only_alert(store).learned
        # The mark is news from the learner, not a change of the case: the analyst's undo still goes through.
        assert isinstance(store.undo(alert.id, resolved.version, "ana", NOW, ROLE), Alert)
        assert not only_alert(store).learned

    def test_status_changes_are_audited(self, store: AnyStore, alert: Alert) -> None:
        after = store.set_status(alert.id, alert.version, "escalated", "ana", NOW, ROLE, "large sum 大额")
        assert isinstance(after, Alert)
        assert after.status == "escalated"
        assert trail(store)[-1] == AuditEntry(
            "ana", ROLE, "escalated", "alert", alert.id, NOW, "large sum 大额",
            {"version": alert.version, "status": "open", "waiting_since": BEGAN},
            {"version": after.version, "status": "escalated", "waiting_since": NOW},
        )  # fmt: skip
        assert store.alerts(("escalated",), "priority", 5) == [after]
        with pytest.raises(StoreError, match="resolve"):
            store.set_status(alert.id, after.version, "resolved", "ana", NOW, ROLE)

    def test_an_unknown_alert_is_an_error(self, store: AnyStore) -> None:
        assert store.alert("al_none") is None
        assert store.audit_of("alert", "al_none", 10) == []
        with pytest.raises(StoreError, match="al_none"):
            store.claim("al_none", "ana", NOW, 1000, ROLE)
        with pytest.raises(StoreError, match="al_none"):
            store.resolve("al_none", 1, "fraud", "ana", NOW, ROLE)


def test_beats(store: AnyStore) -> None:
    store.beat("scorer", {"rate": 12.5, "status": "live"}, NOW)
    assert store.beats() == {"scorer": {"rate": 12.5, "status": "live", "at": NOW}}


def test_hits_survive_in_full_precision(store: AnyStore) -> None:
    batch = commit_of(1, [decision(1, risk=0.1 + 0.2)])
    hit: AlertHit = msgspec.structs.replace(batch.hits[0], priority=1 / 3)
    store.commit(msgspec.structs.replace(batch, hits=[hit]))
    alert = only_alert(store)
    assert alert.priority == 1 / 3
    assert alert.decision == hit.decision
