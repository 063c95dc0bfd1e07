"""The connection to Redis or Valkey: address, credentials, time limits, and errors without secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from models.errors import StoreError

CONNECT_S = 3.0
ANSWER_S = 15.0


class RedisLink:
    """A client for `url` that speaks StoreError.

    url: `redis://`, `rediss://` (TLS, certificates verified; a private authority with `?ssl_ca_certs=FILE`)
    or `unix://`. User and password stand in the url or in REDIS_USERNAME and REDIS_PASSWORD. `protocol` 2 or
    3 is RESP's; nothing above this class can tell the difference.
    """

    def __init__(
        self, url: str, protocol: Literal[2, 3] = 2, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
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
