"""Tidegate about itself: what a reading shows, how long it has to hold, and how it reaches people."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.condition.checks import CHECKS, MINUTE_MS, Seen, Trouble, list_stale
from alerts.condition.reading import ConditionSettings, Disk, Reading, StoreMemory
from alerts.condition.watch import ConditionWatch, opened_of
from alerts.lists.exchange import Exchange, ExchangeSettings, written
from alerts.lists.importing import ages, import_shared
from alerts.memory_store import MemoryStore
from alerts.routing import feed
from alerts.routing.change import Change
from models.decision import Counters

START = 1_800_000_000_000
HOUR_MS = 60 * MINUTE_MS
CALM_MS = 30_000
GIB = 1 << 30


class Life:
    """A system on a virtual clock: what it tells, and what the watch makes of it."""

    def __init__(self, **limits: Any) -> None:
        self.now = START
        self.watch = ConditionWatch(ConditionSettings(**limits))
        self.counters = Counters(events_in=100, labels=5, transactions=95, decided=95)
        self.told: dict[str, Any] = {}
        self.beats: dict[str, dict[str, Any]] = {
            "supervisor": {},
            "scorer": {},
            "learner": {"position": "0-0"},
        }
        self.silent: set[str] = set()

    def after(self, seconds: float, **told: Any) -> list[Change]:
        """Let time pass and look, with the reading changed as told."""
        self.now += int(seconds * 1000)
        self.told |= told
        for name, beat in self.beats.items():
            if name not in self.silent:
                beat["at"] = self.now
        beats = msgspec.json.decode(msgspec.json.encode(self.beats))
        return self.watch.look(
            Reading(now=self.now, counters=msgspec.structs.replace(self.counters), beats=beats, **self.told)
        )

    def count(self, **more: int) -> None:
        """Counters rise."""
        for name, number in more.items():
            setattr(self.counters, name, getattr(self.counters, name) + number)


def kinds(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.id, change.severity, change.state) for change in changes]


def test_a_stream_that_stalls_is_told_once_and_its_end_once() -> None:
    life = Life()
    assert life.after(0) == []
    assert life.after(20, unread=9) == []
    opened = life.after(15)
    assert kinds(opened) == [("stream_stalled", "S1", "open")]
    assert "9 entries wait" in opened[0].text_en
    assert "9 条" in opened[0].text_zh
    assert life.after(60) == []
    life.count(events_in=9)
    assert life.after(1, unread=0) == []
    ended = life.after(CALM_MS / 1000)
    assert kinds(ended) == [("stream_stalled", "S1", "resolved")]
    assert ended[0].version > opened[0].version


def test_a_busy_system_and_an_idle_one_are_in_order() -> None:
    life = Life()
    for _ in range(100):
        life.count(events_in=10)
        assert life.after(10, unread=50) == []
    assert life.after(60, unread=0) == []


def test_quiet_and_labels_that_do_not_come() -> None:
    life = Life(labels_h=2.0)
    life.after(0)
    assert kinds(life.after(31 * 60)) == [("stream_quiet", "S3", "open")]
    found: list[Change] = []
    for _ in range(8):
        life.count(events_in=1)
        found += life.after(15 * 60)
    assert ("labels_missing", "S3", "open") in kinds(found)
    assert ("stream_quiet", "S3", "resolved") in kinds(found)
    life.count(labels=1, events_in=1)
    life.after(1)
    assert kinds(life.after(60)) == [("labels_missing", "S3", "resolved")]


def test_processes_that_fall_silent_crash_or_are_taken_out_of_service() -> None:
    life = Life()
    life.beats["serve"] = {}
    pids = {"scorer_pid": 1, "learner_pid": 2, "serve_pid": 3, "console_pid": 4}
    life.beats["supervisor"] = {**pids, "scorer_restarts": 0}
    assert life.after(0) == []
    life.silent = {"scorer", "serve"}
    assert kinds(life.after(31)) == [
        ("process_silent:scorer", "S1", "open"),
        ("process_silent:serve", "S2", "open"),
    ]
    life.silent = {"serve"}
    del life.beats["supervisor"]["serve_pid"]
    assert life.after(1) == []
    assert kinds(life.after(31)) == [
        ("process_silent:scorer", "S1", "resolved"),
        ("process_silent:serve", "S2", "resolved"),
    ]
    life.beats["supervisor"]["scorer_restarts"] = 3
    assert kinds(life.after(1)) == [("process_crashing:scorer", "S2", "open")]
    assert life.after(5 * 60) == []
    assert ("process_crashing:scorer", "S2", "resolved") in kinds([*life.after(6 * 60), *life.after(31)])


def test_a_process_that_never_beat_gets_time_to_load() -> None:
    life = Life()
    life.beats["supervisor"] = {"sender_pid": 1}
    assert life.after(0) == []
    assert life.after(290) == []
    assert kinds(life.after(15)) == [("process_silent:sender", "S1", "open")]


def test_a_first_start_pages_nobody_while_kernels_compile() -> None:
    life = Life()
    del life.beats["scorer"]
    life.beats["supervisor"] = {"scorer_pid": 1, "scorer_started": START, "simulator_pid": 2}
    assert [life.after(20, unread=500) for _ in range(10)] == [[]] * 10
    life.beats["scorer"] = life.beats["simulator"] = {}
    assert life.after(1) == life.after(25) == [], "it has only just come up"
    assert kinds(life.after(10)) == [("stream_stalled", "S1", "open")]


def test_a_scorer_that_never_comes_up_is_told_of_in_the_end_though_it_is_started_again_and_again() -> None:
    life = Life(crashes=0)
    life.silent = {"scorer"}
    life.beats["scorer"]["at"] = START - HOUR_MS
    found: list[Change] = []
    for start in range(20):
        life.beats["supervisor"] = {"scorer_pid": start, "scorer_started": life.now, "scorer_restarts": start}
        found += life.after(20, unread=9)
    assert kinds(found) == [("stream_stalled", "S1", "open"), ("process_silent:scorer", "S1", "open")]
    assert found[0].at - START == 300_000


def test_one_that_fell_silent_without_a_new_start_gets_no_time_to_load() -> None:
    life = Life()
    life.beats["supervisor"] = {"scorer_pid": 1, "scorer_started": START}
    life.after(1)
    life.silent = {"scorer"}
    assert kinds(life.after(31)) == [("process_silent:scorer", "S1", "open")]


def test_a_disk_that_fills_up_gets_worse_and_worse_only() -> None:
    life = Life()
    assert kinds(life.after(1, disk=Disk(9 * GIB, 100 * GIB))) == [("disk_nearly_full", "S2", "open")]
    assert kinds(life.after(1, disk=Disk(2 * GIB, 100 * GIB))) == [("disk_nearly_full", "S1", "open")]
    assert life.after(1, disk=Disk(9 * GIB, 100 * GIB)) == []
    assert life.after(1, disk=Disk(50 * GIB, 100 * GIB)) == []
    assert kinds(life.after(31)) == [("disk_nearly_full", "S1", "resolved")]


@pytest.mark.parametrize(
    ("told", "beats", "id_"),
    [
        ({"memory": StoreMemory(95, 100)}, {}, "store_nearly_full"),
        ({}, {"learner": {"position": "7-0"}}, "learner_behind"),
        ({}, {"kafka": {"trouble": "_TRANSPORT: gone"}}, "kafka_away"),
        (
            {},
            {"names": {"list_ofac_as_of": START - 50 * HOUR_MS, "list_ofac_max_age_ms": 24 * HOUR_MS}},
            "list_stale:ofac",
        ),
    ],
)
def test_what_else_is_told(told: dict[str, Any], beats: dict[str, Any], id_: str) -> None:
    life = Life()
    life.beats |= beats
    life.count(examples=20_007)
    if id_ != "learner_behind":
        life.beats["learner"] = {"position": "20007-3"}
    life.after(0, **told)
    found = life.after(61)
    opened = [one.trouble.id for one in life.watch.open.values()]
    assert opened == [id_]
    assert len(found) <= 1
    names = (
        "stalled_s",
        "quiet_min",
        "labels_h",
        "learner_behind",
        "silent_s",
        "crashes",
        "disk_free",
        "store_full",
        "kafka_s",
    )
    off = ConditionWatch(ConditionSettings(**dict.fromkeys(names, 0)))  # type: ignore[arg-type]
    reading = Reading(now=START, counters=life.counters, beats={**life.beats, "names": {}}, **told)
    assert off.look(reading) == off.look(msgspec.structs.replace(reading, now=START + 999 * HOUR_MS)) == []


def test_a_watch_that_was_restarted_ends_what_the_one_before_told_of() -> None:
    life = Life()
    life.after(1, disk=Disk(1, 100))
    kept = life.watch.told()
    again = ConditionWatch(ConditionSettings(), opened_of(kept))
    calm = Reading(now=life.now + CALM_MS, counters=life.counters, disk=Disk(90, 100))
    assert kinds(again.look(calm)) == [("disk_nearly_full", "S1", "resolved")]
    assert opened_of("") == opened_of("nonsense") == []


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["", "S1", "S2"])), max_size=40))
def test_what_is_told_is_always_a_right_story(steps: list[tuple[int, str]]) -> None:
    """Opened before it ends, told again only when it gets worse, versions rise, and what is open is known."""
    watch, now, state, version, worst = ConditionWatch(ConditionSettings()), START, "resolved", 0, "S9"
    for seconds, severity in steps:
        now += seconds * 1000
        trouble = Trouble(kind="x", severity=severity or "S2", text_en="x", text_zh="x", hold_ms=10_000)  # type: ignore[arg-type]
        for change in watch.judge([trouble] if severity else [], now):
            assert change.version > version
            if change.state == "resolved":
                assert state == "open"
                worst = "S9"
            else:
                assert change.severity < worst
                worst = change.severity
            state, version = change.state, change.version
        assert bool(watch.open) == (state == "open")


def test_the_router_hears_of_it_from_the_store() -> None:
    life, store = Life(), MemoryStore()
    for change in life.after(1, disk=Disk(1, 100)):
        store.announce(change)
    found, _ = feed.read(store, feed.Position(), life.now)
    assert [(change.key, change.value("kind"), change.severity) for change in found] == [
        ("self:disk_nearly_full", "disk_nearly_full", "S1")
    ]


def test_checks_are_told_apart_and_described() -> None:
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS)
    assert all(check.__doc__ for check in CHECKS)


def test_a_file_of_an_exchange_grows_old() -> None:
    store, club = MemoryStore(), Exchange("club", "ab" * 16, b"k" * 32)
    settings = ExchangeSettings(name="club", key_file="/none", salt="ab" * 16, max_age_h=2)
    assert ages(store, [settings]) == {}
    for made_at in (START, START - 24 * HOUR_MS):
        import_shared(
            store, club, written(club, [], made_at), "f", actor="ana", role="senior", now=START, block_from=80
        )
    beats = {"observer": {"at": START, **ages(store, [settings])}}
    reading = Reading(now=START + 3 * HOUR_MS, counters=Counters(), beats=beats)
    (trouble,) = list_stale(reading, Seen(), ConditionSettings())
    assert (trouble.subject, trouble.facts["hours"]) == ("club", 3)
    fresh = msgspec.structs.replace(reading, now=START + HOUR_MS)
    assert list_stale(fresh, Seen(), ConditionSettings()) == []
