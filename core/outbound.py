"""What a server of ours may be made to call: an address somebody else typed must not lead it into our own networks.

Two questions, asked apart. ``check_url`` judges an address as it is written (a scheme, a host, a port, nothing hidden in it); ``Guard``
judges the address a name resolves to. Whoever connects must use the very address that was judged: a name may lead elsewhere a second
later.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import certifi
from django.utils.translation import gettext as _

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL = 1000
USUAL_PORTS = frozenset({443, 8443})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_HIDDEN = re.compile(r"[\s\x00-\x20\x7f\\]")


class BadUrl(ValueError):
    """Why an address is not called, in a sentence for the user. ``code``: a short word for programs."""

    def __init__(self, message: str, *, code: str = "invalid") -> None:
        super().__init__(message)
        self.message, self.code = message, code


@dataclass(frozen=True)
class Url:
    """An address that may be called, as far as can be told from its text."""

    text: str
    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Guard:
    """Which private hosts, addresses or networks may be reached although they are private."""

    allowed: tuple[str, ...] = ()

    def admits(self, host: str, address: str) -> bool:
        """``host`` as it was typed, ``address`` as it was resolved. An address that carries another one inside is judged by that too."""
        ip = ipaddress.ip_address(address.split("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if all(_is_public(one) for one in (ip, *_inside(ip))):
            return True
        return any(self._names(entry, host, ip) for entry in self.allowed)

    def names_host(self, host: str) -> bool:
        """Whether the allow-list speaks of ``host`` itself, or of the address it is written as."""
        try:
            ip: IP | None = ipaddress.ip_address(host)
        except ValueError:
            ip = None
        return any(entry.lower() == host.lower() or (ip is not None and self._names(entry, host, ip)) for entry in self.allowed)

    @staticmethod
    def _names(entry: str, host: str, ip: IP) -> bool:
        try:
            return ip in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return entry.lower() == host.lower()


def _is_public(ip: IP) -> bool:
    return ip.is_global and not ip.is_multicast


def _inside(ip: IP) -> list[IP]:
    """The IPv4 addresses that an IPv6 one carries: a gateway may lead there (NAT64, 6to4, Teredo, the old compatible form)."""
    if not isinstance(ip, ipaddress.IPv6Address):
        return []
    found: list[IP] = []
    if ip in _NAT64 or int(ip) >> 32 == 0:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    if ip.sixtofour is not None:
        found.append(ip.sixtofour)
    if ip.teredo is not None:
        found += ip.teredo
    return found


def check_url(text: str, guard: Guard) -> Url:
    """``BadUrl`` for what is not plainly ``https://host/path``. Plain http and odd ports only to a host the allow-list names."""
    address = text.strip()
    sorry = _("This is no address of a web service: write it as https://host/path, without a user's name.")
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise BadUrl(sorry) from error
    if not host or len(address) > LONGEST_URL or _HIDDEN.search(address) or parts.scheme not in {"http", "https"}:
        raise BadUrl(sorry)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc or "%" in parts.netloc or parts.fragment:
        raise BadUrl(sorry)
    host = _plain_host(host, sorry)
    is_named = guard.names_host(host)
    if parts.scheme == "http" and not is_named:
        raise BadUrl(_("Only https is called: what we send must not be read on its way."), code="https")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port not in USUAL_PORTS and not is_named:
        raise BadUrl(_("Only the ports 443 and 8443 are called."), code="port")
    if not 0 < port < 65536:
        raise BadUrl(sorry)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    if literal is not None and not guard.admits(host, host):
        raise BadUrl(private(), code="private")
    return Url(address, parts.scheme, host, port)


def private() -> str:
    return _("This address lies inside a private network; a setting must allow it first.")


def _plain_host(host: str, sorry: str) -> str:
    """The host in the one form everybody reads alike. 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to some: refused."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host.split("%")[0]))
        except ValueError as error:
            raise BadUrl(sorry) from error
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError as error:
            raise BadUrl(sorry) from error
    labels = host.lower().split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))  # four plain decimal parts and nothing else
        except ValueError as error:
            raise BadUrl(sorry) from error
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl(sorry)
    return host.lower()


@cache
def tls_context() -> ssl.SSLContext:
    """The system's authorities (a ministry's own among them), and those that came with Python."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
