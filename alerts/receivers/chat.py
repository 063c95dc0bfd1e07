"""Chats: Slack, Feishu/Lark, DingTalk and WeCom, each by its incoming webhook.

Their urls carry the token that lets anybody post, so they are secrets. All but Slack answer 200 also when they
refuse, with a code in the body; and none of them knows message ids, so a message whose answer was lost may appear
twice. Its id stands in its last line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from alerts.receivers.message import Message, lines, title
from alerts.receivers.post import Answer, Outgoing
from alerts.receivers.receiver import HttpReceiver, Verdict, http_verdict, place_of
from alerts.receivers.secrets import checked_url, secret_text
from alerts.receivers.specs import ChatSpec
from models.errors import SettingsError


class Chat(HttpReceiver):
    """What the chats share. longest: bytes of text they take. busy: codes in the body of an answer that mean "later".

    mentions: a `<` in plain text can call people to the chat; no text of ours may.
    """

    longest: ClassVar[int] = 3000
    code_fields: ClassVar[tuple[str, ...]] = ()
    busy: ClassVar[frozenset[int]] = frozenset()
    signs: ClassVar[bool] = False
    mentions: ClassVar[bool] = False

    def __init__(self, spec: ChatSpec, environ: Mapping[str, str] | None = None) -> None:
        place = f"receiver {spec.name}"
        self.spec: ChatSpec = spec
        url = secret_text(place, spec.url_env, spec.url_file, environ, "url")
        self._url = checked_url(place, url, spec.allow_private)
        self.place = place_of(self._url, path=False)
        self._secret = ""
        if spec.secret_env is not None or spec.secret_file is not None:
            if not self.signs:
                raise SettingsError(f"{place}: this kind signs nothing; leave the secret out")
            self._secret = secret_text(place, spec.secret_env, spec.secret_file, environ)

    def prepare(self, message: Message, now: int) -> Outgoing:
        head = title(message, self.language)
        text = cut("\n".join([*lines(message, self.language), message.intent.id]), self.longest)
        if self.mentions:
            head, text = (part.replace("<", "‹") for part in (head, text))
        return Outgoing(
            url=self._address(now),
            body=msgspec.json.encode(self._body(head, text, now)),
            headers={"content-type": "application/json"},
            allow_private=self.spec.allow_private,
            reads=bool(self.code_fields),
        )

    def verdict(self, answer: Answer) -> Verdict:
        verdict = http_verdict(answer)
        if verdict not in ("delivered", "refused") or not self.code_fields:
            return verdict
        found = self.code(answer)
        if found in self.busy or "too many request" in answer.text:
            return "busy"
        if verdict == "refused" or found == 0:
            return verdict
        return "busy" if found is None else "refused"

    def code(self, answer: Answer) -> int | None:
        """The code in the body; None: there is none that can be read."""
        try:
            body = msgspec.json.decode(answer.text)
        except (msgspec.DecodeError, UnicodeError):
            return None
        for field in self.code_fields:
            if isinstance(body, dict) and isinstance(body.get(field), int):
                return int(body[field])
        return None

    def _address(self, now: int) -> str:
        return self._url

    @abstractmethod
    def _body(self, head: str, text: str, now: int) -> dict[str, Any]:
        """The body to post. head: one line; text: the rest; now: ms."""


class Slack(Chat):
    """Slack's incoming webhooks: `text` in mrkdwn, in which three characters are escaped."""

    def _body(self, head: str, text: str, now: int) -> dict[str, Any]:
        escaped = f"*{head}*\n{text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": escaped}


class Lark(Chat):
    """Feishu and Lark custom bots: plain text; signed with `timestamp\\nsecret` (seconds) as the key over nothing.

    Their guide for custom bots: 100 messages a minute, 5 a second, 20 KB; 11232 when there are more, and 400 with code
    9499 "too many request". `<at user_id="all">` in a text calls everybody.
    """

    code_fields = ("code", "StatusCode")
    busy = frozenset({11232, 99991400})
    signs = True
    mentions = True

    def _body(self, head: str, text: str, now: int) -> dict[str, Any]:
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": f"{head}\n{text}"}}
        if self._secret:
            seconds = str(now // 1000)
            key = f"{seconds}\n{self._secret}".encode()
            sign = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
            body |= {"timestamp": seconds, "sign": sign}
        return body


class DingTalk(Chat):
    """DingTalk custom robots: plain text; signed over `timestamp\\nsecret`, in milliseconds, in the query.

    Twenty messages a minute; more (130101) and it takes none for ten minutes.
    """

    code_fields = ("errcode",)
    busy = frozenset({-1, 130101})
    signs = True

    def _address(self, now: int) -> str:
        if not self._secret:
            return self._url
        digest = hmac.new(self._secret.encode(), f"{now}\n{self._secret}".encode(), hashlib.sha256).digest()
        sign = quote(base64.b64encode(digest), safe="")
        return f"{self._url}{'&' if '?' in self._url else '?'}timestamp={now}&sign={sign}"

    def _body(self, head: str, text: str, now: int) -> dict[str, Any]:
        return {"msgtype": "text", "text": {"content": f"{head}\n{text}"}}


class WeCom(Chat):
    """WeCom group robots: plain text of at most 2048 bytes, 20 messages a minute. `<@userid>` in a text calls people."""

    longest = 1600
    code_fields = ("errcode",)
    busy = frozenset({-1, 45009})
    mentions = True

    def _body(self, head: str, text: str, now: int) -> dict[str, Any]:
        return {"msgtype": "text", "text": {"content": cut(f"{head}\n{text}", 2048)}}


def cut(text: str, longest: int) -> str:
    """`text` in at most `longest` bytes of UTF-8; the last line, which holds the id, stays."""
    if len(text.encode()) <= longest:
        return text
    rest, _, last = text.rpartition("\n")
    room = max(longest - len(last.encode()) - len("…\n".encode()), 0)
    return f"{rest.encode()[:room].decode('utf-8', 'ignore')}…\n{last}"
