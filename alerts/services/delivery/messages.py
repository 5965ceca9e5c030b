"""A delivery's row made into what its channel is given, with the secrets that the row does not hold."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from alerts.analytics import wording
from alerts.channels.base import Message
from alerts.models import Alert, Channel, Delivery, Page
from alerts.services.delivery.links import signed_link
from alerts.services.delivery.words import choose, event_of, link_to

WHATSAPP_WINDOW = timedelta(hours=24)


def message_of(delivery: Delivery) -> Message:
    alert, page = delivery.alert, delivery.page
    acknowledge_url = signed_link(page) if page is not None else ""
    secrets = {"code": page.code if page is not None else "", "acknowledge_link": acknowledge_url}
    method, browser = delivery.method, delivery.subscription
    wrote_at = method.last_inbound_at if method is not None else None
    may_be_free = delivery.channel != Channel.WHATSAPP or (wrote_at is not None and timezone.now() - wrote_at < WHATSAPP_WINDOW)
    return Message(
        key=delivery.key,
        to=browser.endpoint if browser is not None else delivery.address,
        language=delivery.language,
        subject=delivery.subject,
        text=wording.fill(delivery.body, secrets),
        level=alert.level if alert is not None else "medium",
        url=link_to(alert) if alert is not None else settings.PUBLIC_URL,
        acknowledge_url=acknowledge_url,
        code=secrets["code"],
        is_critical=delivery.is_critical,
        is_test=delivery.is_test,
        provider_template="" if may_be_free else _approved(delivery, alert),
        may_be_free_text=may_be_free,
        facts=_facts(alert, page) if delivery.channel == Channel.WEBHOOK else {},
        secret_name=method.secret_name if method is not None else "",
        keys={"p256dh": browser.p256dh, "auth": browser.auth} if browser is not None else {},
    )


def _approved(delivery: Delivery, alert: Alert | None) -> str:
    event = event_of(alert) if alert is not None and not delivery.is_test else "test"
    return choose(event=event, channel=delivery.channel, language=delivery.language)[2]


def _facts(alert: Alert | None, page: Page | None) -> dict[str, object]:
    """For machines: ids and plain values, no person's name."""
    if alert is None:
        return {}
    return {
        "alert": alert.pk,
        "key": str(alert.key),
        "kind": alert.kind,
        "state": alert.state,
        "level": alert.level,
        "priority": alert.priority,
        "title_en": alert.title_en,
        "title_ar": alert.title_ar,
        "rule": alert.rule.code if alert.rule_id and alert.rule is not None else None,
        "agency": alert.agency.slug if alert.agency is not None else None,
        "governorate": alert.governorate.code if alert.governorate is not None else None,
        "zone": alert.zone.code if alert.zone is not None else None,
        "location": [alert.location.x, alert.location.y] if alert.location is not None else None,
        "measure": alert.measure,
        "threshold": alert.threshold,
        "caused_at": alert.caused_at.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
        "page": page.pk if page is not None else None,
    }
