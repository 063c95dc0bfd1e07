"""Running the scripts of alerts/lua inside the server; each one is atomic."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from alerts import lua
from alerts.redis_reading import RedisReading

Argument = bytes | str | int


class RedisScripts(RedisReading):
    """Scripts are sent when they are first used, and again when the server has forgotten them."""

    @cached_property
    def _scripts(self) -> dict[str, Any]:
        return {}

    def _run(self, name: str, arguments: list[Argument]) -> Any:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._link.client.register_script(lua.script(name))
        with self._link.speaking():
            return script(keys=[self._prefix], args=arguments)
