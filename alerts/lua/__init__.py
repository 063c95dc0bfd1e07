"""The scripts RedisStore runs inside the server, each one atomic. `filing.lua` goes before every other, `rule_hits.lua`
also before `commit`."""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The text of one script with what it shares with the others in front."""
    here = files(__name__)
    parts = ("filing", "rule_hits", name) if name == "commit" else ("filing", name)
    return "".join((here / f"{part}.lua").read_text("utf-8") for part in parts)
