"""A webhook with its secret, a delivery and an attempt: for tests that need a row of everything."""

from __future__ import annotations

from datetime import UTC, datetime

from interop.models import Partner, WebhookAttempt
from interop.services import issue_key
from interop.services.webhooks import make_webhook, send_test


def rows_of_webhooks(cast, places):
    partner = Partner.objects.create(slug="hooks", name="Hooks", agency=cast.police, region=places.region)
    key = issue_key(partner=partner, name="hooks", scopes=["incidents:read", "webhooks:manage"], by=None, all_governorates=True)[0]
    hook, _secret = make_webhook(
        key=key, url="https://93.184.216.34/in", types=["incident.*"], by=None, resolve=lambda host, port: [host]
    )  # fmt: skip
    row = send_test(webhook=hook, by=None)
    WebhookAttempt.objects.create(delivery=row, number=1, trigger="test", started_at=datetime.now(UTC), ms=12, code=200, excerpt="{}")
