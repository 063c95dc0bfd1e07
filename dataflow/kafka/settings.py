"""The `[kafka]` part of tidegate.toml, and addresses of topics: `kafka://HOST:PORT[,HOST:PORT …]/TOPIC`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from alerts.receivers.secrets import secret_text
from models.errors import SettingsError

SCHEME = "kafka://"
DEFAULT_PORT = 9092
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::([0-9]{1,5}))?")
EXPECTED = "expected kafka://HOST:PORT/TOPIC, several brokers parted by commas"


class KafkaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Topics and how to reach their brokers. Passwords come from files (mode 0600) or the environment only.

    source: kafka://HOST:PORT/TOPIC of protected events; empty: the input stream of the store alone. decisions: a topic on
    the same brokers that decisions are written to; empty: none. start: where a first start begins. partitions: how many
    the topic has, to be set when their number was changed on purpose; 0: as many as the first start found. skip_lost: go
    on when the brokers have deleted what was not read yet, instead of stopping. timeout_s: how long a broker may take.

    tls: encrypt and verify brokers by ca_file (PEM; empty: the system's authorities). certificate_file, key_file: a
    client certificate. sasl: mechanism, with username and one of password_env, password_file.
    """

    source: str = ""
    decisions: str = ""
    start: Literal["earliest", "latest"] = "earliest"
    partitions: int = 0
    skip_lost: bool = False
    timeout_s: float = 10.0
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""
    password_env: str | None = None
    password_file: str | None = None


class Address(NamedTuple):
    """brokers: `host:port` parted by commas, as clients take them."""

    brokers: str
    topic: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.brokers}/{self.topic}"


def address_of(text: str, place: str = "kafka.source") -> Address:
    """Read a topic's address. Raises SettingsError, which does not repeat it: a password may stand in it by mistake."""
    brokers, slash, topic = text.removeprefix(SCHEME).partition("/")
    if "@" in brokers:
        raise SettingsError(
            f"{place}: no user or password in the address; set kafka.username and kafka.password_file"
        )
    found = [_BROKER.fullmatch(one.strip()) for one in brokers.split(",")]
    if not text.startswith(SCHEME) or not slash or not all(found):
        raise SettingsError(f"{place}: the address cannot be read; {EXPECTED}")
    named = [(one[1], int(one[2] or DEFAULT_PORT)) for one in found if one is not None]
    if not all(0 < port < 65536 for _, port in named):
        raise SettingsError(f"{place}: a port lies between 1 and 65535")
    if _TOPIC.fullmatch(topic) is None or topic in (".", ".."):
        raise SettingsError(
            f"{place}: a topic's name has 1 to 249 of the letters a-z, A-Z, 0-9, `.`, `_` and `-`; {EXPECTED}"
        )
    return Address(",".join(f"{host}:{port}" for host, port in named), topic)


def check(settings: KafkaSettings, environ: Mapping[str, str] | None = None) -> None:
    """Raise SettingsError for what cannot work, before anything is started."""
    if settings.source:
        connection(settings, address_of(settings.source), environ)
    elif settings.decisions:
        raise SettingsError("kafka.decisions needs kafka.source: they are topics of the same brokers")
    if settings.decisions:
        if _TOPIC.fullmatch(settings.decisions) is None:
            raise SettingsError("kafka.decisions: the name of a topic, without brokers")
        if settings.source and address_of(settings.source).topic == settings.decisions:
            raise SettingsError("kafka.decisions is the topic events are read from: choose another one")
    if settings.partitions < 0:
        raise SettingsError(f"kafka.partitions is {settings.partitions}: give how many, or 0")
    if not 0.1 <= settings.timeout_s <= 300:
        raise SettingsError(f"kafka.timeout_s is {settings.timeout_s}: choose 0.1 to 300 seconds")


def connection(
    settings: KafkaSettings, address: Address, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """librdkafka's properties for reaching the brokers. Holds secrets: never log it. Raises SettingsError."""
    wait_ms = round(settings.timeout_s * 1000)
    properties: dict[str, Any] = {
        "bootstrap.servers": address.brokers,
        "client.id": "tidegate",
        # Nothing about this machine goes to the brokers unasked.
        "enable.metrics.push": False,
        "socket.timeout.ms": wait_ms,
        "socket.connection.setup.timeout.ms": max(wait_ms, 1000),
        "reconnect.backoff.max.ms": 2000,
        "security.protocol": ("SASL_" if settings.sasl else "") + ("SSL" if settings.tls else "PLAINTEXT"),
    }
    if settings.tls:
        properties |= _tls(settings)
    elif settings.ca_file or settings.certificate_file or settings.key_file:
        raise SettingsError("kafka: files of certificates are set, but tls is false; set kafka.tls = true")
    if settings.sasl:
        if not settings.username:
            raise SettingsError("kafka.sasl needs kafka.username")
        if not settings.tls and not all(map(_loopback, address.brokers.split(","))):
            raise SettingsError(
                "kafka.sasl without kafka.tls would send the password's proof in the clear; set kafka.tls = true"
            )
        password = secret_text("kafka", settings.password_env, settings.password_file, environ, "password")
        properties |= {
            "sasl.mechanism": settings.sasl, "sasl.username": settings.username, "sasl.password": password
        }  # fmt: skip
    elif settings.username or settings.password_env or settings.password_file:
        raise SettingsError("kafka: a user is set, but no kafka.sasl mechanism")
    return properties


def _tls(settings: KafkaSettings) -> dict[str, Any]:
    properties: dict[str, Any] = {"ssl.endpoint.identification.algorithm": "https"}
    for name, prop in (("ca_file", "ca"), ("certificate_file", "certificate"), ("key_file", "key")):
        path = getattr(settings, name)
        if not path:
            continue
        try:
            mode = Path(path).stat().st_mode
        except OSError as error:
            raise SettingsError(f"kafka.{name}: {path}: {error.strerror}") from None
        if name == "key_file" and mode & 0o077:
            raise SettingsError(f"kafka.key_file: {path} can be read by others; chmod 600 it")
        properties[f"ssl.{prop}.location"] = path
    if bool(settings.certificate_file) != bool(settings.key_file):
        raise SettingsError("kafka: a client certificate needs both certificate_file and key_file")
    return properties


def _loopback(broker: str) -> bool:
    host = broker.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
