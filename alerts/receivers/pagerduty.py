"""PagerDuty, Events API v2: one incident a group, opened, acknowledged and resolved under one dedup_key.

Fields and limits after PagerDuty's published field table ("Send an Alert Event"): summary 1024 characters, dedup_key
255; severity critical, error, warning or info.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.receivers.message import Message, iso, line, link_of, shown_facts, shown_labels, title
from alerts.receivers.post import Answer, Outgoing
from alerts.receivers.receiver import HttpReceiver, Verdict, http_verdict, place_of
from alerts.receivers.secrets import checked_url, secret_text
from alerts.receivers.specs import PagerDutySpec
from alerts.routing.reasons import code
from models.errors import SettingsError

_ACTION = {"open": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_SEVERITY = {"S1": "critical", "S2": "error", "S3": "warning", "S4": "info"}
SUMMARY = 1024
KEY_LENGTH = 32


class PagerDuty(HttpReceiver):
    """See PagerDutySpec. Raises SettingsError for a routing key that is none."""

    def __init__(self, spec: PagerDutySpec, environ: Mapping[str, str] | None = None) -> None:
        place = f"receiver {spec.name}"
        self.spec: PagerDutySpec = spec
        self.place = place_of(checked_url(place, spec.url, spec.allow_private))
        self._key = secret_text(place, spec.secret_env, spec.secret_file, environ)
        if len(self._key) != KEY_LENGTH:
            raise SettingsError(f"{place}: a routing key has {KEY_LENGTH} characters; this is another secret")

    def prepare(self, message: Message, now: int) -> Outgoing:
        return Outgoing(
            url=self.spec.url,
            body=msgspec.json.encode(self.event(message)),
            headers={"content-type": "application/json"},
            allow_private=self.spec.allow_private,
        )

    def event(self, message: Message) -> dict[str, Any]:
        """The event. A retry of a trigger carries the same dedup_key, so that it opens nothing new."""
        intent = message.intent
        event: dict[str, Any] = {
            "routing_key": self._key,
            "event_action": _ACTION[intent.says],
            "dedup_key": f"tidegate.{intent.thread or intent.id}",
        }
        if intent.says != "open":
            return event
        details: dict[str, Any] = {
            "message_id": intent.id,
            "reason": code(intent.reason),
            "by_severity": intent.counts,
            "labels": shown_labels(intent.group),
            "worst": [line(message, change, self.language) for change in intent.subjects],
        }
        if intent.total == 1:
            details["facts"] = shown_facts(intent.subjects[0])
        event["client"] = "Tidegate"
        event["payload"] = {
            "summary": title(message, self.language)[:SUMMARY],
            "source": "tidegate",
            "severity": _SEVERITY[intent.worst],
            "timestamp": iso(intent.at),
            "component": "fraud monitor",
            "class": intent.subjects[0].kind if intent.subjects else "summary",
            "custom_details": details,
        }
        if message.console_url:
            link = (
                link_of(intent.subjects[0], message.console_url) if intent.subjects else message.console_url
            )
            event["client_url"] = message.console_url
            event["links"] = [{"href": link, "text": "Tidegate"}]
        return event

    def verdict(self, answer: Answer) -> Verdict:
        # 400: the event itself is not valid. It will not become so by being sent again.
        return "hopeless" if answer.status == 400 else http_verdict(answer)
