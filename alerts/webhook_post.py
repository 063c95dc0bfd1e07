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
from collections.abc import Callable

import httpx
import msgspec

from alerts.webhook_plan import WebhookReceiver

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]


class Answer(msgspec.Struct, frozen=True):
    """What came of an attempt. status None: there was no answer at all, and `detail` says why."""

    status: int | None
    detail: str = ""
    retry_after: str | None = None


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
    return ip.is_global and not ip.is_multicast


def post(
    client: httpx.Client,
    receiver: WebhookReceiver,
    headers: dict[str, str],
    body: bytes,
    resolve: Resolve = addresses_of,
) -> Answer:
    """Send once. Whatever the network does is an Answer, not an exception."""
    url = httpx.URL(receiver.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        addresses = resolve(url.host, port)
    except (OSError, UnicodeError):
        return Answer(None, "name not resolved")
    allowed = [a for a in addresses if receiver.allow_private or is_public(a)]
    if not allowed:
        return Answer(None, "address is not public; set allow_private = true if it is yours")
    answer = Answer(None, "no address")
    for address in allowed:
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            headers={**headers, "host": url.netloc.decode()},
            content=body,
            extensions={"sni_hostname": url.host},
        )
        try:
            response = client.send(request, stream=True)
        except httpx.ConnectError as error:
            answer = Answer(None, f"no connection ({type(error).__name__})")
            continue
        except httpx.HTTPError as error:
            return Answer(None, type(error).__name__)
        # The status is all we want: a body may be endless.
        response.close()
        return Answer(
            response.status_code,
            retry_after=response.headers.get("retry-after"),
            detail=response.reason_phrase,
        )
    return answer
