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

    def _script(self, name: str) -> Any:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._link.client.register_script(lua.script(name))
        return script

    def _run(self, name: str, arguments: list[Argument]) -> Any:
        script = self._script(name)
        with self._link.speaking():
            return script(keys=[self._prefix], args=arguments)

    def _send(self, name: str, arguments: list[Argument]) -> Any:
        """Send a script without waiting for it; the connection that its answer will come by."""
        sha = self._script(name).sha
        with self._link.speaking() as client:
            connection = client.connection_pool.get_connection()
            try:
                connection.send_command("EVALSHA", sha, 1, self._prefix, *arguments)
            except BaseException:
                client.connection_pool.release(connection)
                raise
        return connection

    def _answer(self, connection: Any) -> Any:
        """Wait for the answer of a script that was sent."""
        with self._link.speaking() as client:
            try:
                return connection.read_response()
            finally:
                client.connection_pool.release(connection)
