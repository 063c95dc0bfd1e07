"""How much faster several processes are than one, over the same recorded stream, in turns in one run.

One process is the Bytewax flow of `dataflow.flow`, several are the cluster of `dataflow.cluster`; both read the same
file, serve the same model from its first line on and encode the same decisions. Making the stream, starting processes
and loading kernels stand outside the count. Nothing is saved and no store is written: see `throughput` for that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.private_files import replace_private
from dataflow.bench.loop import Spent, trained
from dataflow.bench.machine import machine
from dataflow.settings import Settings
from models.errors import SettingsError
from models.events import Control, encode
from models.serving import Snapshot

WORKERS = 2
TRAIN_SHARE, MOST_TRAIN_SHARE, LOAD_SHARE = 0.2, 0.5, 0.15
LEAST_EVENTS, MOST_EVENTS, TAKEN = 8192, 65_536, 2048
"""Short laps in more turns say more than long ones where the machine is not quiet."""
LAP_S = 240.0


class Lap(msgspec.Struct, frozen=True):
    """What one run gave. seconds: from the opening of the stream to the last decision. digest: of all decisions.

    cpu_s: CPU time of each process in these seconds, the first one first; empty where the system does not tell.
    """

    events: int
    seconds: float
    digest: str
    cpu_s: list[float]


def scale(
    settings: Settings, seconds: float, progress: Callable[[float], None], workers: int = WORKERS
) -> dict[str, Any]:
    """See the module's docstring; takes about `seconds`, and longer where starting the processes alone does."""
    spent = Spent(progress)
    loop = trained(settings, spent, seconds * TRAIN_SHARE, seconds * MOST_TRAIN_SHARE)
    load = loop.load
    with tempfile.TemporaryDirectory(prefix="tidegate-scale-") as name:
        folder = Path(name)
        lines, began = [served(loop.engine.snapshot, folder)], spent()
        while len(lines) < LEAST_EVENTS or (
            len(lines) < MOST_EVENTS and spent() - began < seconds * LOAD_SHARE
        ):
            # Labels come when the simulated world gives them: those of the load stand right behind their payment,
            # which no stream's do, and the lead would wait for each.
            lines += [line for line in load.take(TAKEN) if b'"id":"verdict-' not in line]
        (folder / "stream.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        replace_private(folder / "settings.json", msgspec.json.encode(settings))
        laps: dict[int, list[Lap]] = {1: [], workers: []}
        while not laps[workers] or spent() < seconds * 0.8:
            # Which goes first changes, so that a machine that slows down slows both.
            for which in (1, workers) if len(laps[1]) % 2 else (workers, 1):
                laps[which].append(lap(folder, which))
                spent()
    rates = {n: sum(one.events for one in of) / sum(one.seconds for one in of) for n, of in laps.items()}
    return {
        "scale": {str(workers): round(rates[workers] / rates[1], 3)},
        "events_per_second": {str(which): round(rate, 1) for which, rate in rates.items()},
        "cpu_us": {str(n): _cpu_us(of) for n, of in laps.items()},
        "equal": len({one.digest for of in laps.values() for one in of}) == 1,
        "events": len(lines),
        "laps": len(laps[1]),
        "trained": loop.trained,
        "machine": machine(),
        "seconds": round(spent(), 2),
    }


def served(snapshot: Snapshot, folder: Path) -> bytes:
    """The Control event by which a stream begins with this model, which is put into `folder`/models."""
    (folder / "models").mkdir()
    (folder / "models" / snapshot.version).write_bytes(snapshot.data)
    return encode(
        Control(
            id=f"model-{snapshot.version}", event_time=1, received_at=1, kind="model", version=snapshot.version,
            artefact=snapshot.version, actor="bench", reason="benchmark",
        )
    )  # fmt: skip


def lap(folder: Path, workers: int) -> Lap:
    """One run in processes of its own; SettingsError, with what they said, when it fails."""
    command = [sys.executable, "-m", "dataflow.bench.scale_lap", str(folder), str(workers)]
    done = subprocess.run(command, capture_output=True, timeout=LAP_S, check=False, env=dict(os.environ))
    if done.returncode != 0:
        raise SettingsError(f"a run with {workers} processes failed: {done.stderr.decode()[-800:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Lap)


def _cpu_us(laps: list[Lap]) -> list[float]:
    """CPU microseconds an event of each process: what the clock would say on a machine that has nothing else to do."""
    events = sum(one.events for one in laps)
    return [round(sum(times) / events * 1e6, 2) for times in zip(*(one.cpu_s for one in laps), strict=True)]
