"""What people ask of the router: the way of something imagined, who is on call until when, what a silence would hush."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.memory_store import MemoryStore
from alerts.routing.archive import attempts_of, is_kept, subjects_of
from alerts.routing.change import Change, change_of
from alerts.routing.imagining import imagine, imagined
from alerts.routing.plan import Plan, PlanSpec, RouteSpec, read_plan
from alerts.routing.previewing import preview
from alerts.routing.reasons import Acknowledged, StormSummary, sentence
from alerts.routing.schedule import Layer, Override, Schedule
from alerts.routing.shifts import shift_of
from alerts.routing.silence import new_silence, silence_of
from alerts.routing.view import PART, View, view_of
from models.errors import RefusedError, SettingsError, TidegateError
from tests.receiver import hook
from tests.sending import T0, advance, local, raise_alerts, sender_of

MATCHERS = ("severity<=S2", "corridor=CN>*", "corridor!=CN>US", "partner=a|b", "typology=T0?")
LABELS = st.fixed_dictionaries(
    {
        "corridor": st.sampled_from(["CN>US", "CN>GB", "GB>CN", ""]),
        "partner": st.sampled_from(["a", "b", "c", ""]),
        "typology": st.sampled_from(["T01", "T12"]),
        "severity": st.sampled_from(["S1", "S2", "S3", "S4"]),
    }
)


def routes(depth: int) -> st.SearchStrategy[RouteSpec]:
    children = (
        st.lists(routes(depth - 1), max_size=3, unique_by=lambda one: one.name) if depth else st.just([])
    )
    return st.builds(
        RouteSpec,
        name=st.sampled_from("abcdef"),
        match=st.lists(st.sampled_from(MATCHERS), min_size=1, max_size=2, unique=True),
        notify=st.sampled_from([None, ["r"], ["q"], []]),
        continue_=st.booleans(),
        routes=children,
    )


class TestImagined:
    @given(st.lists(routes(2), max_size=4, unique_by=lambda one: one.name), LABELS)
    def test_it_goes_the_way_that_a_real_one_goes(
        self, children: list[RouteSpec], labels: dict[str, str]
    ) -> None:
        plan = Plan(PlanSpec(route=RouteSpec(notify=["r"], routes=children)), ["r", "q"])
        change = imagined(labels, T0)
        found = imagine(plan, change, T0)
        assert found.takers == [route.path for route in plan.matching(change)]
        for branch in found.branches:
            fits = [one.fits(change) for one in plan.routes[branch.path].conditions]
            assert (branch.verdict == "no_match") == (bool(branch.failed)) <= (not all(fits))
        told = {name for step in found.steps for name in step.told}
        assert told == {name for route in plan.matching(change) for name in route.notify}

    def test_the_chain_is_asked_who_is_on_call_then(self) -> None:
        text = """
        fallback = "mail"
        [route]
        notify = ["schedule:desk"]
        group_wait = "1m"
        escalation = "up"
        [[people]]
        name = "day"
        receivers = ["pager"]
        [[people]]
        name = "night"
        receivers = ["phone"]
        [[schedules]]
        name = "desk"
        timezone = "Asia/Shanghai"
        layers = [{people = ["day"], start = 2026-01-01T00:00:00, hours = "09:00-18:00"},
                  {people = ["night"], start = 2026-01-01T00:00:00, hours = "18:00-02:00"}]
        [[escalations]]
        name = "up"
        steps = [{after = "1h", notify = ["schedule:desk"]}]
        """
        spec = msgspec.convert(msgspec.toml.decode(text), PlanSpec)
        plan = Plan(spec, ["pager", "phone", "mail"])
        five = round(datetime(2026, 11, 27, 17, 30, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
        steps = imagine(plan, imagined({"severity": "S1"}, five), five).steps
        assert [(step.level, step.at - five, list(step.told)) for step in steps] == [
            (0, 60_000, ["pager"]), (1, 61 * 60_000, ["phone"]),
        ]  # fmt: skip
        nobody = five + 10 * 3_600_000
        assert imagine(plan, imagined({}, nobody), nobody).fallback == "mail"
        quiet = new_silence(["type=*"], "a", "b", five, five, five + 1000)
        assert imagine(plan, imagined({}, five), five, [quiet]).silence == quiet
        with pytest.raises(SettingsError, match="type is one of"):
            imagined({"type": "wish"}, five)


HOURS = st.sampled_from(["", "09:00-18:00", "18:00-06:00", "01:30-02:30", "00:00-00:00"])
DAYS = st.sampled_from([[], ["mon", "tue"], ["sat", "sun"]])
LAYERS = st.builds(
    Layer,
    people=st.sampled_from([["a"], ["a", "b"], ["c", "a", "b"]]),
    start=st.sampled_from([datetime(2026, 3, 2, 9), datetime(2026, 10, 1, 2, 15), datetime(2026, 4, 5)]),  # noqa: DTZ001
    every_days=st.sampled_from([1, 2, 7]),
    hours=HOURS,
    days=DAYS,
)
OVERRIDES = st.builds(
    lambda person, day, hours: Override(
        person=person,
        start=datetime(2026, 3, 28, 22) + timedelta(days=day),  # noqa: DTZ001
        until=datetime(2026, 3, 28, 22) + timedelta(days=day, hours=hours),  # noqa: DTZ001
    ),
    st.sampled_from("abd"),
    st.integers(0, 6),
    st.integers(1, 40),
)


class TestShifts:
    @settings(max_examples=60)
    @given(
        st.lists(LAYERS, min_size=1, max_size=3),
        st.lists(OVERRIDES, max_size=2),
        st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe", "America/New_York"]),
        st.integers(0, 10 * 96),
    )
    def test_the_next_change_is_the_first_that_minutes_find(
        self, layers: list[Layer], overrides: list[Override], zone: str, quarter: int
    ) -> None:
        schedule = Schedule(name="s", timezone=zone, layers=layers, overrides=overrides)
        begin = {
            "Europe/Berlin": datetime(2026, 3, 27, tzinfo=ZoneInfo(zone)),
            "America/New_York": datetime(2026, 10, 30, tzinfo=ZoneInfo(zone)),
        }.get(zone, datetime(2026, 4, 3, tzinfo=ZoneInfo(zone)))
        now = round(begin.timestamp() * 1000) + quarter * 900_000
        found = shift_of(schedule, now)
        assert found.person == schedule.on_call(now)
        step, end = 300_000, now + 4 * 86_400_000
        first = next((at for at in range(now, end, step) if schedule.on_call(at) != found.person), None)
        if first is None:
            assert found.until is None or found.until > end - step
        else:
            assert found.until is not None
            assert first - step < found.until <= first
            assert schedule.on_call(found.until) == found.then != found.person
            assert schedule.on_call(found.until - 1) == found.person


class TestView:
    def test_the_tree_is_there_and_no_address(self) -> None:
        text = """
        [route]
        notify = ["hook"]
        [[receivers]]
        type = "webhook"
        name = "hook"
        url = "https://hooks.test/canary"
        secret_env = "CANARY"
        """
        plan = read_plan(text, "r")
        kept = msgspec.msgpack.encode(view_of(plan))
        assert b"canary" not in kept.lower()
        again = msgspec.msgpack.decode(kept, type=View).plan()
        assert again is not None
        change = imagined({}, T0)
        assert imagine(again, change, T0) == imagine(plan, change, T0)
        assert msgspec.structs.replace(view_of(plan), spec=None).plan() is None


class TestPreview:
    @given(st.lists(st.sampled_from([*MATCHERS, "status=open", "type=*"]), min_size=1, max_size=3))
    def test_it_counts_what_the_silence_would_hold(self, texts: list[str]) -> None:
        store = MemoryStore()
        alerts = raise_alerts(store, 1, 3, now=T0) + raise_alerts(store, 4, 2, "medium", now=T0)
        store.set_status(alerts[0].id, 1, "acknowledged", "ana", T0, "senior")
        found = preview(store, texts)
        silence = new_silence(texts, "a", "b", T0, T0, T0 + 1000)
        live = [change_of(alert) for alert in store.alerts_by_id(store.live_alerts()).values()]
        held = [change for change in live if silence_of([silence], change, T0) is not None]
        assert (found.alerts, found.matched) == (len(live), len(held))
        assert found.waiting == sum(change.state == "open" for change in held)
        assert sum(found.severities.values()) == len(held)
        assert all(isinstance(one, Change) for one in found.examples)

    def test_no_matcher_and_a_wrong_one_are_refused_in_both_languages(self) -> None:
        for texts in ([], ["corridor"]):
            with pytest.raises(SettingsError) as caught:
                preview(MemoryStore(), texts)
            assert "匹配条件" in caught.value.zh


class TestArchive:
    def test_what_was_sent_is_found_by_alert_message_and_entity(self) -> None:
        store = MemoryStore()
        first, second = raise_alerts(store, 1, 2, now=T0)
        assert subjects_of(store, "", 5) == [second.id, first.id]
        with hook() as receiver:
            receiver.status = 410
            advance(sender_of(store, [local(receiver)]), T0, T0 + 60_000)
            (name,) = [row.name for row in store.routing_view(T0).receivers]  # type: ignore[union-attr]
            why = store.why(first.id)
            assert why is not None
            (heard,) = why.heard
            dead = store.dead_messages(9)
            assert heard.message in [one.intent.id for one in dead]
            (attempt,) = attempts_of(store, [heard.message])[:1]
            assert (attempt.outcome, attempt.receiver) == ("dead", name)
            assert is_kept(store, heard.message)
            assert not is_kept(store, "msg_none")
            assert subjects_of(store, heard.message, 5) == [first.id]
            assert subjects_of(store, first.id, 5) == [first.id]
            assert subjects_of(store, str(first.decision.context["card"]), 5) == [first.id]
            assert subjects_of(store, "nothing", 5) == []

    def test_lines_tell_what_is_in_flight_and_when_one_was_taken_last(self) -> None:
        store, now = MemoryStore(), time.time_ns() // 1_000_000
        raise_alerts(store, 1, 3, now=now)
        with hook() as receiver:
            receiver.status = 503
            sender = sender_of(store, [local(receiver)])
            advance(sender, now, now + 1000)
            (row,) = store.routing_view(now + 1000).receivers  # type: ignore[union-attr]
            assert (row.owed, row.delivered_at, row.breaker) == (3, 0, "open")
            assert row.failures
            receiver.status = 204
            advance(sender, now + 1000, now + 120_000)
            (row,) = store.routing_view(now + 120_000).receivers  # type: ignore[union-attr]
            assert (row.owed, row.failures, row.breaker) == (0, 0, "closed")
            assert row.delivered_at > now
        assert PART in store.routing_state()[1]


def test_sentences_name_states_and_codes_in_the_readers_language() -> None:
    assert sentence(Acknowledged("snoozed"), "zh") == "已搁置，不再通知"
    assert sentence(StormSummary("first_notification"), "zh").count("首次通知") == 1
    assert "first notification" in sentence(StormSummary("first_notification"))


def test_an_error_keeps_its_chinese_text_on_its_way_between_processes() -> None:
    import pickle

    made = pickle.loads(pickle.dumps(RefusedError("no", zh="不行")))
    assert isinstance(made, TidegateError)
    assert (str(made), made.zh) == ("no", "不行")
