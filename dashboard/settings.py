"""What the console is told at start: one JSON file without secrets, named by the variable TIDEGATE_CONSOLE.

Without the file the console reads the store at REDIS_URL and takes the defaults below. A password is never in
the file: it comes from TIDEGATE_STORE_PASSWORD (and TIDEGATE_STORE_USER) or is part of REDIS_URL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from alerts.lifecycle import FourEyes
from alerts.lists.settings import ListSettings
from alerts.notices.facts import Profile
from alerts.rights import Role
from models.errors import SettingsError

Language = Literal["en", "zh"]


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lower edges of the risk bands, probabilities in [0, 1]."""

    medium: float = 0.2
    high: float = 0.5
    critical: float = 0.85


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts as good: latency in ms, lag in seconds, dead letters as a share of the events."""

    latency_p99_ms: float = 50.0
    lag_seconds: float = 5.0
    dead_letter_share: float = 0.001


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minutes within which an alert of each severity has to be taken up."""

    S1: int = 5
    S2: int = 10
    S3: int = 30
    S4: int = 240

    def minutes(self, severity: str) -> int:
        """The limit for one severity."""
        return int(getattr(self, severity))


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module's docstring. rules: path of the rule pack to show runbooks of; None: the default.

    plans: folder of the emergency plan; empty: the examples that ship. notices: whom we owe notices of incidents. lists:
    exchanges of shared indicators; their keys stay in their files.
    settle_after_ms: time after which an unlabelled payment counts as legitimate.
    freeze: no live refresh and the stream's clock instead of the wall clock, for repeatable pictures.
    """

    store_url: str = ""
    actor: str = "analyst"
    role: Role = "senior"
    language: Language = "en"
    thresholds: Thresholds = Thresholds()
    budgets: Budgets = Budgets()
    sla_minutes: Acknowledge = Acknowledge()
    four_eyes: FourEyes = FourEyes()
    rules: str | None = None
    plans: str = ""
    notices: Profile = Profile()
    lists: ListSettings = ListSettings()
    settle_after_ms: int = 864_000_000
    freeze: bool = False


def load_settings(environment: dict[str, str] | None = None) -> ConsoleSettings:
    """Settings from the file TIDEGATE_CONSOLE names, else defaults around REDIS_URL.

    Raises SettingsError with the path and the place inside the file.
    """
    env = dict(os.environ) if environment is None else environment
    path = env.get("TIDEGATE_CONSOLE")
    settings = ConsoleSettings()
    if path:
        try:
            settings = msgspec.json.decode(Path(path).read_bytes(), type=ConsoleSettings)
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be read ({error.strerror}); TIDEGATE_CONSOLE names it"
            ) from None
        except msgspec.DecodeError as error:
            raise SettingsError(f"{path}: {error}") from None
    if not settings.store_url:
        url = env.get("REDIS_URL", "")
        if not url:
            raise SettingsError(
                "no store is named: set REDIS_URL, for example unix:///run/tidegate/store.sock, "
                "or start the console with `tidegate up`"
            )
        settings = msgspec.structs.replace(settings, store_url=url)
    return settings


def with_password(url: str, environment: dict[str, str] | None = None) -> str:
    """The store's address with the password of TIDEGATE_STORE_PASSWORD put in, unless it has one already."""
    env = dict(os.environ) if environment is None else environment
    password = env.get("TIDEGATE_STORE_PASSWORD")
    parts = urlsplit(url)
    if not password or "@" in parts.netloc:
        return url
    user = quote(env.get("TIDEGATE_STORE_USER", ""), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc}"))
