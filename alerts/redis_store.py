"""The Store on Redis or Valkey. Keys are listed in redis_reading.py, what runs in the server is in lua/."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from alerts.alert import MAX_EVENTS_KEPT, MERGE_WINDOW_MS, Severity
from alerts.audit_trail import RedisAudit, arguments_of
from alerts.case_work import CaseWork, Swap
from alerts.deadlines import acknowledge_ms, warn_ms
from alerts.decision_index import GENERATION, KINDS
from alerts.due_list import RedisDue, schedule_of
from alerts.fraud_cases import RedisCases
from alerts.lifecycle import FourEyes
from alerts.lists.keeping import RedisLists
from alerts.redis_commits import RedisCommits
from alerts.redis_jobs import RedisJobs
from alerts.redis_reading import fields_of
from alerts.redis_scripts import Argument
from alerts.response.documents import RedisResponse
from alerts.response.traces import RedisTraces
from alerts.routing.state_store import RedisRouting
from alerts.rule_snoozes import RedisSnoozes
from models.errors import StoreError

DAY_S = 24 * 3600


class RedisStore(
    CaseWork,
    RedisCases,
    RedisSnoozes,
    RedisDue,
    RedisJobs,
    RedisAudit,
    RedisCommits,
    RedisResponse,
    RedisTraces,
    RedisRouting,
    RedisLists,
):
    """See alerts.store.Store for the meaning of each call; every failure is a StoreError.

    url, prefix, protocol, same_server: see RedisLink. keep_decisions: newest decisions kept for lookup and the gateway;
    keep_of_entity: most that are told of one entity. Minutes are kept for `minute_days`. Alerts and the audit trail are
    never dropped. four_eyes: which verdicts need a second person.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "tg:",
        protocol: Literal[2, 3] = 2,
        keep_decisions: int = 200_000,
        keep_of_entity: int = 100,
        keep_dead: int = 50_000,
        minute_days: int = 45,
        four_eyes: FourEyes | None = None,
        same_server: bool = False,
    ) -> None:
        super().__init__(url, prefix, protocol, same_server)
        self.four_eyes = four_eyes or FourEyes()
        self._keep = keep_decisions
        self._keep_of_entity = keep_of_entity
        self._limits = {
            "keep": keep_decisions,
            "keep_dead": keep_dead,
            "keep_minutes": minute_days * 24 * 60,
            "minute_ttl": minute_days * DAY_S,
            "generation": GENERATION,
            "kinds": KINDS,
            "merge_window": MERGE_WINDOW_MS,
            "max_events": MAX_EVENTS_KEPT,
            "acknowledge": {severity: acknowledge_ms(severity) for severity in get_args(Severity)},
            "warn": {severity: warn_ms(severity) for severity in get_args(Severity)},
        }

    # the scorer, beside alerts/redis_commits.py

    def wait_durable(self, timeout_ms: int = 5000) -> None:
        """Return when everything written so far is on the server's disk; raises StoreError when it is not.

        The log is in order, so one more write on this connection stands for all writes before it, whichever
        connection they came by. Needs an append-only file and Redis 7.2 or Valkey.
        """
        on_disk, _ = self._many([("INCR", self._key("flushes")), ("WAITAOF", 1, 0, timeout_ms)])[1]
        if on_disk < 1:
            raise StoreError(
                f"{self._link.where}: not on disk within {timeout_ms} ms: check the server's disk and its "
                "appendfsync setting"
            )

    # people

    def _swap(self, swap: Swap) -> bool:
        before, after = swap.before, swap.after
        old, new = fields_of(before), fields_of(after)
        changed = [part for name, text in new.items() if old.get(name) != text for part in (name, text)]
        gone = [name for name in old if name not in new]
        if before.status != after.status:
            gone.append("learned")  # the learner may have set it since the alert was read
        taken = after.fingerprint if before.status == "resolved" != after.status else ""
        by, bell = ("" if moment is None else moment for moment in schedule_of(after))
        entry = ["0"] if swap.entry is None else ["1", *arguments_of(swap.entry)]
        arguments: list[Argument] = [
            before.id, before.version, after.status, after.fingerprint if after.status == "resolved" else "", taken,
            by, bell, len(changed) // 2, *changed, len(gone), *gone, *entry,
        ]  # fmt: skip
        arguments += [part for pair in swap.labels for part in pair]
        answer: bytes = self._run("act", arguments)
        return answer == b"ok"

    def mark_learned(self, transaction_ids: list[str]) -> None:
        for start in range(0, len(transaction_ids), 500):
            self._run("learned", list(transaction_ids[start : start + 500]))

    # processes

    def beat(self, process: str, status: dict[str, str | int | float], now: int) -> None:
        self._one("HSET", self._key("beats"), process, msgspec.json.encode({**status, "at": now}))
