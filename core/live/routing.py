"""The addresses of sockets."""

from __future__ import annotations

from typing import Any

from channels.security.websocket import WebsocketDenier
from channels.sessions import CookieMiddleware

from core.live.consumer import LiveConsumer
from core.live.origin import OwnOriginOnly


def websockets(**others: Any) -> OwnOriginOnly:
    """``/ws/live``, and each of the others at the address ``/ws/<name>``."""
    doors = {f"/ws/{name}": CookieMiddleware(door.as_asgi()) for name, door in {"live": LiveConsumer, **others}.items()}

    async def route(scope: Any, receive: Any, send: Any) -> Any:
        door = doors.get(scope["path"].rstrip("/"))
        return await (door or WebsocketDenier())(scope, receive, send)

    return OwnOriginOnly(route)
