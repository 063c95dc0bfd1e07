"""The chaos run: a short one in real processes, and that its checks can fail."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from alerts.receivers.webhook import headers
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.chaos.checks import Checks
from dataflow.chaos.feed import StreamFeed
from dataflow.chaos.inbox import Inbox
from dataflow.chaos.plan import EVENTS, LAST_KILL_S, drawn
from dataflow.chaos.run import chaos
from dataflow.chaos.witness import Witness
from dataflow.committing import commit_of
from dataflow.embedded import embedded
from dataflow.settings import Settings
from dataflow.sources.files import FileSource, RawItem
from tests.streams import record

VICTIMS = ("learner", "sender", "scorer", "store")
KEY = b"a published test key of 32 bytes"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("rounds", "seed", "kafka"), [(4, 41, False), (1, 5, True)], ids=["store", "kafka"])
def test_nothing_is_lost_or_done_twice(rounds: int, seed: int, kafka: bool, tmp_path: Path) -> None:
    result = chaos(Settings(), rounds, seed, tmp_path, kafka=kafka, progress=lambda _: None)
    assert result["violations"] == []
    assert result["digest"] == result["undisturbed_digest"]
    assert result["decided"] > rounds * EVENTS / 2
    assert result["transactions"] == result["decided"] + result["duplicates"]
    # An alert that got worse is told of again.
    assert result["pages"] >= result["alerts"]
    assert sum(result["kills"].values()) == sum(
        len(drawn(seed, n, VICTIMS).kills) for n in range(1, rounds + 1)
    )
    assert set(result["kills"]) == set(result["longest_recovery_s"])


@given(st.integers(0, 2**32), st.integers(1, 1000))
def test_a_round_is_its_seed_and_number(seed: int, number: int) -> None:
    plan = drawn(seed, number, VICTIMS)
    assert plan == drawn(seed, number, VICTIMS)
    assert 1 <= len(plan.kills) <= 3
    assert all(0 <= kill.at <= LAST_KILL_S and kill.victim in VICTIMS for kill in plan.kills)
    events = [b"%d" % n for n in range(EVENTS)]
    lines = plan.lines(events)
    assert lines == plan.lines(events)
    assert len(lines) == EVENTS + len(plan.again) + len(plan.broken)
    assert [line for line in dict.fromkeys(lines) if line in events] == events


def page(id_: str, alert: str, severity: str) -> tuple[dict[str, str], bytes, float]:
    body = msgspec.json.encode({"type": "alert.raised", "data": {"alert_id": alert, "severity": severity}})
    now = time.time()
    return headers([KEY], id_, int(now * 1000), body), body, now


def test_the_inbox_finds_what_is_wrong_with_pages() -> None:
    inbox = Inbox(KEY)
    sent, body, now = page("m1", "al_1", "S1")
    Webhook(KEY).verify(body, sent)
    inbox.take(sent, body, now)
    inbox.take(sent, body, now)
    assert inbox.violations() == []
    assert inbox.told() == {("al_1", "S1")}
    inbox.take(*page("m2", "al_1", "S1"))
    inbox.take(*page("m1", "al_2", "S1"))
    inbox.take({**sent, "webhook-timestamp": "7"}, body, now)
    assert not inbox.take(sent, body, now + 1000)
    assert inbox.refused == 1
    found = "\n".join(inbox.violations())
    for what in ("['m1', 'm2']", "m1 said 2 things", "signature of m1 is wrong"):
        assert what in found


@pytest.mark.parametrize("harm", ["lost", "other", "counted", "alert", "nothing"])
def test_the_checks_find_a_lost_a_changed_and_a_miscounted_decision(harm: str, tmp_path: Path) -> None:
    lines = [item.line or b"" for items in FileSource(record.path_of("card")) for item in items][:400]
    settings = msgspec.structs.replace(Settings(), data_dir=str(tmp_path))
    with embedded(tmp_path / "store") as url:
        link, store = RedisLink(url), RedisStore(url)
        feed, inbox, witness = StreamFeed(link), Inbox(KEY), Witness(settings, lambda _: b"")
        feed.send(lines)
        flow = Witness(settings, lambda _: b"").engine
        output = flow.step([RawItem("x", line, None, None) for line in lines])
        if harm == "other":
            output.decisions[7] = msgspec.structs.replace(output.decisions[7], action="FREEZE")
        commit = commit_of(flow, output, lambda letter: letter, 1)
        if harm == "lost":
            commit.decisions.pop()
        if harm == "counted":
            commit.counters.labels += 1
        if harm == "alert":
            commit.hits.pop()
        store.commit(commit)
        for alert in store.live_alerts():
            inbox.take(*page(alert, alert, store.alerts_by_id([alert])[alert].severity))
        checks = Checks(link, store, feed, inbox, witness)
        checks.settled()
        found = checks.violations()
    said = {
        "lost": "undisturbed b'{",
        "other": "decision 8 is",
        "counted": "counter labels",
        "alert": "alert ",
        "nothing": "",
    }
    assert (said[harm] in "\n".join(found)) if harm != "nothing" else found == []
