"""The connection to Redis or Valkey: address, credentials, time limits, and errors without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from models.errors import StoreError

_RUN = re.compile(rb"run_id:(\w+)")
CONNECT_S = 3.0
ANSWER_S = 15.0


class RedisLink:
    """A client for `url` that speaks StoreError.

    same_server: a server that was started anew since the first connection is an error. It may have gone back by what it
    had answered and not yet written, so whoever has built on those answers has to begin again from what is on disk.

    url: `redis://`, `rediss://` (TLS, certificates verified; a private authority with `?ssl_ca_certs=FILE`)
    or `unix://`. User and password stand in the url or in REDIS_USERNAME and REDIS_PASSWORD. `protocol` 2 or
    3 is RESP's; nothing above this class can tell the difference.
    """

    def __init__(
        self, url: str, protocol: Literal[2, 3] = 2, environ: Mapping[str, str] | None = None,
        same_server: bool = False,
    ) -> None:  # fmt: skip
        environ = os.environ if environ is None else environ
        self._server = b""
        try:
            parts = urlsplit(url)
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            user = user or environ.get("REDIS_USERNAME", "")
            password = password or environ.get("REDIS_PASSWORD", "")
            credentials = {k: v for k, v in (("username", user), ("password", password)) if v}
            # redis-py's own types are unions with its asynchronous client, hence Any.
            self.client: Any = redis.Redis.from_url(
                url,
                decode_responses=False,
                protocol=protocol,
                socket_connect_timeout=CONNECT_S,
                socket_timeout=ANSWER_S,
                health_check_interval=30,
                retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
                redis_connect_func=self._connected if same_server else None,
                **credentials,
            )
            self.where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        except (ValueError, TypeError):
            # Their messages may repeat parts of the url, a mistyped password among them.
            raise StoreError(
                "the store's url cannot be read: expected redis://HOST:PORT/DB, rediss://HOST:PORT/DB or "
                "unix:///PATH, with special characters of the password percent-encoded"
            ) from None
        self._secrets = [text for text in (password, quote(password, safe="")) if text]

    def _connected(self, connection: Any) -> None:
        """Greet the server as the library does, and look whether it is still the one it was."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        found = _RUN.search(bytes(connection.read_response()))
        server = found[1] if found is not None else b""
        if self._server and server != self._server:
            connection.disconnect()
            raise StoreError(
                f"{self.where}: the store was started anew. What it had not written by then is gone, so this process "
                "goes back to what is on disk: it has to be started again"
            )
        self._server = server

    @contextmanager
    def speaking(self) -> Iterator[Any]:
        """The client; what goes wrong inside becomes a StoreError naming the store, never the password."""
        try:
            yield self.client
        except (redis.RedisError, OSError) as error:
            text = str(error)
            for secret in self._secrets:
                text = text.replace(secret, "***")
            raise StoreError(f"{self.where}: {text or type(error).__name__}. {_remedy(error)}") from None


def _remedy(error: Exception) -> str:
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return "Check user, password and the user's rights on keys tg:*"
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return "The store is full: raise its maxmemory; it refuses writes rather than forget"
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        return "Is the server running, and is REDIS_URL right?"
    return "The server refused the command"
