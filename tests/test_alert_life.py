"""The alert's life: the table of transitions, rights, four eyes, the clock; over both stores side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alerts import rights
from alerts.alert import Alert, Severity, Status, Verdict, hit_of
from alerts.clerk import attend
from alerts.custody.audit import SYSTEM
from alerts.deadlines import MINUTE_MS, due, longest_snooze, targets
from alerts.labelling import flag_of_change
from alerts.lifecycle import PAST, TRANSITIONS, FourEyes, Step, Verb, entry_of, stepped
from alerts.memory_store import MemoryStore
from alerts.merging import RuleSnooze, opened
from alerts.redis_store import RedisStore
from alerts.rule_snoozes import all_snoozes
from alerts.store import Conflict
from dataflow.embedded import embedded
from models.decision import Decision
from models.errors import RefusedError, SettingsError
from tests.test_store_contract import LIVES, T0, commit_of, decision, queued, state

NOW = T0 + 10_000_000
NOBODY = FourEyes()
ALL = FourEyes(severities=("S1", "S2"))
STATUSES: tuple[Status, ...] = get_args(Status)
VERBS: tuple[Verb, ...] = get_args(Verb)


def alert_in(status: Status, **changes: object) -> Alert:
    """An alert in this status, as a person left it."""
    fresh = opened(hit_of(decision(1), 1), NOW)
    particulars: dict[Status, dict[str, object]] = {
        "acknowledged": {"acknowledged_by": "ana", "acknowledged_at": NOW},
        "snoozed": {"snoozed_until": NOW + MINUTE_MS, "snoozed_by": "ana", "snooze_reason": "later"},
        "proposed": {"proposed_verdict": "fraud", "proposed_by": "ana", "proposed_at": NOW},
        "resolved": {"verdict": "fraud", "resolved_by": "ana", "resolved_at": NOW},
    }
    return msgspec.structs.replace(fresh, status=status, **{**particulars.get(status, {}), **changes})


def full_step(verb: Verb, actor: str = "bob", role: str = "senior", **fields: Any) -> Step:
    """A step with everything its verb needs."""
    if verb == "wake":
        actor = role = SYSTEM
    given: dict[str, Any] = {
        "reason": "because",
        "verdict": "legitimate",
        "to": "eve",
        "until": NOW + MINUTE_MS,
    }
    return Step(verb=verb, actor=actor, role=role, **{**given, **fields})


class TestTable:
    @pytest.mark.parametrize(("status", "verb"), list(product(STATUSES, VERBS)))
    def test_every_pair_is_in_the_table_or_refused_with_the_reason(self, status: Status, verb: Verb) -> None:
        alert = alert_in(status)
        step = full_step(verb, actor="ana" if verb == "withdraw" else "bob")
        to = TRANSITIONS[verb].get(status)
        if to is None:
            with pytest.raises(RefusedError, match=f"it is {status}, this needs"):
                stepped(alert, step, NOW, NOBODY)
            return
        after = stepped(alert, step, NOW, NOBODY)
        assert (after.status, after.version) == (to, alert.version + 1)
        entry = entry_of(alert, after, step, NOW)
        assert (entry.action, entry.actor, entry.object_id) == (PAST[verb], step.actor, alert.id)
        assert entry.before is not None
        assert entry.before != entry.after

    def test_what_was_said_of_a_status_ends_with_it(self) -> None:
        kept = {
            "acknowledged_by": "acknowledged", "snoozed_until": "snoozed", "proposed_verdict": "proposed",
            "verdict": "resolved",
        }  # fmt: skip
        for status, verb in product(STATUSES, VERBS):
            if status in TRANSITIONS[verb]:
                step = full_step(verb, actor="ana" if verb == "withdraw" else "bob")
                after = stepped(alert_in(status), step, NOW, NOBODY)
                for name, belongs in kept.items():
                    assert (getattr(after, name) is not None) == (after.status == belongs), (
                        status,
                        verb,
                        name,
                    )

    def test_a_claim_and_an_assignment_stay_until_the_verdict(self) -> None:
        mine = stepped(alert_in("open"), full_step("claim"), NOW, NOBODY)
        theirs = stepped(mine, full_step("assign"), NOW, NOBODY)
        assert (theirs.claimed_by, theirs.assigned_to, theirs.assigned_by) == ("bob", "eve", "bob")
        after = stepped(theirs, full_step("resolve"), NOW, NOBODY)
        assert (after.claimed_by, after.assigned_to, after.assigned_by) == (None, "eve", "bob")
        nobody = stepped(theirs, full_step("assign", to=None), NOW, NOBODY)
        assert (nobody.assigned_to, nobody.assigned_by) == (None, None)

    @pytest.mark.parametrize(
        ("verb", "fields"),
        [
            ("resolve", {"verdict": "maybe"}),
            ("resolve", {"verdict": None}),
            ("snooze", {"until": NOW}),
            ("snooze", {"until": NOW + 10**12}),
            ("claim", {"until": None}),
            ("claim", {"until": NOW}),
            ("assign", {"to": ""}),
            ("assign", {"to": "x" * 129}),
        ],
    )
    def test_a_step_that_says_nonsense_is_refused(self, verb: Verb, fields: dict[str, object]) -> None:
        with pytest.raises(RefusedError):
            stepped(alert_in("open"), full_step(verb, **fields), NOW, NOBODY)


class TestFourEyes:
    @pytest.mark.parametrize("four_eyes", [ALL, FourEyes(from_usd=10.0)])
    def test_a_verdict_is_proposed_and_another_person_confirms(self, four_eyes: FourEyes) -> None:
        alert = alert_in("open")
        proposed = stepped(alert, full_step("resolve", "ana"), NOW, four_eyes)
        assert (proposed.status, proposed.proposed_verdict, proposed.verdict) == (
            "proposed",
            "legitimate",
            None,
        )
        assert flag_of_change(alert, proposed) is None
        with pytest.raises(RefusedError, match="yourself"):
            stepped(proposed, full_step("confirm", "ana"), NOW, four_eyes)
        with pytest.raises(RefusedError, match="yourself"):
            stepped(proposed, full_step("refuse", "ana"), NOW, four_eyes)
        with pytest.raises(RefusedError, match="'analyst' may not"):
            stepped(proposed, full_step("confirm", "bob", "analyst"), NOW, four_eyes)
        done = stepped(proposed, full_step("confirm", "bob"), NOW, four_eyes)
        assert (done.status, done.verdict, done.resolved_by, done.confirmed_by) == (
            "resolved", "legitimate", "ana", "bob",
        )  # fmt: skip
        assert flag_of_change(proposed, done) is False
        with pytest.raises(RefusedError, match="undo_others"):
            stepped(done, full_step("undo", "ana", "analyst"), NOW, four_eyes)

    def test_refused_or_withdrawn_it_waits_again(self) -> None:
        proposed = stepped(alert_in("acknowledged"), full_step("resolve", "ana"), NOW, ALL)
        refused = stepped(proposed, full_step("refuse", "bob"), NOW + 5, ALL)
        withdrawn = stepped(proposed, full_step("withdraw", "ana"), NOW + 5, ALL)
        for after in (refused, withdrawn):
            assert (after.status, after.waiting_since, after.proposed_by) == ("open", NOW + 5, None)
        with pytest.raises(RefusedError, match="reason"):
            stepped(proposed, full_step("refuse", "bob", reason=""), NOW, ALL)
        with pytest.raises(RefusedError, match="only they"):
            stepped(proposed, full_step("withdraw", "bob"), NOW, ALL)

    def test_small_ones_need_no_second_person(self) -> None:
        assert not FourEyes(severities=("S1",), from_usd=11.0).wanted(alert_in("open"))


class TestRights:
    def test_nobody_may_what_the_table_does_not_name(self) -> None:
        for role in (*rights.ROLES, "", "root", SYSTEM):
            assert not rights.may(role, "alert.delete")
        with pytest.raises(RefusedError, match="nobody may"):
            rights.require("admin", "alert.delete")

    def test_every_step_of_a_person_has_a_line(self) -> None:
        for verb in set(VERBS) - {"wake"}:
            assert f"alert.{verb}" in rights.shipped()

    @pytest.mark.parametrize("role", [*rights.ROLES, "guest"])
    @pytest.mark.parametrize("verb", VERBS)
    def test_the_table_decides(self, role: str, verb: Verb) -> None:
        status = next(iter(TRANSITIONS[verb]))
        alert = alert_in(status, proposed_by="bob") if verb == "withdraw" else alert_in(status)
        line = "alert.undo_others" if verb == "undo" else f"alert.{verb}"
        step = Step(
            verb=verb, actor="bob", role=role, reason="r", verdict="fraud", to="eve", until=NOW + 1000
        )
        if rights.may(role, line):
            assert stepped(alert, step, NOW, NOBODY).version == 2
        else:
            with pytest.raises(RefusedError):
                stepped(alert, step, NOW, NOBODY)

    @pytest.mark.parametrize(
        "text", ["x", "[alert]\nclaim = ['king']", "alert = 1", "[alert]\nclaim = 'senior'"]
    )
    def test_a_broken_table_is_refused(self, text: str) -> None:
        with pytest.raises(SettingsError, match=r"roles\.toml"):
            rights.table_of(text)


class TestClock:
    @given(st.sampled_from(get_args(Severity)), st.sampled_from(STATUSES), st.integers(0, 10**9))
    def test_ok_then_a_warning_then_a_breach(self, severity: Severity, status: Status, later: int) -> None:
        alert = alert_in(status, severity=severity)
        waits = due(alert)
        if status == "resolved":
            assert waits is None
            return
        assert waits is not None
        assert waits.since <= waits.warn <= waits.by
        order = ["ok", "warning", "breached"]
        assert order.index(waits.state(NOW + later)) >= order.index(waits.state(NOW))
        if waits.stage == "wake":
            assert waits.state(waits.by + later) == "ok"
        else:
            assert [waits.state(t) for t in (waits.warn - 1, waits.warn, waits.by - 1, waits.by)] == [
                "ok", "warning", "warning", "breached",
            ]  # fmt: skip

    def test_targets(self) -> None:
        given_ = targets()
        for severity in get_args(Severity):
            open_ = due(alert_in("open", severity=severity))
            taken = due(alert_in("acknowledged", severity=severity))
            assert open_ is not None
            assert taken is not None
            assert open_.by == NOW + given_.of(severity).acknowledge * MINUTE_MS
            assert taken.by == NOW + given_.of(severity).resolve * MINUTE_MS

    def test_an_alert_of_an_older_version_is_timed_from_its_opening(self) -> None:
        waits = due(alert_in("open", waiting_since=0))
        assert waits is not None
        assert waits.since == T0 + 1000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, url: str) -> MemoryStore | RedisStore:
    redis.Redis.from_url(url).flushall()
    return MemoryStore() if request.param == "memory" else RedisStore(url)


def push(store: MemoryStore | RedisStore, one: Decision, now: int = NOW) -> None:
    first = store.cursors()["decisions"] + 1
    store.commit(msgspec.structs.replace(commit_of(first, [one]), now=now))


def snooze(
    rule_: str = "R1", severity: Severity = "S2", until: int = NOW + MINUTE_MS, **more: Any
) -> RuleSnooze:
    given_: dict[str, Any] = {
        "entity_kind": "card",
        "entity": "card-1",
        "since": NOW,
        "actor": "ana",
        "role": "senior",
    }
    return RuleSnooze(
        rule=rule_, severity=severity, until=until, **{**given_, "reason": "known test", **more}
    )


class TestSnoozedRules:
    def quiet(self, store: MemoryStore | RedisStore, now: int = NOW) -> None:
        # Both causes of these decisions: the rule, and a risk in band high.
        store.snooze_rule(snooze("R1"), now)
        store.snooze_rule(snooze("MODEL"), now)

    def test_a_new_alert_is_born_quiet_and_wakes(self, store: MemoryStore | RedisStore) -> None:
        self.quiet(store)
        push(store, decision(1))
        (alert,) = store.alerts(("snoozed",), "newest", 5)
        assert alert.snoozed_until == NOW + MINUTE_MS
        rows = all_snoozes(store.alerts(("snoozed",), "newest", 5), store.rule_snoozes())
        assert [(row.alert_id, row.rule, row.actor, row.reason) for row in rows] == [
            (None, "MODEL", "ana", "known test"), (None, "R1", "ana", "known test"), (alert.id, None, SYSTEM, ""),
        ]  # fmt: skip
        attend(store, NOW + MINUTE_MS - 1)
        assert len(store.rule_snoozes()) == 2
        attend(store, NOW + MINUTE_MS)
        attend(store, NOW + MINUTE_MS)
        assert store.rule_snoozes() == []
        (alert,) = store.alerts(("open",), "newest", 5)
        assert (alert.waiting_since, alert.version) == (NOW + MINUTE_MS, 2)
        told = [(link.entry.action, link.entry.actor) for link in store.audit_chain(0, 100)]
        assert sorted(told[2:]) == sorted(
            [("opened", SYSTEM), ("expired", SYSTEM), ("expired", SYSTEM), ("woken", SYSTEM)]
        )

    def test_one_cause_that_is_not_snoozed_is_heard(self, store: MemoryStore | RedisStore) -> None:
        store.snooze_rule(snooze("R1"), NOW)
        push(store, decision(1))
        assert store.alert_counts()["open"] == 1

    def test_another_entity_or_a_later_time_is_heard(self, store: MemoryStore | RedisStore) -> None:
        self.quiet(store)
        push(store, decision(1, card="card-2"))
        push(store, decision(2), now=NOW + MINUTE_MS)
        assert store.alert_counts()["open"] == 2

    def test_what_is_worse_is_heard(self, store: MemoryStore | RedisStore) -> None:
        self.quiet(store)
        push(store, decision(1))
        push(store, decision(2))
        assert store.alert_counts()["snoozed"] == 1
        push(store, decision(3, severity="critical"))
        (alert,) = store.alerts(("open",), "newest", 5)
        assert (alert.severity, alert.snoozed_until) == ("S1", None)

    def test_a_snooze_for_the_worst_covers_the_worst(self, store: MemoryStore | RedisStore) -> None:
        push(store, decision(1))
        (alert,) = store.alerts(("open",), "newest", 5)
        store.set_status(alert.id, 1, "snoozed", "ana", NOW, "senior", "waiting for the bank")
        for name in ("R1", "MODEL"):
            store.snooze_rule(snooze(name, "S1"), NOW)
        push(store, decision(2, severity="critical"))
        (alert,) = store.alerts(("snoozed",), "newest", 5)
        assert (alert.severity, alert.snooze_reason) == ("S1", "waiting for the bank")

    def test_lifted_it_is_gone_and_both_are_on_record(self, store: MemoryStore | RedisStore) -> None:
        one = snooze()
        store.snooze_rule(one, NOW)
        assert not store.expire_snooze(one.key, NOW)
        assert store.lift_snooze(one.key, "bob", "senior", "wrong card", NOW + 1)
        assert not store.lift_snooze(one.key, "bob", "senior", "again", NOW + 2)
        entries = [link.entry for link in store.audit_chain(0, 10)]
        assert [(e.action, e.actor, e.reason, e.object_id) for e in entries] == [
            ("snoozed", "ana", "known test", "R1 card card-1"), ("lifted", "bob", "wrong card", "R1 card card-1"),
        ]  # fmt: skip
        assert entries[0].after == entries[1].before == msgspec.to_builtins(one)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"role": "analyst"}, {"reason": " "}, {"until": NOW}, {"until": NOW + longest_snooze("S2") + 1},
            {"entity": ""}, {"rule_": "x\ny"}, {"actor": ""},
        ],
    )  # fmt: skip
    def test_a_snooze_that_says_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(RefusedError):
            MemoryStore().snooze_rule(snooze(**wrong), NOW)


def test_bells_ring_once_whoever_listens(store: MemoryStore | RedisStore) -> None:
    push(store, decision(1))
    (alert,) = store.alerts(("open",), "newest", 5)
    first = due(alert)
    assert first is not None
    for moment in (first.warn - 1, first.warn, first.warn + 1, first.by, first.by + 1, first.by + 10**9):
        attend(store, moment)
        attend(store, moment)
    told = [(e.action, e.at) for e in store.audit_of("alert", alert.id, 10)]
    assert told == [("opened", NOW), ("warned", first.warn), ("breached", first.by)]
    assert [a.id for a in store.due(first.by, 5)] == [alert.id]
    assert store.due(first.by - 1, 5) == []
    taken = store.set_status(alert.id, alert.version, "acknowledged", "ana", first.by + 5, "analyst")
    assert isinstance(taken, Alert)
    second = due(taken)
    assert second is not None
    assert store.due(second.by, 5) == [taken]
    attend(store, second.by)
    assert store.audit_of("alert", alert.id, 1)[0].after == {
        "stage": "resolve", "since": NOW, "by": second.by, "severity": "S2",
    }  # fmt: skip
    assert isinstance(store.resolve(alert.id, taken.version, "unsure", "ana", second.by, "analyst"), Alert)
    assert store.due(10**15, 5) == store.bells(10**15, 5) == []


def test_an_acknowledgement_and_a_proposal_end_when_it_worsens(store: MemoryStore | RedisStore) -> None:
    store.four_eyes = ALL
    push(store, decision(1))
    push(store, decision(2, card="b"))
    one, two = sorted(store.alerts(("open",), "newest", 5), key=lambda a: a.entity)
    store.resolve(one.id, 1, "legitimate", "ana", NOW, "analyst")
    store.set_status(two.id, 1, "acknowledged", "ana", NOW, "analyst")
    push(store, decision(3, card=one.entity), NOW + 1)
    assert store.alert_counts()["proposed"] == 1
    for n, alert in ((4, one), (5, two)):
        push(store, decision(n, card=alert.entity, severity="critical"), NOW + 2)
        after = store.alert(alert.id)
        assert after is not None
        assert (after.status, after.waiting_since, after.acknowledged_by, after.proposed_by) == (
            "open", NOW + 2, None, None,
        )  # fmt: skip


class Life(RuleBasedStateMachine):
    """Anything anybody may do, on both stores; after each step they tell the same story, with nothing lost."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        redis.Redis.from_url(self.url).flushall()
        self.now, self.count = NOW, 0
        self.fingerprints: set[str] = set()

    @initialize(four_eyes=st.sampled_from([NOBODY, ALL, FourEyes(severities=("S1",), from_usd=30.0)]))
    def begin(self, four_eyes: FourEyes) -> None:
        self.stores: list[MemoryStore | RedisStore] = [
            MemoryStore(four_eyes=four_eyes), RedisStore(self.url, four_eyes=four_eyes),
        ]  # fmt: skip

    @rule(card=st.sampled_from("ab"), severity=st.sampled_from(["high", "critical"]), risk=st.floats(0, 1))
    def hit(self, card: str, severity: str, risk: float) -> None:
        self.count += 1
        one = decision(self.count, card, severity, risk=risk)
        before = self.stores[0].audit_chain(0, 10**6)
        versions = self.versions()
        for store in self.stores:
            push(store, one, self.now)
        self.fingerprints.add(hit_of(one, 1).fingerprint)
        worse = len(self.stores[0].audit_chain(len(before), 10))
        assert worse <= 1
        assert sum(self.versions().values()) == sum(versions.values()) + 1

    @precondition(lambda self: self.count)
    @rule(
        pick=st.integers(0, 10), verb=st.sampled_from(VERBS), actor=st.sampled_from(["ana", "bob"]),
        role=st.sampled_from(["senior", "senior", "analyst", "auditor"]), verdict=st.sampled_from(get_args(Verdict)),
        stale=st.sampled_from([0, 0, 0, 1]),
    )  # fmt: skip
    def act(self, pick: int, verb: Verb, actor: str, role: str, verdict: Verdict, stale: int) -> None:
        alerts = sorted(self.stores[0].alerts(LIVES, "newest", 100), key=lambda a: a.id)
        alert = alerts[pick % len(alerts)]
        step = full_step(verb, actor, role, verdict=verdict, until=self.now + 2 * MINUTE_MS)
        chain = len(self.stores[0].audit_chain(0, 10**6))
        results = [self.tried(store, alert, step, alert.version - stale) for store in self.stores]
        assert results[0] == results[1]
        after = self.stores[0].alert(alert.id)
        assert after is not None
        entries = self.stores[0].audit_chain(chain, 10)
        assert after.version - alert.version == len(entries) <= 1
        if entries:
            assert after.status in (TRANSITIONS[verb][alert.status], "proposed")
            assert entries[0].entry.actor == step.actor
        elif after.status != alert.status:
            raise AssertionError("a change without a trace")

    @rule(minutes=st.sampled_from([1, 5, 60]))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE_MS
        done = [attend(store, self.now) for store in self.stores]
        assert self.stores[1].seal_audit() == 0
        assert all(count >= 0 for count in done)

    @invariant()
    def same_story(self) -> None:
        if not hasattr(self, "stores"):
            return
        assert state(self.stores[0]) == state(self.stores[1])
        assert queued(self.stores[0], self.url) == queued(self.stores[1], self.url)
        alerts = self.stores[0].alerts(LIVES, "newest", 1000)
        assert self.fingerprints == {a.fingerprint for a in alerts}
        assert sum(a.count for a in alerts) == self.count
        live = {a.id for a in alerts if a.status != "resolved"}
        assert {a.id for a in self.stores[0].due(10**15, 1000)} == live

    def versions(self) -> dict[str, int]:
        return {a.id: a.version for a in self.stores[0].alerts(LIVES, "newest", 1000)}

    def tried(self, store: MemoryStore | RedisStore, alert: Alert, step: Step, version: int) -> object:
        try:
            result = store.step(alert.id, version, step, self.now)
        except RefusedError as error:
            return str(error)
        assert not isinstance(result, Conflict) or result.current == alert
        return result


def test_any_life_on_both_stores(url: str) -> None:
    Life.url = url
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
