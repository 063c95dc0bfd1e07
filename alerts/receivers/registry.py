"""Every kind of receiver: the settings it is made of and the class that sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.receivers.chat import DingTalk, Lark, Slack, WeCom
from alerts.receivers.mail import Mail
from alerts.receivers.pagerduty import PagerDuty
from alerts.receivers.receiver import Receiver
from alerts.receivers.specs import (
    DingTalkSpec,
    EmailSpec,
    LarkSpec,
    PagerDutySpec,
    SlackSpec,
    Spec,
    WebhookSpec,
    WeComSpec,
)
from alerts.receivers.webhook import Webhook

KINDS: dict[type[Spec], Any] = {
    WebhookSpec: Webhook,
    PagerDutySpec: PagerDuty,
    SlackSpec: Slack,
    LarkSpec: Lark,
    DingTalkSpec: DingTalk,
    WeComSpec: WeCom,
    EmailSpec: Mail,
}


def receiver_of(spec: Spec, environ: Mapping[str, str] | None = None) -> Receiver:
    """The receiver of these settings. Raises SettingsError, naming the receiver."""
    made: Receiver = KINDS[type(spec)](spec, environ)
    return made
