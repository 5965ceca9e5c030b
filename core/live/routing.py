"""The addresses of sockets."""

from __future__ import annotations

from typing import Any

from channels.security.websocket import WebsocketDenier
from channels.sessions import CookieMiddleware

from core.live.consumer import LiveConsumer
from core.live.origin import OwnOriginOnly

_live = CookieMiddleware(LiveConsumer.as_asgi())


async def _route(scope: Any, receive: Any, send: Any) -> Any:
    known = scope["path"].rstrip("/") == "/ws/live"
    return await (_live if known else WebsocketDenier())(scope, receive, send)


websockets = OwnOriginOnly(_route)
