"""Packages that only some comparisons need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from models.errors import SettingsError


def needed(package: str, remedy: str) -> Any:
    """The package; SettingsError with the remedy where it is not installed."""
    try:
        return import_module(package)
    except ImportError as error:
        raise SettingsError(f"this comparison needs the package {package} ({error}): {remedy}") from None
