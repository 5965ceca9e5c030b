"""The door of the web process: HTTP by Django, sockets by Channels."""

import os

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "khareetaty.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  (Django stands only now)

from core.live.routing import websockets  # noqa: E402
from core.web import Web  # noqa: E402
from iot.live.consumer import RoomsConsumer  # noqa: E402

application = ProtocolTypeRouter({"http": Web(threads=settings.WEB_THREADS), "websocket": websockets(iot=RoomsConsumer)})
