"""Recorded streams: the JSONL file, its ground truth and the manifest that says what is in them.

    STREAM.jsonl[.gz]           events, one a line
    STREAM.jsonl[.gz].truth     Truth lines: which events truly belong to a fraud
    STREAM.jsonl[.gz].manifest.json

Digests are over the uncompressed bytes; a .gz holds no time and no name, so equal streams give equal files.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import msgspec

from dataflow.simulate import Simulator, Truth
from dataflow.simulation.rhythm import DAY_MS
from models.errors import SettingsError
from models.events import SCHEMA_VERSION, Label, Transaction, encode

_encoder = msgspec.json.Encoder()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a recorded stream holds and how to make it again.

    events: counts by type. frauds, fraud_behaviours: true fraud events by typology. campaigns: by scenario,
    those with at least one event in the stream. labels: by source. start and received_at are in ms.
    sha256, truth_sha256: of the uncompressed lines. schema: version of the event vocabulary.
    """

    schema: int
    seed: int
    customers: int
    start: int
    days: float
    rate_scale: float
    scenarios: tuple[str, ...] | None
    events: dict[str, int]
    frauds: dict[str, int]
    fraud_behaviours: dict[str, int]
    campaigns: dict[str, int]
    labels: dict[str, int]
    declined: int
    first_received_at: int | None
    last_received_at: int | None
    sha256: str
    truth_sha256: str


def truth_path(path: Path) -> Path:
    """Where the ground truth of the stream at `path` is."""
    return path.with_name(path.name + ".truth")


def manifest_path(path: Path) -> Path:
    """Where the manifest of the stream at `path` is."""
    return path.with_name(path.name + ".manifest.json")


def write_stream(
    path: Path, simulator: Simulator, days: float, progress: Callable[[float], None] | None = None
) -> Manifest:
    """Write the first `days` days of `simulator` to `path`, truth and manifest beside it.

    progress: called now and then with the days written so far. Raises SettingsError for another ending or
    days that are not above 0. OSError goes through.
    """
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise SettingsError(
            f"{path}: a stream is written as .jsonl or .jsonl.gz, choose one of these endings"
        )
    if not days > 0:
        raise SettingsError(f"days is {days}: choose a number above 0")
    types: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    frauds: Counter[str] = Counter()
    acts: Counter[str] = Counter()
    campaigns: dict[str, str] = {}
    pending: list[Truth] = []
    digest, truth_digest = hashlib.sha256(), hashlib.sha256()
    first = last = None
    declined = 0
    simulator_truth, simulator.truth = simulator.truth, pending.append
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(_opened(path))
            truths = stack.enter_context(truth_path(path).open("wb"))
            for number, event in enumerate(simulator.events(days)):
                if progress is not None and number % 1024 == 0:
                    progress((event.received_at - simulator.start) / DAY_MS)
                line = encode(event) + b"\n"
                digest.update(line)
                stream.write(line)
                types[type(event).__name__.lower()] += 1
                first = event.received_at if first is None else first
                last = event.received_at
                if isinstance(event, Label):
                    sources[event.source] += 1
                elif isinstance(event, Transaction) and event.authorisation == "declined":
                    declined += 1
                for truth in pending:
                    (frauds if truth.kind == "transaction" else acts)[truth.typology] += 1
                    campaigns[truth.campaign] = truth.scenario
                    truth_line = _encoder.encode(truth) + b"\n"
                    truth_digest.update(truth_line)
                    truths.write(truth_line)
                pending.clear()
    finally:
        simulator.truth = simulator_truth
    manifest = Manifest(
        schema=SCHEMA_VERSION,
        seed=simulator.seed,
        customers=simulator.customers,
        start=simulator.start,
        days=days,
        rate_scale=simulator.rate_scale,
        scenarios=simulator.scenarios,
        events=_sorted(types),
        frauds=_sorted(frauds),
        fraud_behaviours=_sorted(acts),
        campaigns=_sorted(Counter(campaigns.values())),
        labels=_sorted(sources),
        declined=declined,
        first_received_at=first,
        last_received_at=last,
        sha256=digest.hexdigest(),
        truth_sha256=truth_digest.hexdigest(),
    )
    manifest_path(path).write_bytes(msgspec.json.format(_encoder.encode(manifest), indent=2) + b"\n")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """The manifest of the stream at `path`. Raises SettingsError if it is missing or of another form."""
    place = manifest_path(path)
    try:
        return msgspec.json.decode(place.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise SettingsError(
            f"{place}: no manifest there; write the stream again with `tidegate simulate`"
        ) from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"{place}: {error}; write the stream again with `tidegate simulate`") from None


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a recorded stream, plain or .gz, without their newlines."""
    with ExitStack() as stack:
        plain = stack.enter_context(path.open("rb"))
        packed = path.name.endswith(".gz")
        lines: Iterable[bytes] = stack.enter_context(gzip.GzipFile(fileobj=plain)) if packed else plain
        for line in lines:
            yield line.rstrip(b"\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("wb") as plain:
        if not path.name.endswith(".gz"):
            yield plain
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=6, mtime=0) as packed:
            yield packed


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
