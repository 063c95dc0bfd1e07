"""Delivery lines under whatever receivers answer, with restarts: nothing is lost, nothing ends twice."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.receivers.lines import LONGEST_REST_MS, Lines
from alerts.receivers.post import Answer
from alerts.receivers.receiver import Verdict
from alerts.receivers.retry import LONGEST_MS
from alerts.routing.intent import Done, Intent, Says
from alerts.routing.reasons import Fallback, FirstNotification

T0 = 1_763_000_000_000
DIGESTS = {"a": "1", "b": "1"}
receivers = st.sampled_from(["a", "b"])
trouble: list[Verdict] = ["busy", "refused", "hopeless"]


class Deliveries(RuleBasedStateMachine):
    """Two receivers. `told` is what they took; `done` what the archive was told."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, bytes] = {}
        self.lines = Lines({}, DIGESTS)
        self.now, self.number = T0, 0
        self.owed: set[str] = set()
        self.done: dict[str, Done] = {}
        self.told: list[tuple[str, str, Says]] = []
        self.disabled: set[str] = set()
        self.settings = 1

    @rule(
        to=receivers,
        severity=st.sampled_from(["S1", "S3"]),
        says=st.sampled_from(["open", "resolved"]),
        thread=st.sampled_from("xy"),
    )
    def owe(self, to: str, severity: str, says: Says, thread: str) -> None:
        self.number += 1
        intent = Intent(
            id=f"m{self.number}", receiver=to, page=f"p{self.number}", at=self.now, reason=FirstNotification(),
            says=says, thread=thread, counts={severity: 1}, total=1,
        )  # fmt: skip
        self.lines.owe([intent, intent], self.now)
        self.owed.add(intent.id)

    @rule(
        to=receivers,
        verdict=st.sampled_from(["delivered", "delivered", *trouble, "gone"]),
        asked=st.integers(0, 300),
    )
    def attempt(self, to: str, verdict: Verdict, asked: int) -> None:
        if to in self.disabled:
            return
        owed, due = self.lines.next(to, self.now)
        assert owed is None or due is None
        if owed is None:
            assert due is None or due > self.now
            return
        assert owed.due <= self.now >= self.lines.line(to).rest_until
        intent = owed.intent
        if intent.says == "resolved":
            pages = [
                o
                for o in self.lines.owed_to(to)
                if (o.intent.says, o.intent.thread) == ("open", intent.thread)
            ]
            assert not pages, "its pages go first"
        answer = Answer(503 if verdict == "busy" else 204, retry_after=str(asked) if asked > 200 else None)
        before = owed.failed
        outcome = self.lines.attempted(owed, verdict, answer, self.now)
        assert (outcome == "delivered") == (verdict == "delivered")
        if outcome == "retry":
            assert owed.failed == before + 1
            assert owed.due > self.now
            assert self.lines.line(to).rest_until <= self.now + max(LONGEST_REST_MS, asked * 1000)
        if verdict == "delivered":
            self.told.append((to, intent.id, intent.says))
            assert self.lines.line(to).breaker(self.now) == "closed"
        if verdict == "gone":
            self.disabled.add(to)
            assert self.lines.line(to).breaker(self.now) == "disabled"
            for other in self.lines.owed_to(to):
                self.lines.bury(other, self.now)

    @rule(seconds=st.integers(1, 40_000))
    def wait(self, seconds: int) -> None:
        self.now += seconds * 1000

    @rule(after=st.sampled_from([0, 300_000]))
    def fall_back(self, after: int) -> None:
        for intent in self.lines.unheard(self.now, after):
            assert intent.says == "open"
            assert (intent.receiver, intent.id, "open") not in self.told
            assert intent.id not in self.done or self.done[intent.id].outcome == "dead"

    @rule(mended=st.booleans())
    def restart(self, mended: bool) -> None:
        self.save()
        self.settings += mended
        self.lines = Lines(dict(self.kept), dict.fromkeys(DIGESTS, str(self.settings)))
        if mended:
            self.disabled.clear()
        assert {name for name in DIGESTS if self.lines.line(name).disabled} == self.disabled

    def save(self) -> None:
        put, drop, done = self.lines.changes()
        self.kept.update(put)
        for name in drop:
            self.kept.pop(name, None)
        for id_, one in done.items():
            assert id_ not in self.done, "it ended before"
            self.done[id_] = one

    @invariant()
    def nothing_is_lost_and_nothing_ends_twice(self) -> None:
        self.save()
        under_way = {owed.intent.id for name in ("a", "b") for owed in self.lines.owed_to(name)}
        assert under_way | self.done.keys() == self.owed
        assert not under_way & self.done.keys()
        assert len(self.told) == len({id_ for _, id_, _ in self.told})
        assert {id_ for _, id_, _ in self.told} == {
            i for i, d in self.done.items() if d.outcome == "delivered"
        }
        for name in ("a", "b"):
            for owed in self.lines.owed_to(name):
                assert owed.due <= self.now + LONGEST_MS + 60_000

    def teardown(self) -> None:
        """In the end everything goes out once the receivers answer."""
        for to in ("a", "b"):
            if to in self.disabled:
                continue
            for _ in range(4 * self.number + 4):
                owed, due = self.lines.next(to, self.now)
                if owed is not None:
                    self.lines.attempted(owed, "delivered", Answer(204), self.now)
                elif due is not None:
                    self.now = due
            assert self.lines.owed_to(to) == []


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_fallback_s_own_failure_goes_nowhere() -> None:
    lines = Lines({}, DIGESTS)
    intent = Intent(
        id="m",
        receiver="a",
        page="p",
        at=T0,
        reason=Fallback("every_receiver_failed"),
        counts={"S1": 1},
        total=1,
    )
    lines.owe([intent], T0)
    lines.attempted(lines.owed["m"], "hopeless", Answer(400), T0)
    assert lines.unheard(T0 + LONGEST_MS, 0) == []


def test_after_an_outage_the_worst_goes_first() -> None:
    lines = Lines({}, DIGESTS)
    for n, severity in enumerate(["S3", "S1", "S2", "S1"]):
        intent = Intent(
            id=f"m{n}",
            receiver="a",
            page=f"p{n}",
            at=T0 + n,
            reason=FirstNotification(),
            counts={severity: 1},
            total=1,
        )
        lines.owe([intent], T0 + n)
    first, _ = lines.next("a", T0 + 10)
    assert first is not None
    lines.attempted(first, "busy", Answer(503), T0 + 10)
    now, order = T0 + LONGEST_REST_MS, []
    while (found := lines.next("a", now)[0]) is not None:
        order.append(found.intent.worst)
        lines.attempted(found, "delivered", Answer(204), now)
    assert order == ["S1", "S1", "S2", "S3"]
