"""The `[observe]` part of tidegate.toml: metrics, traces and the limits of Tidegate's own condition."""

from __future__ import annotations

import msgspec

from alerts.condition.reading import ConditionSettings


class ObserveSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """address, port: where metrics are served; port 0: none.

    traces: base address of an OpenTelemetry collector (OTLP over HTTP); "": none.

    condition: see ConditionSettings.
    """

    address: str = "127.0.0.1"
    port: int = 9464
    traces: str = ""
    condition: ConditionSettings = ConditionSettings()
