"""A row in each table of delivery, for the walk through the command centre."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alerts.models import Alert
from alerts.services.delivery import apply_receipt, ensure_default_templates, page_person, send_due
from alerts.tests.senders import Scripted


def rows_of_delivery(cast: Any, fire: Callable[..., Alert]) -> None:
    ensure_default_templates()
    page = page_person(alert=fire(), user=cast.dispatcher)
    send_due(sender_of=Scripted())
    made = page.deliveries.get(channel="sms")
    apply_receipt(provider=made.provider, provider_id=made.provider_id, status="delivered")
