"""Settings of `tidegate serve`, the table [serve] of tidegate.toml."""

from __future__ import annotations

import ipaddress

import msgspec

from models.decision import Action, Band
from models.errors import SettingsError

DEFAULT_PORT = 8080


class ServeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """address, port: where it listens; port 0: not with `tidegate up`, and on 8080 for `tidegate serve`.

    deadline_ms: how long a caller waits for a decision, unless it asks otherwise (up to longest_deadline_ms).
    fallback_band, fallback_action: the answer when there is none by then. max_body: bytes of a request. max_batch:
    transactions in one. in_flight: events that may wait for their decisions. remember_s: how long an event id is known
    here for a repeated request; the engine knows it for longer. keys_file: API keys, hashed; empty: in the data
    directory. tls_certificate, tls_key: PEM files. plain_http: another address than loopback without TLS, because
    something in front of it has it. grace_s: how long requests may finish after a stop.
    """

    address: str = "127.0.0.1"
    port: int = 0
    deadline_ms: int = 250
    longest_deadline_ms: int = 10_000
    fallback_band: Band = "medium"
    fallback_action: Action = "STEP_UP"
    max_body: int = 1_048_576
    max_batch: int = 500
    in_flight: int = 5_000
    remember_s: int = 3_600
    keys_file: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    plain_http: bool = False
    grace_s: float = 10.0

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach it."""
        if self.address == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


def check(settings: ServeSettings) -> None:
    """Raise SettingsError for values that do not go together."""
    least = {
        "deadline_ms": 1,
        "longest_deadline_ms": 1,
        "max_body": 1024,
        "max_batch": 1,
        "in_flight": 1,
        "remember_s": 1,
    }
    for name, value in least.items():
        if getattr(settings, name) < value:
            raise SettingsError(f"serve.{name} is {getattr(settings, name)}: give {value} or more")
    if not 0 <= settings.port <= 65_535:
        raise SettingsError(f"serve.port is {settings.port}: choose one from 1 to 65535, or 0 for none")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("serve.tls_certificate and serve.tls_key: give both files or neither")
    if not settings.loopback and not settings.tls_certificate and not settings.plain_http:
        raise SettingsError(
            f"serve.address is {settings.address}: keys would cross the network in clear text. Set serve.tls_certificate "
            "and serve.tls_key, or serve.plain_http = true when something in front of it speaks TLS"
        )
