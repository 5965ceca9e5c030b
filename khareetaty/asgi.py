"""The door of the web process: HTTP by Django, sockets by Channels."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
http = get_asgi_application()

from core.live.routing import websockets  # noqa: E402  (Django stands only now)

application = ProtocolTypeRouter({"http": http, "websocket": websockets})
