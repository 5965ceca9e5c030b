"""Positions from the broker into the database, and what follows from all positions: visits, arrivals, silence."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from patrol.gateways.leader import Leadership
from patrol.gateways.mqtt import Broker
from patrol.gateways.positions import FenceFollower, PositionGateway


class Command(BaseCommand):
    help = "Take positions from MQTT_URL (none without one) and judge fences. A second one stands by."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        follower = threading.Thread(target=FenceFollower().run, args=(stop,), name="fences", daemon=True)
        follower.start()
        leads = Leadership()
        while settings.MQTT_URL and leads.wait(stop):
            PositionGateway(Broker(settings.MQTT_URL)).run(stop, while_=leads.holds)
        leads.give_up()
        stop.wait()
        follower.join(10)
