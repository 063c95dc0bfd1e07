"""tidegate.toml: one file, decoded into frozen structs; unknown keys are refused with their place.

Every key has a default, so no file is needed to start. Secrets never stand in it: webhook secrets come from files
(mode 0600) or the environment, the store's password from REDIS_URL or REDIS_PASSWORD.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from alerts.emergency.settings import EmergencySettings
from alerts.lifecycle import FourEyes
from alerts.lists.settings import ListSettings
from alerts.notices.facts import Profile
from alerts.receivers.specs import WebhookReceiver
from alerts.rights import Role
from dataflow.cluster.keys import MOST_WORKERS
from dataflow.kafka.settings import KafkaSettings
from dataflow.observe.settings import ObserveSettings
from dataflow.serve.settings import ServeSettings
from models.costs import CostSettings
from models.engine_settings import EngineSettings
from models.errors import SettingsError


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """url: redis://, rediss:// or unix://; empty: REDIS_URL, else the embedded Valkey in the data directory.

    keep_decisions: newest decisions kept for look-up.
    """

    url: str = ""
    keep_decisions: int = 200_000


class FlowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """batch: most entries taken at once, while more wait. workers: processes that share the scorer's work
    (docs/cluster.md), at most 8. epoch_s: seconds between two checkpoints.

    backlog: entries the input stream may hold unread before a feeder waits. evidence: what has reasons also gets its
    features and what a smaller amount would have meant, for the case view; some 2 ms each. shed_after_ms: once entries
    wait longer than this, decisions go without part of that (dataflow/shedding.py); 0: never.
    """

    batch: int = 2048
    workers: Annotated[int, msgspec.Meta(ge=1, le=MOST_WORKERS)] = 1
    epoch_s: float = 5.0
    backlog: int = 20_000
    evidence: bool = True
    shed_after_ms: int = 250


class ConsolePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the console listens, who acts in it by default with which role, and its language (en or zh)."""

    address: str = "127.0.0.1"
    port: int = 8501
    actor: str = "analyst"
    role: Role = "senior"
    language: str = "en"


class SimulatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The simulated world of `tidegate up`: warm-up over past days, then `rate` events a second.

    start_days_ago: where the simulated calendar begins; live events go on from the end of the warm-up.
    """

    seed: int = 1
    customers: int = 5000
    warm_up_days: float = 30.0
    start_days_ago: int = 120
    rate: float = 20.0


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Long work that the console asks for. recordings: folder of recorded streams; empty: `recordings` in the data
    directory. time_limit_s: a job that takes longer is ended.
    """

    recordings: str = ""
    time_limit_s: float = 3600.0


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Receivers of signed webhooks without a routing file, and the console's address as receivers can reach it."""

    receivers: list[WebhookReceiver] = []
    console_url: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of tidegate.toml. data_dir: keys, checkpoints and the embedded store (mode 0700).

    rules: path of a rule pack, empty: the one that ships. fx: path of an FX table, empty: the one that ships.
    routing: path of a routing file, empty: the one that ships, for the webhooks set here.
    """

    data_dir: str = "var"
    rules: str = ""
    fx: str = ""
    routing: str = ""
    store: StoreSettings = StoreSettings()
    flow: FlowSettings = FlowSettings()
    engine: EngineSettings = msgspec.field(default_factory=EngineSettings)
    kafka: KafkaSettings = KafkaSettings()
    console: ConsolePart = ConsolePart()
    simulator: SimulatorSettings = SimulatorSettings()
    serve: ServeSettings = ServeSettings()
    observe: ObserveSettings = ObserveSettings()
    costs: CostSettings = CostSettings()
    jobs: JobSettings = JobSettings()
    four_eyes: FourEyes = FourEyes()
    webhooks: WebhookSettings = msgspec.field(default_factory=WebhookSettings)
    emergency: EmergencySettings = EmergencySettings()
    notices: Profile = msgspec.field(default_factory=Profile)
    lists: ListSettings = msgspec.field(default_factory=ListSettings)

    @property
    def directory(self) -> Path:
        """The data directory, absolute."""
        return Path(self.data_dir).absolute()

    @property
    def recordings(self) -> Path:
        """Where recorded streams for jobs are, absolute."""
        return (
            Path(self.jobs.recordings).absolute() if self.jobs.recordings else self.directory / "recordings"
        )


def load_settings(path: Path | None) -> Settings:
    """Read tidegate.toml; None: `tidegate.toml` here if there is one, else the defaults. Raises SettingsError."""
    if path is None:
        path = Path("tidegate.toml")
        if not path.exists():
            return Settings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Settings)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; leave --config out to use the defaults") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None


def read_resolved(path: Path) -> Settings:
    """Settings as another process wrote them (JSON)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def store_url(settings: Settings) -> str:
    """The configured store's url, or "" when the embedded one is to be used."""
    return settings.store.url or os.environ.get("REDIS_URL", "")
