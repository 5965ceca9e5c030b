"""Readings from the MQTT broker onto the stream."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from core.leadership import Leadership
from iot.gateways import mqtt_networks as networks
from iot.gateways.mqtt import CLIENT_ID, SensorGateway
from iot.services.broker import keep_up_to_date

LOCK = 0x4B48_494F_4D51  # and the numbers after it, of those that share
MOST_SHARING = 64


@contextmanager
def _beside(gateway: networks.NetworkGateway) -> Iterator[None]:
    """It works in a thread of its own for as long."""
    stop = threading.Event()

    def work() -> None:
        gateway.run(stop)
        connection.close()

    thread = threading.Thread(target=work, name="networks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)


class Command(BaseCommand):
    help = (
        "Take what sensors and LoRaWAN servers say from MQTT_URL (nothing without one). A second one stands by; with IOT_MQTT_SHARED they "
        "split the load. "
        "Keeps the broker's list of revoked certificates and accounts up to date."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        files = threading.Thread(target=keep_up_to_date, args=(stop,), name="accounts", daemon=True)
        if settings.MQTT_URL:
            files.start()
        while settings.MQTT_URL and not stop.is_set():
            leads, place = self._place(stop)
            if leads is not None:
                shared = settings.IOT_MQTT_SHARED
                name = f"{CLIENT_ID}-{place}" if shared else CLIENT_ID
                gateway = SensorGateway(settings.MQTT_URL, client_id=name, shared=shared, cafile=settings.MQTT_CA_FILE)
                name = f"{networks.CLIENT_ID}-{place}" if shared else networks.CLIENT_ID
                beside = networks.NetworkGateway(settings.MQTT_URL, client_id=name, shared=shared, cafile=settings.MQTT_CA_FILE)
                with _beside(beside):
                    gateway.run(stop, while_=lambda leads=leads: not leads.lost_to_another())  # type: ignore[misc]
                leads.give_up()
        stop.wait()
        if files.is_alive():
            files.join(10)

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
