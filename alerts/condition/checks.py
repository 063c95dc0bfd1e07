"""The checks of Tidegate's own condition: a plain list; each looks at a reading and says what is wrong in it.

A check says what is wrong at this moment; how long it has to be wrong before anybody hears of it is its `hold_ms`.
What needs earlier readings (since when nothing was scored, which processes were ever seen) is in `Seen`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from alerts.alert import Severity
from alerts.condition.reading import ConditionSettings, Reading, children_of
from alerts.response.signals import Beat

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
CRASHES_WITHIN_MS = 10 * MINUTE_MS
ALMOST_FULL = 0.3
"""Below this part of the least free share a nearly full disk is S1."""
_BEATING = (
    "scorer",
    "learner",
    "sender",
    "clerk",
    "incidents",
    "jobs",
    "serve",
    "simulator",
    "supervisor",
    "kafka",
)
_WITHOUT_BEAT = ("console",)
_VITAL = ("scorer", "sender", "supervisor")


class Seen(msgspec.Struct):
    """What is remembered between looks, by the people's clock in ms.

    scored, came, labelled: when the count last rose, and the count. processes: those that were alive, or should be.
    restarts: by process, moments of its restarts, and how many it had. awaited: by process that has not beaten since it
    was started, since when it is waited for. ready: when the scorer was first seen to beat after such a wait.
    """

    scored: tuple[int, int] = (0, -1)
    came: tuple[int, int] = (0, -1)
    labelled: tuple[int, int] = (0, -1)
    processes: set[str] = set()
    restarts: dict[str, int] = {}
    crashed: dict[str, list[int]] = {}
    awaited: dict[str, int] = {}
    ready: int = 0

    def look(self, reading: Reading) -> None:
        """Take a reading in."""
        counters, now = reading.counters, reading.now
        self.scored = _rose(self.scored, counters.events_in, now)
        self.came = _rose(self.came, counters.events_in + reading.unread, now)
        self.labelled = _rose(self.labelled, counters.labels, now)
        told = reading.beats.get("supervisor", {}) if reading.alive("supervisor") else {}
        named = set(children_of(told))
        if told:
            # What a living supervisor does not run any more need not be there.
            self.processes &= named | {"supervisor", "kafka"}
        self.processes |= {name for name in _BEATING if reading.alive(name)} | (named - set(_WITHOUT_BEAT))
        self._await(reading, told)
        for name in named:
            count = int(told.get(f"{name}_restarts", 0))
            known = self.restarts.get(name, count)
            if count > known:
                self.crashed[name] = [*self.crashed.get(name, []), *([now] * (count - known))]
            self.restarts[name] = count
            self.crashed[name] = [at for at in self.crashed.get(name, []) if at > now - CRASHES_WITHIN_MS]

    def starting(self, name: str, now: int, limits: ConditionSettings) -> bool:
        """Whether a process has given no sign of life since it was started, and may still be loading."""
        allowed = max(limits.start_s, limits.silent_s) * 1000
        return name in self.awaited and now - self.awaited[name] < allowed

    def _await(self, reading: Reading, told: Beat) -> None:
        before, now = self.awaited, reading.now
        self.awaited = {}
        for name in self.processes | {"scorer"}:
            at, started = reading.beats.get(name, {}).get("at"), told.get(f"{name}_started")
            if at is None or (started is not None and int(at) < int(started)):
                # Started again before it ever beat, it is waited for since the first start: a loop of crashes shows.
                self.awaited[name] = min(before.get(name, int(started or now)), now)
        self.ready = now if "scorer" in before.keys() - self.awaited.keys() else min(self.ready, now)


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something is wrong. subject: which one of its kind ("" where there is one only). Texts: one sentence each."""

    kind: str
    severity: Severity
    text_en: str
    text_zh: str
    subject: str = ""
    hold_ms: int = 0
    facts: dict[str, str | int | float] = {}

    @property
    def id(self) -> str:
        """Unique among troubles, and stable."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


Check = Callable[[Reading, Seen, ConditionSettings], list[Trouble]]


def stream_stalled(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """Entries wait and nothing is scored."""
    if seen.starting("scorer", reading.now, limits):
        return []
    since = reading.now - max(seen.scored[0], seen.ready)
    if not limits.stalled_s or not reading.unread or since < limits.stalled_s * 1000:
        return []
    seconds = since // 1000
    return [
        Trouble(
            kind="stream_stalled", severity="S1", facts={"unread": reading.unread, "seconds": seconds},
            text_en=f"{reading.unread} entries wait and nothing was scored for {seconds} s",
            text_zh=f"有 {reading.unread} 条记录等待处理，已有 {seconds} 秒没有任何评分",
        )
    ]  # fmt: skip


def stream_quiet(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """Events used to come, and none does."""
    since = reading.now - seen.came[0]
    if not limits.quiet_min or reading.counters.events_in == 0 or since < limits.quiet_min * MINUTE_MS:
        return []
    minutes = since // MINUTE_MS
    return [
        Trouble(
            kind="stream_quiet", severity="S3", facts={"minutes": minutes},
            text_en=f"No event has come for {minutes} min", text_zh=f"已有 {minutes} 分钟没有任何事件到达",
        )
    ]  # fmt: skip


def labels_missing(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """Payments come and their outcomes do not: nothing can be learnt, and quality cannot be told."""
    since = reading.now - seen.labelled[0]
    flowing = reading.now - seen.came[0] < HOUR_MS
    if not limits.labels_h or not flowing or since < limits.labels_h * HOUR_MS:
        return []
    hours = since // HOUR_MS
    return [
        Trouble(
            kind="labels_missing", severity="S3", facts={"hours": hours},
            text_en=f"No label has come for {hours} h while payments do",
            text_zh=f"交易仍在到达，但已有 {hours} 小时没有收到任何标签",
        )
    ]  # fmt: skip


def list_stale(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """A list is older than it may be."""
    out = []
    for one in reading.lists:
        age = reading.now - one.as_of
        if age > one.max_age:
            hours = age // HOUR_MS
            out.append(
                Trouble(
                    kind="list_stale", subject=one.name, severity="S2", facts={"hours": hours, "list": one.name},
                    text_en=f"List {one.name} is {hours} h old, more than it may be",
                    text_zh=f"名单 {one.name} 已有 {hours} 小时未更新，超过允许时限",
                )
            )  # fmt: skip
    return out


def learner_behind(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """Outcomes wait to be learnt."""
    behind = reading.examples_behind
    if not limits.learner_behind or behind < limits.learner_behind:
        return []
    return [
        Trouble(
            kind="learner_behind", severity="S3", hold_ms=MINUTE_MS, facts={"examples": behind},
            text_en=f"The learner is {behind} examples behind", text_zh=f"学习进程落后 {behind} 个样本",
        )
    ]  # fmt: skip


def process_silent(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """A process that should be there gives no sign of life."""
    out = []
    for name in sorted(seen.processes) if limits.silent_s else ():
        age = reading.age_ms(name)
        if seen.starting(name, reading.now, limits) or (age is not None and age < limits.silent_s * 1000):
            continue
        seconds = -1 if age is None else age // 1000
        out.append(
            Trouble(
                kind="process_silent", subject=name, severity="S1" if name in _VITAL else "S2",
                facts={"seconds": seconds},
                text_en=f"{name} gives no sign of life", text_zh=f"进程 {name} 没有响应",
            )
        )  # fmt: skip
    return out


def process_crashing(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """A process is started again and again."""
    return [
        Trouble(
            kind="process_crashing", subject=name, severity="S2", facts={"restarts": len(moments)},
            text_en=f"{name} was restarted {len(moments)} times in 10 min",
            text_zh=f"进程 {name} 在 10 分钟内重启了 {len(moments)} 次",
        )
        for name, moments in sorted(seen.crashed.items())
        if limits.crashes and len(moments) >= limits.crashes
    ]  # fmt: skip


def disk_nearly_full(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """Checkpoints and the store's log will soon have no room."""
    disk = reading.disk
    if disk is None or not disk.size or disk.free / disk.size >= limits.disk_free:
        return []
    share = disk.free / disk.size
    return [
        Trouble(
            kind="disk_nearly_full", severity="S1" if share < ALMOST_FULL * limits.disk_free else "S2",
            facts={"free_mb": disk.free >> 20, "free_share": round(share, 4)},
            text_en=f"{share:.1%} of the data directory's disk is free ({disk.free >> 20} MB)",
            text_zh=f"数据目录所在磁盘仅剩 {share:.1%}（{disk.free >> 20} MB）",
        )
    ]  # fmt: skip


def store_nearly_full(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """The store refuses writes rather than forget, so it must not fill up."""
    memory = reading.memory
    if memory is None or not limits.store_full or not memory.limit:
        return []
    share = memory.used / memory.limit
    if share < limits.store_full:
        return []
    return [
        Trouble(
            kind="store_nearly_full", severity="S2", facts={"used_mb": memory.used >> 20, "share": round(share, 4)},
            text_en=f"The store uses {share:.0%} of the memory it may use",
            text_zh=f"存储已使用其内存上限的 {share:.0%}",
        )
    ]  # fmt: skip


def kafka_away(reading: Reading, seen: Seen, limits: ConditionSettings) -> list[Trouble]:
    """The brokers of the Kafka topic are away, or say no."""
    beat = reading.beats.get("kafka", {})
    if not limits.kafka_s or not reading.alive("kafka") or not beat.get("trouble"):
        return []
    return [
        Trouble(
            kind="kafka_away", severity="S2", hold_ms=int(limits.kafka_s * 1000),
            facts={"said": str(beat["trouble"])[:200]},
            text_en="The Kafka topic is not being read as it should", text_zh="Kafka 主题读取异常",
        )
    ]  # fmt: skip


CHECKS: tuple[Check, ...] = (
    stream_stalled, stream_quiet, labels_missing, list_stale, learner_behind, process_silent, process_crashing,
    disk_nearly_full, store_nearly_full, kafka_away,
)  # fmt: skip


def store_unreachable(seconds: int, what: str) -> Trouble:
    """No reading can be taken: the store does not answer. what: its error, without secrets."""
    return Trouble(
        kind="store_unreachable", severity="S1", facts={"seconds": seconds, "said": what[:200]},
        text_en=f"The store has not answered for {seconds} s: nothing is scored, shown or paged from it",
        text_zh=f"存储已有 {seconds} 秒没有响应：评分、显示和通知均已停止",
    )  # fmt: skip


def _rose(before: tuple[int, int], count: int, now: int) -> tuple[int, int]:
    return (min(before[0], now), count) if count == before[1] else (now, count)
