"""A browser lets any site open a socket to us with our cookies: only our own pages may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Application = Callable[[Any, Any, Any], Awaitable[Any]]


class OwnOriginOnly:
    """Refuse (403, before the handshake) a socket whose Origin is missing, foreign, or another port of our host.

    The same rule as Django's CSRF check: the origin is the host that was asked, which ``ALLOWED_HOSTS`` admits, or is named in
    ``CSRF_TRUSTED_ORIGINS``. Cookies do not know ports, so the port counts here.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = {name: value.decode("latin1") for name, value in scope["headers"]}
        allowed = is_own_origin(headers.get(b"origin", ""), headers.get(b"host", ""))
        return await (self.application if allowed else WebsocketDenier())(scope, receive, send)


def is_own_origin(origin: str, host: str) -> bool:
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        scheme, netloc = urlsplit(origin)[:2]
    except ValueError:
        return False
    return scheme in (("https",) if settings.HTTPS_ONLY else ("http", "https")) and netloc.lower() == host.lower()
