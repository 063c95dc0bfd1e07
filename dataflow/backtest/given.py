"""What is proposed, as people write it: band edges in words or a file, a model as a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.keyring import KeyRing, keyring_path
from alerts.custody.signing import SIGNATURE_BYTES
from models.errors import SettingsError, SnapshotError
from models.risk import Thresholds
from models.rules.origin import Origin, did_you_mean
from models.rules.toml_places import places
from models.serving import Snapshot
from models.snapshot import MAGIC

_FIELDS = Thresholds.__struct_fields__
_MAX_MODEL_BYTES = 1 << 30


def thresholds_of(text: str, base: Thresholds) -> Thresholds:
    """Band edges: `medium=0.05,high=0.3`, or a TOML file with the same keys, at its top or in [engine.thresholds].

    What is not given stays as in `base`. Raises SettingsError that names the place.
    """
    if "=" in text and not Path(text).exists():
        return _changed(dict(map(_pair, text.split(","))), base, "--thresholds")
    path = Path(text)
    try:
        source = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        document = tomllib.loads(source)
    except OSError as error:
        raise SettingsError(
            f"{text}: cannot be read ({error.strerror}); give a TOML file, or medium=…,high=…,critical=…"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{text}: not valid TOML: {error}") from None
    inside: tuple[str, ...] = ("engine", "thresholds") if "engine" in document else ()
    found: Any = document
    for name in inside:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not found:
        raise SettingsError(
            f"{text}: no band edges at the top nor in [engine.thresholds]; give medium, high, critical"
        )
    unknown = next((key for key in found if key not in _FIELDS), None)
    if unknown is not None:
        spots = places(source)
        at = spots[(*inside, unknown)].key if (*inside, unknown) in spots else 0
        hint = did_you_mean(unknown, _FIELDS)
        message = Origin(text, source).error(at, f"there is no threshold {unknown!r}{hint}")
        raise SettingsError(str(message))
    return _changed(found, base, text)


def _pair(part: str) -> tuple[str, Any]:
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not equals or name not in _FIELDS:
        raise SettingsError(
            f"--thresholds: {part.strip()!r} is no NAME=VALUE of {', '.join(_FIELDS)}{did_you_mean(name, _FIELDS)}"
        )
    if name.endswith("_action"):
        return name, value.upper()
    try:
        return name, float(value)
    except ValueError:
        raise SettingsError(f"--thresholds: {name} is {value!r}: give a number between 0 and 1") from None


def _changed(given: dict[str, Any], base: Thresholds, place: str) -> Thresholds:
    try:
        return msgspec.convert({**msgspec.to_builtins(base), **given}, Thresholds)
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"{place}: {error}") from None


def snapshot_of(path: Path, data_directory: Path) -> Snapshot:
    """A model from a file, with its signature in front or plain. Raises SnapshotError.

    A signature must be that of the key ring of `data_directory`; a plain snapshot is checked by its checksum.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_MODEL_BYTES + 1)
    except OSError as error:
        raise SnapshotError(
            f"{path}: cannot be read ({error.strerror}); check the path and its rights"
        ) from None
    if len(data) > _MAX_MODEL_BYTES:
        raise SnapshotError(f"{path}: more than {_MAX_MODEL_BYTES} bytes, this is no model snapshot")
    if not data.startswith(MAGIC) and data[SIGNATURE_BYTES:].startswith(MAGIC):
        ring = keyring_path(data_directory)
        if not ring.exists():
            raise SnapshotError(
                f"{path}: signed, but {ring} is not there to check it with; name that installation's settings "
                "with --config"
            )
        if not KeyRing.load(ring).signer("model").verify(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES]):
            raise SnapshotError(
                f"{path}: not signed with the key of {ring}; take the snapshot of this installation"
            )
        data = data[SIGNATURE_BYTES:]
    try:
        return Snapshot.from_bytes(data)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None
