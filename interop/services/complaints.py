"""A resident's report that has no id of its own: taken once, however often it is sent within a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from interop.models import InboxMessage, Kind, PartnerKey
from interop.services.feeds import feed_of
from interop.services.inbox import IdReused, receive_message
from interop.services.letters import Receipt
from interop.standards.open311 import complaint_of, fingerprint_of

SAME_WITHIN = timedelta(hours=24)


def file_complaint(*, key: PartnerKey, given: Mapping[str, str], idempotency_key: str = "") -> Receipt:
    """Take a report in as a municipal complaint of the key's partner.

    The same words about the same place again within a day are the report we have; so is the same under the same ``idempotency_key``,
    whenever it comes. Another report under that key is a conflict (``IdReused``).
    """
    now, content = timezone.now(), fingerprint_of(given)
    if idempotency_key:
        name = f"open311:{fingerprint_of({'idempotency_key': idempotency_key})}"
        number = f"{name}:{content}"
    else:
        name = f"open311:{content}"
        number = f"{name}:{now:%Y%m%d%H}"
    source = feed_of(partner=key.partner, kind=Kind.MUNICIPAL_COMPLAINT).source

    def again() -> Receipt | None:
        known = InboxMessage.objects.filter(source=source, message_id__startswith=f"{name}:").order_by("-id").first()
        if known is None or (not idempotency_key and known.received_at < now - SAME_WITHIN):
            return None
        if idempotency_key and known.message_id != number:
            raise IdReused(_("This Idempotency-Key was used before, for another content."))
        return receive_message(key=key, kind=Kind.MUNICIPAL_COMPLAINT, body=known.body)

    repeated = again()
    if repeated is not None:
        return repeated
    try:
        return receive_message(key=key, kind=Kind.MUNICIPAL_COMPLAINT, body=complaint_of(given, number=number, at=now))
    except IdReused:
        # The same report came at the same moment by another request.
        repeated = again()
        if repeated is None:
            raise
        return repeated
