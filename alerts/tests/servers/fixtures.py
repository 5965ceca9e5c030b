"""The servers as fixtures, with the settings pointed at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alerts.tests.servers import SmtpServer, TwilioServer

PUBLIC_URL = "https://alerts.example"


@pytest.fixture
def smtp(settings: Any) -> Iterator[SmtpServer]:
    """A mail server; the channel of e-mail sends through it."""
    with SmtpServer() as server:
        settings.EMAIL_URL = server.url
        settings.ALERT_FROM_EMAIL = "Khareetaty <alerts@alerts.example>"
        yield server


@pytest.fixture
def twilio(settings: Any) -> Iterator[TwilioServer]:
    """Twilio; SMS, WhatsApp and voice go through it. Receipts are called back to ``PUBLIC_URL``: set ``reach`` to a live site's address."""
    with TwilioServer() as server:
        settings.TWILIO_API_URL = server.url
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = server.account, server.token
        settings.TWILIO_SMS_FROM = settings.TWILIO_WHATSAPP_FROM = settings.TWILIO_VOICE_FROM = "+15005550006"
        settings.PUBLIC_URL = PUBLIC_URL
        yield server
