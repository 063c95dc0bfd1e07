"""The scripts RedisStore runs inside the server, each one atomic. `filing.lua` goes before every other."""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The text of one script with what it shares with the others in front."""
    here = files(__name__)
    return (here / "filing.lua").read_text("utf-8") + (here / f"{name}.lua").read_text("utf-8")
