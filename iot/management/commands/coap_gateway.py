"""Sensors that speak CoAP over DTLS."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from iot.gateways.coap import CoapGateway
from iot.gateways.coap_dtls import server_context
from iot.services.certificates import authority, own_server_certificate

logger = logging.getLogger("telemetry")
AGAIN_S = 10.0


class Command(BaseCommand):
    help = "Listen on IOT_COAP_PORT (UDP) for sensors' CoAP over DTLS: POST /r, who speaks by a certificate of our own authority."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        certificate, key = own_server_certificate()
        context = server_context(certificate=certificate, key=key, trusted=authority().pem)
        while not stop.is_set():
            gateway = CoapGateway(
                settings.IOT_COAP_HOST, settings.IOT_COAP_PORT, context, most=settings.IOT_COAP_MOST, idle_s=settings.IOT_COAP_IDLE_S
            )
            try:
                await gateway.run(stop, lambda port: logger.info("sensors' CoAP over DTLS at port %d", port))
            except OSError as error:
                logger.warning("port %d cannot be had (%s); again in %.0f s", settings.IOT_COAP_PORT, error, AGAIN_S)
                try:
                    await asyncio.wait_for(stop.wait(), AGAIN_S)
                except TimeoutError:
                    continue
