"""Readings from the MQTT broker onto the stream."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from core.leadership import Leadership
from iot.gateways.mqtt import CLIENT_ID, SensorGateway
from iot.gateways.mqtt_networks import listen
from iot.services.broker import keep_up_to_date

LOCK = 0x4B48_494F_4D51  # and the numbers after it, of those that share
MOST_SHARING = 64


class Command(BaseCommand):
    help = (
        "Take what sensors and LoRaWAN servers say from MQTT_URL (nothing without one). A second one stands by; with IOT_MQTT_SHARED they "
        "split what sensors say. "
        "Keeps the broker's list of revoked certificates and accounts up to date."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        beside = [
            threading.Thread(target=keep_up_to_date, args=(stop,), name="accounts", daemon=True),
            threading.Thread(target=listen, args=(stop, settings.MQTT_URL, settings.MQTT_CA_FILE), name="networks", daemon=True),
        ]
        for thread in beside if settings.MQTT_URL else []:
            thread.start()
        while settings.MQTT_URL and not stop.is_set():
            leads, place = self._place(stop)
            if leads is not None:
                shared = settings.IOT_MQTT_SHARED
                name = f"{CLIENT_ID}-{place}" if shared else CLIENT_ID
                gateway = SensorGateway(settings.MQTT_URL, client_id=name, shared=shared, cafile=settings.MQTT_CA_FILE)
                gateway.run(stop, while_=lambda leads=leads: not leads.lost_to_another())  # type: ignore[misc]
                leads.give_up()
        stop.wait()
        for thread in beside:
            if thread.is_alive():
                thread.join(10)

    def _place(self, stop: threading.Event) -> tuple[Leadership | None, int]:
        """The session that is ours: the only one, or the first that nobody has. Whoever takes another's place finds what waits there."""
        places = [Leadership(LOCK + place) for place in range(MOST_SHARING if settings.IOT_MQTT_SHARED else 1)]
        while not stop.is_set():
            for place, leads in enumerate(places):
                if leads.try_now():
                    return leads, place
                leads.give_up()
            stop.wait(3.0)
        return None, 0
