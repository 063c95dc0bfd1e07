"""Mail over TLS, with the same care as a webhook: the address is checked and connected to in one breath, the
certificate is verified against the name, and the Message-ID is derived from the message's id."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from alerts.receivers.message import Message, lines, title
from alerts.receivers.post import Answer, NoAddressError, allowed_addresses
from alerts.receivers.receiver import Verdict, Wire
from alerts.receivers.secrets import secret_text
from alerts.receivers.specs import EmailSpec
from models.errors import SettingsError

TIMEOUT_S = 10.0


class Mail:
    """See EmailSpec. Raises SettingsError for addresses or a secret that will not do."""

    def __init__(self, spec: EmailSpec, environ: Mapping[str, str] | None = None) -> None:
        place = f"receiver {spec.name}"
        for address in (spec.sender, *spec.to):
            if address.count("@") != 1 or any(c in address for c in "\r\n <>,;"):
                raise SettingsError(f"{place}: {address!r} is no mail address")
        if not spec.to or not spec.host:
            raise SettingsError(f"{place}: give host and at least one address in to")
        self.spec: EmailSpec = spec
        self.place = f"smtp://{spec.host}:{spec.port}"
        self._password = ""
        if spec.user:
            self._password = secret_text(place, spec.secret_env, spec.secret_file, environ)
        try:
            self._trust = ssl.create_default_context(cafile=spec.ca_file or None)
        except (OSError, ssl.SSLError):
            raise SettingsError(f"{place}: ca_file {spec.ca_file} cannot be read") from None

    def compose(self, message: Message, now: int) -> EmailMessage:
        """The mail. Pure."""
        language = self.spec.language or self.spec.speaks
        mail = EmailMessage()
        mail["From"], mail["To"] = self.spec.sender, ", ".join(self.spec.to)
        mail["Subject"] = " ".join(title(message, language).split())
        mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
        mail["Message-ID"] = f"<{message.intent.id}@{self.spec.sender.partition('@')[2]}>"
        if message.intent.thread:
            mail["References"] = f"<{message.intent.thread}@{self.spec.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content("\n".join(lines(message, language)) + "\n")
        return mail

    def send(self, message: Message, now: int, wire: Wire) -> Answer:
        spec, taken = self.spec, None
        try:
            addresses = allowed_addresses(spec.host, spec.port, spec.allow_private, wire.resolve)
            with _Smtp(spec.host, spec.port, addresses, self._trust if spec.tls == "tls" else None) as smtp:
                if spec.tls == "starttls":
                    smtp.starttls(context=self._trust)
                    smtp.ehlo()
                if spec.user:
                    smtp.login(spec.user, self._password)
                refused = smtp.send_message(self.compose(message, now))
                taken = Answer(250, f"accepted, {len(refused)} recipients refused" if refused else "accepted")
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return Answer(min(codes), "recipients refused")
        except smtplib.SMTPResponseException as error:
            # Once it was accepted, a failed good-bye changes nothing.
            return taken or Answer(error.smtp_code, type(error).__name__)
        except (smtplib.SMTPException, OSError) as error:
            # Of a failed connection the class says enough; what we say ourselves says what to do.
            detail = str(error) if isinstance(error, NoAddressError) else type(error).__name__
            return taken or Answer(None, detail)
        return taken

    def verdict(self, answer: Answer) -> Verdict:
        """RFC 5321 §4.2.1: 4yz passes, 5yz does not; a wrong password (535) is the receiver's trouble."""
        if answer.status is None or answer.status == 535:
            return "busy"
        if 200 <= answer.status < 300:
            return "delivered"
        return "busy" if answer.status == 421 else "refused"


class _Smtp(smtplib.SMTP):
    """An SMTP client that connects to addresses that were judged, and verifies the name all the same."""

    def __init__(self, host: str, port: int, addresses: list[str], tls: ssl.SSLContext | None) -> None:
        self._addresses, self._tls = addresses, tls
        super().__init__(host, port, local_hostname="tidegate", timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, port), timeout)
            except OSError as error:
                failure = error
                continue
            return self._tls.wrap_socket(plain, server_hostname=host) if self._tls else plain
        raise failure
