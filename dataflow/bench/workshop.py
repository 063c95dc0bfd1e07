"""Where a benchmark works: a private folder with a store of its own, gone when it is over."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataflow.embedded import EmbeddedValkey


@contextmanager
def workshop() -> Iterator[tuple[str, Path]]:
    """The url of an embedded store, as `tidegate up` starts it, and a folder for everything else."""
    # mkdtemp makes it 0700; the name is short because a unix socket's path may not be long.
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        directory = Path(folder)
        store = EmbeddedValkey(directory / "store")
        try:
            yield store.start(), directory
        finally:
            store.stop()
