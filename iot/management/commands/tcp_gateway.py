"""Sensors that keep a TCP connection."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from iot.gateways.tcp import TcpGateway
from iot.gateways.tls import is_secret, tls_of_settings

logger = logging.getLogger("telemetry")
AGAIN_S = 10.0


class Command(BaseCommand):
    help = "Listen on IOT_TCP_PORT for sensors' lines and frames; with TLS wherever others than this machine can reach it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        tls = await asyncio.to_thread(tls_of_settings)
        while not stop.is_set():
            gateway = TcpGateway(
                settings.IOT_TCP_HOST, settings.IOT_TCP_PORT, tls, most=settings.IOT_TCP_MOST, idle_s=settings.IOT_TCP_IDLE_S
            )
            try:
                await gateway.run(stop, _listening)
            except OSError as error:
                logger.warning("port %d cannot be had (%s); again in %.0f s", settings.IOT_TCP_PORT, error, AGAIN_S)
                try:
                    await asyncio.wait_for(stop.wait(), AGAIN_S)
                except TimeoutError:
                    continue


def _listening(port: int) -> None:
    how = "with TLS" if is_secret() else "in the clear"
    logger.info("sensors' TCP at port %d, %s", port, how)
