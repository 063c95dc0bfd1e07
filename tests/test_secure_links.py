"""TLS and ACL towards the store, TLS towards webhook receivers: names are verified, secrets stay hidden."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import redis

from alerts.receivers.post import Outgoing, post
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from models.errors import StoreError
from tests.certificates import Certificate, certificate_in


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as url:
        redis.Redis.from_url(url).execute_command(
            "ACL", "SETUSER", "tide", "on", ">sesame open", "~tg:*", "&*", "+@all", "-@admin"
        )
        yield url


@pytest.fixture
def tls_port(certificate: Certificate, valkey: str) -> Iterator[int]:
    """A TLS terminator in front of the real server (its binary is built without TLS)."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets = [listener]
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                outer = certificate.server.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            inner = socket.socket(socket.AF_UNIX)
            inner.connect(valkey.removeprefix("unix://"))
            open_sockets.extend([outer, inner])
            for pair in ((outer, inner), (inner, outer)):
                threads.append(threading.Thread(target=pump, args=pair))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield listener.getsockname()[1]
    for opened in open_sockets:
        try:
            opened.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        opened.close()
    for thread in (acceptor, *threads):
        thread.join()


class TestStoreLink:
    def test_tls_with_a_private_authority_and_an_acl_user(
        self, certificate: Certificate, tls_port: int
    ) -> None:
        url = f"rediss://tide:sesame%20open@127.0.0.1:{tls_port}/0?ssl_ca_certs={certificate.file}"
        store = RedisStore(url)
        assert store.ping() > 0
        store.beat("sender", {"by": "tls"}, 1)
        assert store.beats() == {"sender": {"by": "tls", "at": 1}}
        store._link.client.close()

    def test_an_unknown_authority_is_refused(self, tls_port: int) -> None:
        with pytest.raises(StoreError, match="certificate verify failed"):
            RedisStore(f"rediss://127.0.0.1:{tls_port}/0").ping()

    def test_credentials_from_the_environment(self, valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_USERNAME", "tide")
        monkeypatch.setenv("REDIS_PASSWORD", "sesame open")
        store = RedisStore(valkey)
        assert store._one("ACL", "WHOAMI") == b"tide"
        store.mark_learned(["nobody"])
        with pytest.raises(StoreError, match="rights on keys"):
            store._one("SET", "elsewhere", "x")

    def test_a_wrong_password_is_not_repeated(self, valkey: str) -> None:
        link = RedisLink(valkey, environ={"REDIS_USERNAME": "tide", "REDIS_PASSWORD": "hunter2"})
        with pytest.raises(StoreError, match="Check user, password") as caught, link.speaking() as client:
            client.ping()
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["redis://tide:hunter2@h:hunter2/0", "ftp://tide:hunter2@h/0", "redis://tide:hunter2@[h/0"]
    )
    def test_a_bad_url_is_not_repeated(self, url: str) -> None:
        with pytest.raises(StoreError, match="redis://HOST") as caught:
            RedisStore(url)
        assert "hunter2" not in str(caught.value)

    def test_an_absent_server_is_named_without_credentials(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            with pytest.raises(StoreError, match=rf"redis://127.0.0.1:{port}.*REDIS_URL") as caught:
                RedisStore(f"redis://tide:hunter2@127.0.0.1:{port}/0").ping()
        assert "hunter2" not in str(caught.value)


class TestWebhookTls:
    @pytest.fixture
    def https_port(self, certificate: Certificate) -> Iterator[int]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = certificate.server.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        server.server_close()
        thread.join()

    @pytest.mark.parametrize(("name", "status"), [("hooks.test", 204), ("other.test", None)])
    def test_the_certificate_is_checked_against_the_name_not_the_address(
        self, certificate: Certificate, https_port: int, name: str, status: int | None
    ) -> None:
        trust = ssl.create_default_context(cafile=certificate.file)
        outgoing = Outgoing(url=f"https://{name}:{https_port}/", body=b"{}", allow_private=True)
        with httpx.Client(verify=trust, trust_env=False) as client:
            answer = post(client, outgoing, resolve=lambda *_: ["127.0.0.1"])
        assert answer.status == status
