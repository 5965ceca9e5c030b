"""The servers as fixtures, with the settings pointed at them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.tests.servers import HttpServer, PushService, SmppServer, SmtpServer, TwilioServer
from deploy.local.vapid import vapid_pair

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


@pytest.fixture
def smpp(settings: Any) -> Iterator[SmppServer]:
    """A short message centre; the gateway (and SMS, where Twilio is not set up) goes through it."""
    with SmppServer() as server:
        settings.SMS_GATEWAY_KIND, settings.SMS_GATEWAY_URL = "smpp", server.url
        settings.SMS_GATEWAY_FROM, settings.SMS_GATEWAY_RECEIPTS = "MOI", True
        yield server


@pytest.fixture
def http_gateway(settings: Any) -> Iterator[HttpServer]:
    """A modem's small web server that takes JSON."""
    with HttpServer() as server:
        settings.SMS_GATEWAY_KIND, settings.SMS_GATEWAY_URL = "http", f"{server.url}/send"
        settings.SMS_GATEWAY_TOKEN, settings.SMS_GATEWAY_SECRET = "token-of-tests", "secret-of-tests"
        settings.SMS_GATEWAY_RECEIPTS, settings.PUBLIC_URL = True, PUBLIC_URL
        yield server


@pytest.fixture
def hook_receiver(settings: Any) -> Iterator[HttpServer]:
    """Another system that takes our webhooks, under the name ``room``; and Slack, which is one more address of it."""
    with HttpServer() as server:
        secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
        settings.ALERT_WEBHOOKS = {"room": {"url": f"{server.url}/alerts", "secret": secret}}
        settings.ALERT_WEBHOOK_ALLOW = ["127.0.0.1"]
        settings.SLACK_WEBHOOK_URL = f"{server.url}/slack"
        yield server


@pytest.fixture
def push_service(settings: Any) -> Iterator[PushService]:
    """A push service, and our own keys."""
    pair = vapid_pair()
    with PushService() as server:
        settings.VAPID_PRIVATE_KEY, settings.VAPID_PUBLIC_KEY = pair.private, pair.public
        settings.PUSH_ALLOW = ["127.0.0.1"]
        yield server
