"""What stores keep for the router: one contract for both of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.routing.change import change_of
from alerts.routing.intent import Done, Intent
from alerts.routing.keeping import Delivery, Saved
from alerts.routing.reasons import FirstNotification
from alerts.routing.silence import new_silence
from dataflow.embedded import embedded
from models.errors import RefusedError, SettingsError, StoreError
from tests.sending import raise_alerts

AnyStore = MemoryStore | RedisStore
NOW = 1_763_000_000_000
HOUR = 3_600_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest, url: str) -> AnyStore:
    if request.param == "memory":
        return MemoryStore()
    redis.Redis.from_url(url).flushall()
    return RedisStore(url)


def done(id_: str, at: int = NOW, outcome: str = "delivered") -> Done:
    intent = Intent(
        id=id_, receiver="r", page=id_, at=at, reason=FirstNotification(), counts={"S1": 1}, total=1
    )
    return Done(intent, outcome, at, 1)  # type: ignore[arg-type]


def attempt(n: int) -> Delivery:
    return Delivery(
        webhook_id=f"msg_{n}", alert_id="al_1", url="https://x", attempt=n, at=NOW, outcome="retry"
    )


class TestState:
    def test_a_step_is_written_whole_and_read_back(self, store: AnyStore) -> None:
        assert store.routing_state() == (0, {})
        parts = {"t:a": b"\x00one", "g:b": b"two", "wide": b"\xff"}
        version = store.save_routing(0, Saved(parts, [], {"msg_1": done("msg_1")}, [attempt(1), attempt(2)]))
        assert store.routing_state() == (version, parts)
        assert store.routing_parts(["g:b", "nothing"]) == {"g:b": b"two"}
        assert store.routing_parts([]) == store.done_by_id([]) == {}
        assert store.deliveries(5) == [attempt(2), attempt(1)]
        assert store.deliveries(1) == [attempt(2)]
        assert store.deliveries(0) == store.done_messages(0) == []
        version = store.save_routing(
            version, Saved({"g:b": b"three"}, ["t:a"], {"msg_2": done("msg_2", NOW + 1)})
        )
        assert store.routing_state() == (version, {"g:b": b"three", "wide": b"\xff"})
        assert [one.intent.id for one in store.done_messages(5)] == ["msg_2", "msg_1"]
        assert list(store.done_by_id(["msg_1", "msg_9"])) == ["msg_1"]

    def test_a_second_sender_writes_nothing(self, store: AnyStore) -> None:
        version = store.save_routing(0, Saved({"t:a": b"mine"}))
        with pytest.raises(StoreError, match="two senders"):
            store.save_routing(0, Saved({"t:a": b"yours"}, [], {"m": done("m")}, [attempt(1)]))
        assert store.routing_state() == (version, {"t:a": b"mine"})
        assert store.done_messages(5) == store.deliveries(5) == []

    def test_only_the_newest_messages_are_kept(
        self, store: AnyStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("alerts.routing.state_store.KEEP_DONE", 3)
        version = 0
        for n in range(5):
            version = store.save_routing(version, Saved(done={f"m{n}": done(f"m{n}", NOW + n)}))
        assert [one.intent.id for one in store.done_messages(9)] == ["m4", "m3", "m2"]
        assert store.done_by_id(["m0"]) == {}

    def test_what_was_given_up_is_found_until_it_is_taken(
        self, store: AnyStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("alerts.routing.state_store.KEEP_DONE", 3)
        given = {f"m{n}": done(f"m{n}", NOW + n, "dead" if n < 2 else "delivered") for n in range(3)}
        version = store.save_routing(0, Saved(done=given))
        assert [one.intent.id for one in store.dead_messages(9)] == ["m1", "m0"]
        assert [one.intent.id for one in store.dead_messages(1)] == ["m1"]
        version = store.save_routing(version, Saved(done={"m1": done("m1", NOW + 5)}))
        assert [one.intent.id for one in store.dead_messages(9)] == ["m0"]
        store.save_routing(version, Saved(done={"m9": done("m9", NOW + 9)}))
        assert store.dead_messages(9) == [], "what is no longer kept is not listed either"


class TestFeed:
    def test_what_happens_to_alerts_stands_in_the_trail(self, store: AnyStore) -> None:
        first, second = raise_alerts(store, 1, 2, now=NOW)
        store.set_status(first.id, 1, "acknowledged", "ana", NOW, "senior")
        acts = store.acts(0, 10)
        assert [(act.kind, act.id, act.action) for act in acts] == [
            ("alert", first.id, "opened"), ("alert", second.id, "opened"), ("alert", first.id, "acknowledged"),
        ]  # fmt: skip
        assert store.acts(acts[1].number, 10) == acts[2:]
        assert store.last_act() == acts[-1].number
        assert store.live_alerts() == sorted([first.id, second.id])
        assert set(store.alerts_by_id([first.id, "al_none"])) == {first.id}


class TestSilences:
    def test_added_listed_ended_and_audited(self, store: AnyStore) -> None:
        made = new_silence(["corridor=CN>*", "severity<=S2"], "ana", "planned work", NOW, NOW, NOW + HOUR)
        for _ in range(2):
            store.add_silence(made, "senior")
        assert store.silences() == [made]
        assert store.expire_silence(made.id, "bo", "commander", "done early", NOW + 1000)
        assert not store.expire_silence(made.id, "bo", "commander", "again", NOW + 2000)
        assert not store.expire_silence("si_none", "bo", "commander", "x", NOW)
        (ended,) = store.silences()
        assert (ended.ends_at, ended.ended_by) == (NOW + 1000, "bo")
        trail = store.audit_of("silence", made.id, 10)
        assert [(e.action, e.actor, e.reason) for e in trail] == [
            ("added", "ana", "planned work"), ("expired", "bo", "done early"),
        ]  # fmt: skip
        store.drop_asked([made.id], [])
        assert store.silences() == []

    def test_a_planned_one_can_be_called_off(self, store: AnyStore) -> None:
        made = new_silence(["type=*"], "ana", "later", NOW, NOW + HOUR, NOW + 2 * HOUR)
        store.add_silence(made, "senior")
        assert store.expire_silence(made.id, "ana", "senior", "not needed", NOW + 1)
        (ended,) = store.silences()
        assert not ended.active(NOW + HOUR + 1)

    @pytest.mark.parametrize("role", ["analyst", "auditor", "admin", "nobody"])
    def test_rights_come_from_the_table(self, store: AnyStore, role: str) -> None:
        made = new_silence(["type=*"], "ana", "why not", NOW, NOW, NOW + HOUR)
        for call in (
            lambda: store.add_silence(made, role),
            lambda: store.expire_silence(made.id, "ana", role, "x", NOW),
        ):
            with pytest.raises(RefusedError, match="silence"):
                call()
        assert store.silences() == []
        assert store.last_act() == 0

    @pytest.mark.parametrize(
        ("texts", "reason", "ends"),
        [([], "x", HOUR), (["type=*"], " ", HOUR), (["type=*"], "x", 0), (["type=*"], "x", 31 * 24 * HOUR)],
    )  # fmt: skip
    def test_what_makes_no_silence_is_refused(self, texts: list[str], reason: str, ends: int) -> None:
        with pytest.raises(SettingsError, match="silence"):
            new_silence(texts, "ana", reason, NOW, NOW, NOW + ends)


class TestResend:
    def test_asked_for_once_each_and_audited(self, store: AnyStore) -> None:
        for n in (2, 1, 2):
            store.ask_resend(f"msg_{n}", "ana", "senior", "they lost it", NOW + n)
        assert [(one.message_id, one.actor) for one in store.resends()] == [
            ("msg_1", "ana"),
            ("msg_2", "ana"),
        ]
        assert [e.action for e in store.audit_of("message", "msg_2", 5)] == ["resent", "resent"]
        store.drop_asked([], ["msg_1"])
        assert [one.message_id for one in store.resends()] == ["msg_2"]
        with pytest.raises(RefusedError, match="reason"):
            store.ask_resend("msg_1", "ana", "senior", "", NOW)
        with pytest.raises(RefusedError, match="delivery resend"):
            store.ask_resend("msg_1", "ana", "auditor", "x", NOW)


class TestReconciling:
    def test_an_alert_that_nobody_routed_is_a_gap_after_a_while(self, store: AnyStore) -> None:
        (alert,) = raise_alerts(store, 1, 1, now=NOW)
        found = store.reconcile(NOW + 1000)
        assert (found.alerts, found.waiting, found.gaps) == (1, 1, [])
        (gap,) = store.reconcile(NOW + 61_000).gaps
        assert (gap.kind, gap.alert_id, gap.severity) == ("not_routed", alert.id, "S1")
        assert store.why(alert.id) is None

    def test_a_page_about_nothing_is_a_gap(self, store: AnyStore) -> None:
        (elsewhere,) = raise_alerts(MemoryStore(), 1, 1)
        record = done("msg_1")
        record.intent = Intent(
            id="msg_1", receiver="r", page="p", at=NOW, reason=FirstNotification(), subjects=[change_of(elsewhere)],
            counts={"S1": 1}, total=1,
        )  # fmt: skip
        store.save_routing(0, Saved(done={"msg_1": record}))
        (gap,) = store.reconcile(NOW).gaps
        assert (gap.kind, gap.alert_id, gap.message) == ("orphan", elsewhere.id, "msg_1")
