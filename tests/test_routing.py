"""Who hears what, when and why: the router's timelines on a virtual clock."""

from __future__ import annotations

import msgspec
import pytest

from alerts.routing.change import Change
from alerts.routing.reasons import (
    Acknowledged,
    Fallback,
    Inhibited,
    NobodyToTell,
    RouteTellsNobody,
    Silenced,
    WaitingForGroup,
    code,
    sentence,
)
from alerts.routing.state import Tracked
from tests.timeline import T0, PureWorld, Timeline, ms

HEAD = """
fallback = "desk"
[[receivers]]
type = "slack"
name = "desk"
url_env = "DESK"
[[receivers]]
type = "slack"
name = "oncall"
url_env = "ONCALL"
send_resolved = true
[[receivers]]
type = "slack"
name = "lead"
url_env = "LEAD"
[[receivers]]
type = "pagerduty"
name = "pager"
secret_env = "PAGER"
"""
GROUPED = (
    HEAD
    + """
[route]
notify = ["oncall"]
group_by = ["typology"]
group_wait = "30s"
group_interval = "5m"
repeat_interval = "4h"
"""
)
CHAIN = (
    HEAD
    + """
[route]
notify = ["oncall"]
group_by = ["id"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "1h"
escalation = "fraud"
[[escalations]]
name = "fraud"
steps = [{after = "10m", notify = ["lead"]}, {after = "20m", notify = ["desk"]}]
"""
)
AT_ONCE = CHAIN.replace('escalation = "fraud"', "")


def timeline(plan: str) -> Timeline:
    return Timeline(PureWorld(plan))


def subject(played: Timeline, key: str) -> Tracked:
    assert isinstance(played.world, PureWorld)
    assert played.world.router is not None
    return played.world.router.state.tracked[key]


class TestGroups:
    def test_what_comes_within_the_wait_goes_out_as_one(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.at(20).push("a2", typology="T01")
        t.at(25).push("b1", typology="T02")
        t.between(30, 30).want("oncall", "a1", "a2")
        t.between(55, 55).want("oncall", "b1")
        t.run(3600)

    def test_later_ones_wait_for_the_interval(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.between(30, 30).want("oncall", "a1")
        t.at(60).push("a2", typology="T01")
        t.at(200).push("a3", typology="T01")
        t.between(330, 330).want("oncall", "a2", "a3", why="new_alerts")
        t.run(3600)

    def test_what_nobody_acknowledges_is_repeated_as_one(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.at(100).push("a2", typology="T01")
        t.between(30, 30).want("oncall", "a1")
        t.between(330, 330).want("oncall", "a2", why="new_alerts")
        t.between(4 * 3600, 4 * 3600 + 30).want("oncall", "a1", "a2", why="repeat_elapsed")
        t.between(8 * 3600, 8 * 3600 + 30).want("oncall", "a1", "a2", why="repeat_elapsed")
        t.run(9 * 3600)

    def test_a_worse_alert_is_said_once_more_and_only_once(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", severity="S3", typology="T01")
        t.between(30, 30).want("oncall", "a1")
        t.at(40).push("a1", severity="S2", typology="T01")
        t.at(50).push("a1", severity="S2", typology="T01")
        t.between(330, 330).want("oncall", "a1", why="worsened")
        t.run(3600)

    def test_resolved_is_told_to_who_asked_and_only_if_they_knew(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", "a2", typology="T01")
        t.at(10).push("a2", typology="T01", state="resolved")
        t.between(30, 30).want("oncall", "a1")
        t.at(60).push("a1", typology="T01", state="resolved")
        t.between(330, 330).want("oncall", "a1", why="resolved", says="resolved")
        t.run(9 * 3600)

    def test_opened_again_is_news(self) -> None:
        t = timeline(AT_ONCE)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.at(60).push("a1", state="resolved")
        t.between(60, 60).want("oncall", "a1", why="resolved", says="resolved")
        t.at(90).push("a1")
        t.between(90, 90).want("oncall", "a1")
        t.run(1000)
        assert len({intent.id for intent in t.world.intents}) == 3  # type: ignore[attr-defined]

    def test_why_it_waits_is_kept(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.run(10)
        assert subject(t, "a1").quiet["oncall"].reason == WaitingForGroup(ms(30))


class TestAcknowledgement:
    def test_it_ends_repeats_and_escalation(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.at(300).push("a1", state="acknowledged")
        t.run(24 * 3600)
        assert subject(t, "a1").quiet["oncall"].reason == Acknowledged("acknowledged")

    def test_it_ends_when_the_alert_worsens_and_the_chain_starts_anew(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.at(300).push("a1", state="acknowledged")
        t.at(400).push("a1", severity="S1")
        t.between(400, 400).want("oncall", "a1", why="worsened")
        t.between(1000, 1000).want("lead", "a1", why="escalated")
        t.run(2000)

    def test_an_acknowledged_incident_that_comes_back_worse_is_open(self) -> None:
        """Even when whoever announces it forgot to say that the acknowledgement ended."""
        t = timeline(CHAIN)
        t.at(0).push("i1", kind="incident")
        t.between(0, 0).want("oncall", "i1")
        t.at(300).push("i1", kind="incident", state="acknowledged")
        t.at(400).push("i1", kind="incident", severity="S1", state="acknowledged")
        t.between(400, 400).want("oncall", "i1", why="worsened")
        t.run(500)

    def test_an_alert_says_by_itself_whether_it_is_still_taken(self) -> None:
        """Snoozed at the worse severity too, or taken again before the router saw it."""
        t = timeline(CHAIN)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.at(300).push("a1", state="snoozed")
        t.at(400).push("a1", severity="S1", state="snoozed")
        t.run(24 * 3600)

    def test_on_call_services_are_told_at_once(self) -> None:
        t = timeline(AT_ONCE.replace('["oncall"]', '["pager"]').replace('"0s"\nrepeat', '"5m"\nrepeat'))
        t.at(0).push("a1")
        t.between(0, 0).want("pager", "a1")
        t.at(60).push("a1", state="acknowledged")
        t.between(60, 60).want("pager", "a1", why="acknowledged_notice", says="acknowledged")
        t.at(120).push("a1", state="resolved")
        t.between(300, 300).want("pager", "a1", why="resolved", says="resolved")
        t.run(1000)
        assert len({intent.thread for intent in t.world.intents}) == 1  # type: ignore[attr-defined]

    def test_a_thread_is_resolved_with_its_last_alert(self) -> None:
        t = timeline(GROUPED.replace('["oncall"]', '["pager"]'))
        t.at(0).push("a1", "a2", typology="T01")
        t.between(30, 30).want("pager", "a1", "a2")
        t.at(60).push("a1", typology="T01", state="resolved")
        t.at(400).push("a2", typology="T01", state="resolved")
        t.between(630, 700).want("pager", "a2", why="resolved", says="resolved")
        t.run(1000)


class TestEscalation:
    def test_step_by_step_until_somebody_answers(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.between(600, 600).want("lead", "a1", why="escalated")
        t.between(1800, 1800).want("desk", "a1", why="escalated")
        t.between(3600, 3600).want("oncall", "a1", why="repeat_elapsed")
        t.at(4000).push("a1", state="acknowledged")
        t.run(24 * 3600)


class TestSilences:
    def test_quiet_until_it_ends_then_said(self) -> None:
        t = timeline(AT_ONCE)
        s = t.at(0).silence("corridor=CN>*", seconds=3600)
        t.at(10).push("a1", corridor="CN>US")
        t.at(20).push("a2", corridor="US>DE")
        t.between(20, 20).want("oncall", "a2")
        t.between(2700, 2700).want("oncall", f"{s}:ending")
        t.between(3600, 3600).want("oncall", f"{s}:ended")
        t.between(3600, 3600).want("oncall", "a1")
        t.between(3620, 3620).want("oncall", "a2", why="repeat_elapsed")
        t.run(7000)

    def test_the_reason_is_kept(self) -> None:
        t = timeline(AT_ONCE)
        s = t.at(0).silence("type=alert", seconds=3600)
        t.at(10).push("a1", corridor="CN>US")
        t.run(100)
        held = subject(t, "a1").quiet["oncall"]
        assert held.reason == Silenced(s, ms(3600))
        assert s in sentence(held.reason, "zh")

    def test_ended_early_and_mended_meanwhile(self) -> None:
        t = timeline(AT_ONCE)
        s = t.at(0).silence("type=alert", seconds=3600)
        t.at(10).push("a1", "a2")
        t.at(20).push("a1", state="resolved")
        t.at(300).expire(s)
        t.between(300, 300).want("oncall", f"{s}:ended")
        t.between(300, 300).want("oncall", "a2")
        t.run(1000)

    def test_an_alert_that_was_paged_is_not_repeated_under_a_silence(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        s = t.at(10).silence("id=a1", seconds=7200)
        t.between(6310, 6310).want("oncall", f"{s}:ending")
        t.between(7210, 7210).want("oncall", f"{s}:ended")
        t.between(7210, 7210).want("lead", "a1", why="escalated")
        t.between(7210, 7210).want("desk", "a1", why="escalated")
        t.between(7210, 7210).want("oncall", "a1", why="repeat_elapsed")
        t.run(7300)


class TestIncidents:
    def test_children_stay_quiet_until_it_is_resolved(self) -> None:
        t = timeline(AT_ONCE)
        t.at(0).push("INC-1", kind="incident", severity="S1")
        t.between(0, 0).want("oncall", "INC-1")
        t.at(10).push("a1", "a2", incident="INC-1")
        t.at(20).push("a2", incident="INC-1", state="resolved")
        t.at(30).push("INC-1", kind="incident", severity="S1", state="acknowledged")
        t.at(600).push("INC-1", kind="incident", severity="S1", state="resolved")
        t.between(600, 600).want("oncall", "INC-1", why="resolved", says="resolved")
        t.between(600, 600).want("oncall", "a1")
        t.run(1000)

    def test_the_reason_is_kept(self) -> None:
        t = timeline(AT_ONCE)
        t.at(0).push("INC-1", kind="incident")
        t.at(1).push("a1", incident="INC-1")
        t.between(0, 0).want("oncall", "INC-1")
        t.run(100)
        assert subject(t, "a1").quiet["oncall"].reason == Inhibited("INC-1")

    def test_notices_are_said_once_and_never_repeated(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("sitrep-1", kind="notice")
        t.at(5).push("sitrep-1", kind="notice")
        t.between(0, 0).want("oncall", "sitrep-1")
        t.run(24 * 3600)


class TestFallback:
    def test_what_no_route_has_a_receiver_for(self) -> None:
        t = timeline(AT_ONCE.replace('notify = ["oncall"]', "", 1))
        t.at(0).push("a1")
        t.between(0, 0).want("desk", "a1", why="fallback")
        t.between(3600, 3600).want("desk", "a1", why="fallback")
        t.run(4000)

    def test_nobody_at_all_is_a_recorded_reason(self) -> None:
        plan = AT_ONCE.replace('notify = ["oncall"]', "", 1).replace('fallback = "desk"', "")
        t = timeline(plan)
        t.at(0).push("a1")
        t.run(100)
        assert subject(t, "a1").quiet[""].reason == NobodyToTell()

    def test_a_route_may_tell_nobody_on_purpose(self) -> None:
        t = timeline(AT_ONCE.replace('notify = ["oncall"]', "notify = []", 1))
        t.at(0).push("a1")
        t.run(24 * 3600)
        assert subject(t, "a1").quiet[""].reason == RouteTellsNobody("*")

    def test_a_page_that_every_receiver_failed_to_take_goes_to_the_fallback_once(self) -> None:
        t = timeline(AT_ONCE)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.run(10)
        world = t.world
        assert isinstance(world, PureWorld)
        assert world.router is not None
        (page,) = world.intents
        (told,) = world.router.step(ms(300), unheard=[page])
        assert (told.receiver, told.reason) == ("desk", Fallback("every_receiver_failed"))
        assert told.id != page.id
        assert [code(m.reason) for m in subject(t, "a1").history] == ["first_notification", "fallback"]
        taken = msgspec.structs.replace(subject(t, "a1").change, state="acknowledged", version=9)
        assert world.router.step(ms(310), [taken], unheard=[page]) == []


class TestForgetting:
    DAY = 24 * 3600

    def test_what_nobody_touches_for_two_weeks_is_let_go_and_known_again_by_an_act(self) -> None:
        t = timeline(AT_ONCE.replace('"1h"', '"0s"'))
        t.at(0).push("a1", "a2")
        t.between(0, 0).want("oncall", "a1")
        t.between(0, 0).want("oncall", "a2")
        t.at(5 * self.DAY).push("a2", state="acknowledged")
        t.at(15 * self.DAY).push("new")
        t.between(15 * self.DAY, 15 * self.DAY).want("oncall", "new")
        t.run(15 * self.DAY)
        router = t.world.router  # type: ignore[attr-defined]
        assert set(router.state.tracked) == {"a2", "new"}
        assert len(router.state.groups) == 2

    def test_an_incident_stays_until_it_is_over(self) -> None:
        t = timeline(AT_ONCE.replace('"1h"', '"0s"'))
        t.at(0).push("INC", kind="incident")
        t.between(0, 0).want("oncall", "INC")
        t.at(40 * self.DAY).push("a1", incident="INC")
        t.run(40 * self.DAY + 1)
        assert subject(t, "a1").quiet["oncall"].reason == Inhibited("INC")


class TestRestarts:
    def test_timers_and_groups_go_on(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.at(10).restart()
        t.between(30, 30).want("oncall", "a1")
        t.at(40).push("a2", typology="T01")
        t.at(50).restart()
        t.between(330, 330).want("oncall", "a2", why="new_alerts")
        t.at(400).restart()
        t.between(4 * 3600, 4 * 3600 + 30).want("oncall", "a1", "a2", why="repeat_elapsed")
        t.run(5 * 3600)

    def test_a_reload_keeps_groups_and_pages_nobody_twice(self) -> None:
        t = timeline(GROUPED)
        t.at(0).push("a1", typology="T01")
        t.at(10).reload(GROUPED.replace('repeat_interval = "4h"', 'repeat_interval = "1h"'))
        t.between(30, 30).want("oncall", "a1")
        t.at(60).reload(GROUPED.replace('["typology"]', '["corridor"]').replace('"4h"', '"1h"'))
        t.between(3630, 3630).want("oncall", "a1", why="repeat_elapsed")
        t.run(2 * 3600)

    def test_a_new_receiver_hears_what_is_open(self) -> None:
        t = timeline(AT_ONCE)
        t.at(0).push("a1")
        t.between(0, 0).want("oncall", "a1")
        t.at(60).reload(AT_ONCE.replace('notify = ["oncall"]', 'notify = ["oncall", "lead"]', 1))
        t.between(60, 60).want("lead", "a1")
        t.run(1000)

    def test_a_cold_start_on_acknowledged_and_resolved_alerts_is_quiet(self) -> None:
        t = timeline(CHAIN)
        t.at(0).push("a1", state="acknowledged")
        t.at(0).push("a2", state="resolved")
        t.run(24 * 3600)


STORM = AT_ONCE.replace('name = "oncall"', 'name = "oncall"\nrate = "10/1m"', 1)


class TestStorms:
    def test_over_the_rate_one_summary_counts_the_rest(self) -> None:
        t = timeline(STORM)
        for n in range(25):
            t.at(n / 10).push(f"a{n:02}", severity="S1" if n == 20 else "S2")
        for n in range(10):
            t.between(n / 10, n / 10).want("oncall", f"a{n:02}")
        t.between(60, 60).want("oncall", why="storm_summary", total=15)
        t.run(600)
        (summary,) = [i for i in t.world.intents if i.kinds]  # type: ignore[attr-defined]
        assert summary.counts == {"S1": 1, "S2": 14}
        assert summary.subjects[0].id == "a20"
        assert subject(t, "a20").sent["oncall"].message == summary.id

    @pytest.mark.parametrize("by", ['["id"]', '["typology"]'])
    def test_a_hundred_thousand_alerts_lose_none(self, by: str) -> None:
        world = PureWorld(STORM.replace('group_by = ["id"]', f"group_by = {by}"))
        total = 100_000
        now = T0
        for start in range(0, total, 1000):
            for n in range(start, start + 1000):
                world.push(
                    Change(kind="alert", id=f"a{n}", severity="S2", at=now, labels={"typology": f"T{n % 7}"})
                )
            now = ms(start / 1000)
            world.step(now)
        while (due := world.due()) is not None and due < ms(1000):
            world.step(due)
        assert sum(intent.total for intent in world.intents) == total
        assert len(world.intents) <= 10 * (1000 // 60 + 2)
        assert world.router is not None
        known = {intent.id for intent in world.intents}
        assert all(t.sent["oncall"].message in known for t in world.router.state.tracked.values())
