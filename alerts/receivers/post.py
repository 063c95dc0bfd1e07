"""One POST to a receiver, over an address that was checked in the same breath.

A name that resolves to an inner address would let whoever controls that name reach into our network
(server-side request forgery). So the name is resolved here, each address is judged, and the connection goes
to a judged address, not to whatever the name says a moment later. Redirects are not followed, proxies not
used, and no connection is kept, since a kept one belongs to an address and not to the name it was checked
for.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

import httpx
import msgspec

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
LONGEST_BODY = 16_384
READING_S = 5.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""What IANA gives out of IPv6 for the open internet; Python calls much else global (site-local, local translation)."""

Resolve = Callable[[str, int], list[str]]


class Answer(msgspec.Struct, frozen=True):
    """What came of an attempt. status None: there was no answer at all, and `detail` says why.

    text: the beginning of the body, where the request asked for it. ours: the failure is our own and about this message.
    """

    status: int | None
    detail: str = ""
    retry_after: str | None = None
    text: str = ""
    ours: bool = False


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request to make. allow_private: it may go to an address that is not of the open internet.

    reads: the body of the answer matters (chat services answer 200 and say no in it).
    """

    url: str
    body: bytes
    headers: dict[str, str] = {}
    allow_private: bool = False
    reads: bool = False


class NoAddressError(OSError):
    """The name leads to no address that may be sent to."""


def new_client() -> httpx.Client:
    """The client attempts are made with."""
    return httpx.Client(
        timeout=TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a name, in the resolver's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """True for a unicast address of the open internet; addresses that wrap an IPv4 are judged by that one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def allowed_addresses(host: str, port: int, allow_private: bool, resolve: Resolve) -> list[str]:
    """Addresses of a name that may be sent to, at least one. Raises NoAddressError with what to say of it."""
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError):
        raise NoAddressError("name not resolved") from None
    allowed = [a for a in addresses if allow_private or is_public(a)]
    if not allowed:
        raise NoAddressError("address is not public; set allow_private = true if it is yours")
    return allowed


def post(client: httpx.Client, outgoing: Outgoing, resolve: Resolve = addresses_of) -> Answer:
    """Send once. Whatever the network does is an Answer, not an exception."""
    url = httpx.URL(outgoing.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        allowed = allowed_addresses(url.host, port, outgoing.allow_private, resolve)
    except NoAddressError as error:
        return Answer(None, str(error))
    answer = Answer(None, "no address")
    for address in allowed:
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            headers={"user-agent": "tidegate", **outgoing.headers, "host": url.netloc.decode()},
            content=outgoing.body,
            extensions={"sni_hostname": url.host},
        )
        try:
            response = client.send(request, stream=True)
        except httpx.ConnectError as error:
            answer = Answer(None, f"no connection ({type(error).__name__})")
            continue
        except httpx.HTTPError as error:
            return Answer(None, type(error).__name__)
        # Without a need for the body the status is all we want: a body may be endless.
        text = _beginning(response) if outgoing.reads else ""
        response.close()
        return Answer(
            response.status_code,
            retry_after=response.headers.get("retry-after"),
            detail=response.reason_phrase,
            text=text,
        )
    return answer


def _beginning(response: httpx.Response) -> str:
    """At most LONGEST_BODY bytes of what comes within a few seconds; nothing at all if that is too little."""
    content, patience = b"", time.monotonic() + READING_S
    try:
        for chunk in response.iter_bytes(LONGEST_BODY):
            content += chunk
            if len(content) > LONGEST_BODY or time.monotonic() > patience:
                return ""
    except httpx.HTTPError:
        return ""
    return content.decode("utf-8", "replace")
