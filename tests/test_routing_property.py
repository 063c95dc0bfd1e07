"""Whatever happens in whatever order: no alert is lost, nobody is paged twice for the same, nobody while it is quiet."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.routing.change import Change
from alerts.routing.reasons import code
from alerts.routing.silence import new_silence
from tests.test_routing import HEAD
from tests.timeline import T0, PureWorld

PLAN = (
    HEAD
    + """
[route]
notify = ["oncall"]
group_by = ["typology"]
group_wait = "30s"
group_interval = "2m"
repeat_interval = "1h"
[[route.routes]]
name = "pages"
match = ["severity=S1"]
notify = ["pager"]
group_by = ["id"]
group_wait = "0s"
escalation = "up"
continue = true
[[route.routes]]
name = "also"
match = ["severity=S1"]
notify = ["oncall"]
[[escalations]]
name = "up"
steps = [{after = "10m", notify = ["lead"]}, {after = "10m", notify = ["oncall"]}]
"""
)
OTHER = PLAN.replace('group_by = ["typology"]', 'group_by = ["type"]')
RATED = PLAN.replace('name = "oncall"\n', 'name = "oncall"\nrate = "3/5m"\n', 1)
IDS = [f"a{n}" for n in range(5)]
alert_ids, severities = st.sampled_from(IDS), st.sampled_from(["S1", "S2", "S3"])


class Life(RuleBasedStateMachine):
    """The router against a plain account of what is open, silenced and inhibited."""

    def __init__(self) -> None:
        super().__init__()
        self.world = PureWorld(PLAN)
        self.now = T0
        self.alerts: dict[str, Change] = {}
        self.incident_open = False
        self.silences: list[tuple[str, int, int]] = []
        self.version = 0
        self.seen = 0
        self.life: dict[str, int] = {}
        self.paged: dict[tuple[str, str, int], list[str]] = {}

    def push(self, id_: str, severity: str, state: str, incident: str | None) -> None:
        before = self.alerts.get(id_)
        self.version += 1
        change = Change(
            kind="alert", id=id_, severity=severity, at=self.now, state=state, version=self.version,
            incident=incident, labels={"typology": f"T{int(id_[1:]) % 2}"},
        )  # type: ignore[arg-type]  # fmt: skip
        if before is not None and before.state == "resolved" and state != "resolved":
            self.life[id_] = self.life.get(id_, 0) + 1
        if before is not None or state != "resolved":
            self.alerts[id_] = change
        self.world.push(change)

    @rule(id_=alert_ids, severity=severities, child=st.booleans())
    def raised(self, id_: str, severity: str, child: bool) -> None:
        before = self.alerts.get(id_)
        worst = severity
        if before is not None and before.state != "resolved":
            worst = min(severity, before.severity)
            if before.state != "open" and worst == before.severity:
                return
        self.push(id_, worst, "open", "I" if child else None)

    @rule(id_=alert_ids, state=st.sampled_from(["acknowledged", "snoozed", "resolved", "open"]))
    def handled(self, id_: str, state: str) -> None:
        before = self.alerts.get(id_)
        if before is not None and before.state != "resolved":
            self.push(id_, before.severity, state, before.incident)

    @rule()
    def incident(self) -> None:
        self.incident_open = not self.incident_open
        self.version += 1
        state = "open" if self.incident_open else "resolved"
        self.world.push(
            Change(kind="incident", id="I", severity="S2", at=self.now, state=state, version=self.version)
        )  # type: ignore[arg-type]

    @rule(id_=alert_ids, minutes=st.integers(1, 90))
    def silence(self, id_: str, minutes: int) -> None:
        end = self.now + minutes * 60_000
        self.world.silence(new_silence([f"id={id_}"], "lead", "test", self.now, self.now, end))
        self.silences.append((id_, self.now, end))

    @rule(seconds=st.integers(1, 3000))
    def wait(self, seconds: int) -> None:
        self.advance(self.now + seconds * 1000)

    @rule(plan=st.sampled_from([PLAN, OTHER, RATED]))
    def reload(self, plan: str) -> None:
        self.settle()
        self.world.reload(plan)

    @rule()
    def restart(self) -> None:
        self.settle()
        self.world.restart()

    def settle(self) -> None:
        self.advance(self.now)

    def advance(self, until: int) -> None:
        self.step()
        while (due := self.world.due()) is not None and due <= until:
            self.now = max(due, self.now)
            self.step()
        self.now = until

    def step(self) -> None:
        self.world.step(self.now)
        for intent in self.world.intents[self.seen :]:
            if intent.says == "open" and not intent.kinds:
                for change in intent.subjects:
                    if change.kind == "alert":
                        sent = self.world.router.state.tracked[change.id].sent[intent.receiver]  # type: ignore[union-attr]
                        self.may_be_paged(change.id, code(sent.reason))
                        if code(sent.reason) in ("first_notification", "new_alerts", "worsened"):
                            key = (intent.receiver, change.id, self.life.get(change.id, 0))
                            self.paged.setdefault(key, []).append(change.severity)
        self.seen = len(self.world.intents)

    def may_be_paged(self, id_: str, why: str) -> None:
        alert = self.alerts[id_]
        assert alert.state == "open", f"{id_} was paged ({why}) while {alert.state}"
        assert not (alert.incident and self.incident_open), f"{id_} was paged as part of an open incident"
        quiet = [s for s in self.silences if s[0] == id_ and s[1] <= self.now < s[2]]
        assert not quiet, f"{id_} was paged under a silence"

    @invariant()
    def each_id_is_sent_once(self) -> None:
        ids = [intent.id for intent in self.world.intents]
        assert len(ids) == len(set(ids))

    @invariant()
    def nobody_is_paged_twice_for_the_same(self) -> None:
        for (receiver, id_, _), told in self.paged.items():
            assert told == sorted(set(told), reverse=True), f"{receiver} heard of {id_}: {told}"

    def teardown(self) -> None:
        """In the end all that is open and not quiet has been said as it is to whom it is owed."""
        if self.incident_open:
            self.incident()
        self.advance(self.now + 4 * 3600 * 1000)
        router = self.world.router
        assert router is not None
        sent = {intent.id for intent in self.world.intents}
        for id_, alert in self.alerts.items():
            if alert.state != "open":
                continue
            subject = router.state.tracked[id_]
            receiver = "pager" if alert.severity == "S1" else "oncall"
            told = subject.sent[receiver]
            assert told.says == "open"
            assert told.severity <= alert.severity
            assert told.message in sent, "a message that never went out is on record as sent"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
