"""Start the console: `python -m dashboard.serve --port 8501`.

The flags keep it on this machine (loopback only, no usage statistics, no file watcher) and set the colours.
What the console reads is named by TIDEGATE_CONSOLE or REDIS_URL (see dashboard.settings). TIDEGATE_PARENT_FD: the read
end of a pipe whose writer, the supervisor, is to be outlived by nobody.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from dashboard import theme


def flags(port: int, address: str = "127.0.0.1") -> list[str]:
    """The arguments of `streamlit run`, ready for a subprocess after `python -m streamlit`."""
    return [
        "run",
        str(Path(__file__).with_name("app.py")),
        "--server.headless=true",
        f"--server.port={port}",
        f"--server.address={address}",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=minimal",
        "--client.showErrorDetails=none",
        # Under `theme` alone the reader's own choice of light or dark would be overruled.
        f"--theme.light.primaryColor={theme.BLUE}",
        f"--theme.dark.primaryColor={theme.SKY}",
    ]


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.serve", description="Start the console.")
    parser.add_argument("--port", type=int, default=8501, help="TCP port (default 8501)")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    chosen = parser.parse_args()
    parent = os.environ.get("TIDEGATE_PARENT_FD")
    if parent is not None:
        threading.Thread(target=_follow, args=(int(parent),), daemon=True).start()
    from streamlit.web import cli

    sys.argv = ["streamlit", *flags(chosen.port, chosen.address)]
    cli.main()


def _follow(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
