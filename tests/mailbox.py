"""A mail server over TLS as small as one can be: it keeps what it is sent (RFC 5321)."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Mailbox:
    """Mails in order of arrival. refuses: the answer to RCPT, if not 250. rude: cut the line after accepting."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[str] = []
        self.refuses, self.rude, self.port = "", False, 0


@contextmanager
def mailbox(tls: ssl.SSLContext, *, starttls: bool) -> Iterator[Mailbox]:
    """A mail server on a free port of 127.0.0.1, with TLS from the first byte or after STARTTLS."""
    box = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if not starttls and not self._secure():
                return
            self._say("220 mail.test ready")
            while line := self.rfile.readline().decode().strip():
                verb = line.upper()
                if verb.startswith("EHLO"):
                    self._say(
                        "250-mail.test\r\n250-AUTH PLAIN\r\n250 " + ("STARTTLS" if starttls else "8BITMIME")
                    )
                elif verb == "STARTTLS":
                    self._say("220 go ahead")
                    if not self._secure():
                        return
                elif verb.startswith("AUTH"):
                    box.logins.append(line)
                    self._say("235 welcome")
                elif verb.startswith("RCPT") and box.refuses:
                    self._say(box.refuses)
                elif verb == "DATA":
                    self._say("354 go on")
                    box.mails.append(self._data())
                    self._say("250 taken")
                    if box.rude:
                        return
                else:
                    self._say("221 bye" if verb == "QUIT" else "250 ok")

        def _secure(self) -> bool:
            try:
                self.connection = tls.wrap_socket(self.connection, server_side=True)
            except (ssl.SSLError, OSError):
                return False
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")  # type: ignore[assignment]
            return True

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")
            self.wfile.flush()

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            return b"".join(lines)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is no error here."""

    server = Server(("127.0.0.1", 0), Session)
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
