"""Receivers as settings: a tagged union by `type`. No secret stands here, only where it is.

A new kind of receiver is a struct here, a class beside this file and a line in registry.py.
"""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar, Literal

import msgspec

from alerts.alert import Severity
from alerts.routing.matching import length_ms
from models.errors import SettingsError

Language = Literal["en", "zh"]
_RATE = re.compile(r"(\d{1,6})/(\S+)")


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """What all receivers have.

    send_resolved, send_acknowledged: whether they hear of that; None: the kind's habit (on-call services do,
    people do not). rate: as in `20/1m`, most notifications in a time; what is over it becomes one summary;
    empty: the kind's habit, `none`: no limit. allow_private: it may live on a private, loopback or link-local
    address. identity: what message ids are derived from; empty: the name.
    """

    name: str
    send_resolved: bool | None = None
    send_acknowledged: bool | None = None
    rate: str = ""
    allow_private: bool = False
    language: Language | None = None
    identity: str = ""

    threaded: ClassVar[bool] = False
    """It keeps one thing open for a group from its first page until it is resolved."""
    speaks: ClassVar[Language] = "en"
    usual_rate: ClassVar[str] = "none"
    """A little below what the service takes; beyond that it takes nothing for a while."""

    @property
    def hears_resolved(self) -> bool:
        return self.threaded if self.send_resolved is None else self.send_resolved

    @property
    def hears_acknowledged(self) -> bool:
        return self.threaded if self.send_acknowledged is None else self.send_acknowledged

    @property
    def known_as(self) -> str:
        """What ids of messages to it are derived from."""
        return self.identity or self.name

    def most(self) -> tuple[int, int] | None:
        """Most notifications, and in how many ms. None: no limit. Raises SettingsError."""
        rate = self.rate or self.usual_rate
        if rate == "none":
            return None
        form = _RATE.fullmatch(rate)
        if form is None or int(form[1]) < 1 or not (per := length_ms(form[2], f"receiver {self.name}: rate")):
            raise SettingsError(f"receiver {self.name}: rate is {self.rate!r}; write it as 20/1m, or none")
        return int(form[1]), per


class WebhookSpec(Spec, frozen=True, tag="webhook"):
    """A Standard Webhooks endpoint; secrets as in WebhookReceiver."""

    url: str
    secret_env: str | None = None
    secret_file: str | None = None


class PagerDutySpec(Spec, frozen=True, tag="pagerduty"):
    """PagerDuty Events API v2. secret: the integration's routing key. url: another region's door."""

    secret_env: str | None = None
    secret_file: str | None = None
    url: str = "https://events.pagerduty.com/v2/enqueue"

    threaded: ClassVar[bool] = True


class ChatSpec(Spec, frozen=True):
    """A chat's incoming webhook. Its url carries the token, so it is a secret like any other.

    secret: the key that signs, where the chat asks for one.
    """

    url_env: str | None = None
    url_file: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None


class SlackSpec(ChatSpec, frozen=True, tag="slack"):
    """Slack, an incoming webhook."""

    usual_rate: ClassVar[str] = "50/1m"


class LarkSpec(ChatSpec, frozen=True, tag="lark"):
    """Feishu or Lark, a custom bot."""

    usual_rate: ClassVar[str] = "80/1m"
    speaks: ClassVar[Language] = "zh"


class DingTalkSpec(ChatSpec, frozen=True, tag="dingtalk"):
    """DingTalk, a custom robot."""

    usual_rate: ClassVar[str] = "18/1m"
    speaks: ClassVar[Language] = "zh"


class WeComSpec(ChatSpec, frozen=True, tag="wecom"):
    """WeCom, a group robot."""

    usual_rate: ClassVar[str] = "18/1m"
    speaks: ClassVar[Language] = "zh"


class EmailSpec(Spec, frozen=True, tag="email"):
    """Mail over TLS. tls: `starttls` (port 587) or `tls` from the first byte (port 465).

    user and secret: where the server asks for them. ca_file: a private authority.
    """

    host: str
    sender: str
    to: list[str]
    port: int = 587
    tls: Literal["starttls", "tls"] = "starttls"
    user: str = ""
    secret_env: str | None = None
    secret_file: str | None = None
    ca_file: str = ""

    usual_rate: ClassVar[str] = "20/1m"


AnySpec = WebhookSpec | PagerDutySpec | SlackSpec | LarkSpec | DingTalkSpec | WeComSpec | EmailSpec


class WebhookReceiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A webhook that is set in tidegate.toml and hears every alert of a severity, without a routing file.

    url: https, or http together with allow_private. The signing secret (`whsec_` and base64, several
    separated by blanks while one replaces another) stands in the environment variable `secret_env` or in
    `secret_file`, a file only its owner can read. min_severity: S1 hears pages only, S4 hears everything.
    """

    url: str
    secret_env: str | None = None
    secret_file: str | None = None
    min_severity: Severity = "S2"
    allow_private: bool = False

    def spec(self) -> WebhookSpec:
        """The same as a receiver of a routing file, under a name derived from the url."""
        return WebhookSpec(
            name="webhook-" + hashlib.sha256(self.url.encode()).hexdigest()[:8],
            url=self.url,
            secret_env=self.secret_env,
            secret_file=self.secret_file,
            allow_private=self.allow_private,
            identity=self.url,
        )


def digest(spec: Spec) -> str:
    """Changes whenever the receiver's settings change."""
    return hashlib.sha256(msgspec.json.encode(spec)).hexdigest()[:16]
