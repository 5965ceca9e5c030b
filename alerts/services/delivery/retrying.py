"""A message that failed, sent once more because a person says so."""

from __future__ import annotations

from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alerts.models import AlertLog, AlertState, Channel, ContactMethod, Delivery, DeliveryState, Page
from alerts.permissions import Actor, require
from alerts.services import whys
from alerts.services.delivery.climbing import BY_HAND
from alerts.services.delivery.words import words_for
from core import audit
from core.errors import Conflict, NotFound


@transaction.atomic
def retry(*, delivery: Delivery, by: Actor) -> Delivery:
    """Another delivery to the same address with fresh words; the failed one stays as it is. It takes the place of no rung."""
    alert, page = delivery.alert, delivery.page
    if alert is None or page is None:
        raise NotFound(_("There is no such delivery."))
    require(by, "override_alert", alert)
    page = Page.objects.select_for_update(no_key=True).get(pk=page.pk)
    delivery.refresh_from_db()
    if delivery.state != DeliveryState.FAILED or delivery.channel == Channel.IN_APP:
        raise Conflict(_("Only what has failed is sent again."))
    alert.refresh_from_db()
    if alert.state != AlertState.FIRING or page.state in {Page.State.ANSWERED, Page.State.CANCELLED}:
        raise Conflict(_("Nobody is paged for this alert any more."))
    if delivery.method_id is not None and not ContactMethod.objects.filter(pk=delivery.method_id, is_active=True).exists():
        raise Conflict(_("The address is switched off."))
    same = Delivery.objects.filter(
        page=page, channel=delivery.channel, method_id=delivery.method_id, subscription_id=delivery.subscription_id
    )
    if same.going().exists():
        raise Conflict(_("It is being sent again already."))
    number = Delivery.objects.filter(page=page, rung_no__gte=BY_HAND).aggregate(n=Max("rung_no"))["n"] or BY_HAND - 1
    now = timezone.now()
    with translation.override(delivery.language):
        why = whys.of(page)
    words = words_for(alert, channel=delivery.channel, language=delivery.language, why=why)
    try:
        with transaction.atomic():
            made = Delivery.objects.create(
                key=uuid4(), alert=alert, page=page, rung_no=number + 1, channel=delivery.channel, method_id=delivery.method_id,
                subscription_id=delivery.subscription_id, address=delivery.address, language=delivery.language,
                is_critical=delivery.is_critical, subject=words.subject, body=words.body, parts=words.parts, next_at=now, created_at=now,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_("It is being sent again already.")) from error
    AlertLog.objects.create(
        alert=alert, kind=AlertLog.Kind.DELIVERY, by_id=getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None,
        note=_("%(channel)s is sent again by hand.") % {"channel": made.get_channel_display()}, facts={"delivery": made.pk},
    )  # fmt: skip
    audit.record("delivery.retry", obj=made, by=by, after={"instead_of": delivery.pk, "alert": alert.pk})
    return made
