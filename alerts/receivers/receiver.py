"""What every receiver is: it sends one message once and knows what the answer means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx

from alerts.receivers.message import Message
from alerts.receivers.post import Answer, Outgoing, Resolve, post
from alerts.receivers.specs import Language, Spec

Verdict = Literal["delivered", "busy", "refused", "hopeless", "gone"]
"""delivered: taken. busy: the receiver is in trouble, all of its messages wait. refused: this message failed and
is tried again. hopeless: it can never succeed. gone: the receiver wants no more, ever."""


class Wire(NamedTuple):
    """What sending needs of the outside."""

    client: httpx.Client
    resolve: Resolve


class Receiver(Protocol):
    """One configured receiver. place: its address as logs may show it."""

    spec: Spec
    place: str

    def send(self, message: Message, now: int, wire: Wire) -> Answer:
        """Send once; whatever goes wrong outside is an Answer."""

    def verdict(self, answer: Answer) -> Verdict:
        """What the answer means for this message and for the others."""


class HttpReceiver(ABC):
    """A receiver that is one POST; a subclass says what is posted."""

    spec: Spec
    place: str

    @abstractmethod
    def prepare(self, message: Message, now: int) -> Outgoing:
        """The request of one attempt. Pure."""

    def send(self, message: Message, now: int, wire: Wire) -> Answer:
        return post(wire.client, self.prepare(message, now), wire.resolve)

    def verdict(self, answer: Answer) -> Verdict:
        return http_verdict(answer)

    @property
    def language(self) -> Language:
        """The language its messages are written in."""
        return self.spec.language or self.spec.speaks


def http_verdict(answer: Answer) -> Verdict:
    """By status: 2xx, 410, trouble (no answer, 429, 5xx), anything else."""
    if answer.status is None or answer.status == 429 or answer.status >= 500:
        return "busy"
    if 200 <= answer.status < 300:
        return "delivered"
    return "gone" if answer.status == 410 else "refused"


def place_of(url: str, path: bool = True) -> str:
    """An address for logs: never the query, and the path only where it holds no token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path if path else ''}"
