"""Sensors that speak CoAP over DTLS."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from iot.gateways.coap import CoapGateway
from iot.gateways.coap_dtls import server_context
from iot.gateways.together import until_told_to_stop
from iot.services.certificates import authority, own_server_certificate

logger = logging.getLogger("telemetry")


class Command(BaseCommand):
    help = "Listen on IOT_COAP_PORT (UDP) for sensors' CoAP over DTLS: POST /r, who speaks by a certificate of our own authority."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        certificate, key = own_server_certificate()
        context = server_context(certificate=certificate, key=key, trusted=authority().pem)

        async def serve(stop: asyncio.Event) -> None:
            gateway = CoapGateway(
                settings.IOT_COAP_HOST, settings.IOT_COAP_PORT, context, most=settings.IOT_COAP_MOST, idle_s=settings.IOT_COAP_IDLE_S
            )
            await gateway.run(stop, lambda port: logger.info("sensors' CoAP over DTLS at port %d", port))

        asyncio.run(until_told_to_stop(serve, port=settings.IOT_COAP_PORT))
