"""Sensors that keep a TCP connection."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from iot.gateways.tcp import TcpGateway
from iot.gateways.tls import is_secret, tls_of_settings
from iot.gateways.together import until_told_to_stop

logger = logging.getLogger("telemetry")


class Command(BaseCommand):
    help = "Listen on IOT_TCP_PORT for sensors' lines and frames; with TLS wherever others than this machine can reach it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(until_told_to_stop(_serve, port=settings.IOT_TCP_PORT))


async def _serve(stop: asyncio.Event) -> None:
    tls = await asyncio.to_thread(tls_of_settings)
    gateway = TcpGateway(settings.IOT_TCP_HOST, settings.IOT_TCP_PORT, tls, most=settings.IOT_TCP_MOST, idle_s=settings.IOT_TCP_IDLE_S)
    await gateway.run(stop, _listening)


def _listening(port: int) -> None:
    how = "with TLS" if is_secret() else "in the clear"
    logger.info("sensors' TCP at port %d, %s", port, how)
