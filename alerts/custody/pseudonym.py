"""Pseudonyms: keyed tokens that stand for personal data wherever events travel.

A token is `<purpose>_<epoch>_<32 letters>`: 128 bits of HMAC-SHA-256 under the key of that purpose and
epoch. Equal values have equal tokens within one purpose and epoch, so windows can count them; without the key
nobody can compute or test one, and tokens of two purposes or epochs cannot be linked.

Values are normalised first so that one card, address or mailbox has one token however it was typed.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
import unicodedata
from binascii import hexlify
from collections.abc import Callable
from typing import Literal

from alerts.custody.keyring import KeyRing
from models.clear_data import luhn
from models.errors import EventError

Purpose = Literal["card", "account", "name", "email", "phone", "address", "ip", "content"]
PURPOSES: tuple[Purpose, ...] = ("card", "account", "name", "email", "phone", "address", "ip", "content")

# Four bits a letter: no digits, so no token reads as a card number, and no vowels, so none reads as a word.
# (base64.b32encode would save six letters and cost four times as long.)
_LETTERS = bytes.maketrans(b"0123456789abcdef", b"bcdfghjkmnpqstvx")


class Pseudonyms:
    """Tokens of the ring's active epoch (or of `epoch`, to find what an older one named)."""

    __slots__ = ("_hashers", "epoch")

    def __init__(self, ring: KeyRing, epoch: int | None = None) -> None:
        self._hashers: dict[str, tuple[str, hashlib._Hash, hashlib._Hash]] = {}
        self.epoch = ring.active("pseudonym").version if epoch is None else epoch
        for purpose in PURPOSES:
            _, key = ring.purpose_key(purpose, self.epoch)
            # HMAC (RFC 2104) with both padded keys absorbed once: copying the states halves the cost.
            inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")))
            outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key.ljust(64, b"\0")))
            self._hashers[purpose] = (f"{purpose}_{self.epoch}_", inner, outer)

    def token(self, purpose: Purpose, value: str | bytes) -> str:
        """The token of a value that is normalised already."""
        prefix, inner, outer = self._hashers[purpose]
        first = inner.copy()
        first.update(value if isinstance(value, bytes) else value.encode())
        second = outer.copy()
        second.update(first.digest())
        return prefix + hexlify(second.digest()[:16]).translate(_LETTERS).decode()

    def __repr__(self) -> str:
        return f"Pseudonyms(epoch={self.epoch})"

    def __reduce__(self) -> str:
        raise TypeError("pseudonym keys are not pickled")


_PLAIN_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}", re.ASCII)


def same_content(first: str, second: str) -> bool | None:
    """Whether two `content` tokens stand for one content; None when their epochs differ: nobody can say."""
    if first == second:
        return True
    return False if first.split("_")[1] == second.split("_")[1] else None


def normal_pan(text: str) -> str:
    """The digits of a card number. Raises EventError `bad_pan` unless they pass the Luhn check."""
    digits = text if text.isdigit() else text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        raise EventError("bad_pan", "a card number has 12 to 19 digits - at `$.clear.pan`")
    if not luhn(digits):
        raise EventError("bad_pan", "the card number fails the Luhn check - at `$.clear.pan`")
    return digits


def normal_ip(text: str) -> str:
    """The canonical text of an IPv4 or IPv6 address; an IPv4 address in IPv6 clothes is the IPv4 one."""
    if _PLAIN_IPV4.fullmatch(text):
        return text
    try:
        # The C library's form is RFC 5952 too, but for IPv4 addresses within IPv6: those have a dot in it.
        if (plain := socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))).count(
            "."
        ) == 0:
            return plain
    except (OSError, ValueError):
        pass  # blanks around it, a zone behind it, or no address at all
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise EventError("bad_ip", "neither an IPv4 nor an IPv6 address - at `$.clear.ip`") from None
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or address)
    return str(address)


def normal_text(text: str) -> str:
    """Names and addresses: compatibility form, case folded, runs of white space as one blank."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normal_email(text: str) -> str:
    """A mailbox: case folded, trimmed. Dots and plus tags stay: only some providers ignore them."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def normal_phone(text: str) -> str:
    """Digits, behind a plus (E.164) where the number is international (`+` or `00`)."""
    compact = "".join(character for character in unicodedata.normalize("NFKC", text) if character.isalnum())
    if text.strip().startswith("+"):
        return "+" + compact
    return "+" + compact[2:] if compact.startswith("00") else compact


def normal_account(text: str) -> str:
    """An IBAN or account number without blanks and hyphens, in capitals."""
    return text.replace(" ", "").replace("-", "").upper()


NORMAL: dict[str, Callable[[str], str]] = {
    "card": normal_pan,
    "account": normal_account,
    "name": normal_text,
    "email": normal_email,
    "phone": normal_phone,
    "address": normal_text,
    "ip": normal_ip,
}
"""How a value is normalised before its token is taken, by purpose."""
