"""Browsers that take push messages for a person: subscribed and let go by the person, in that browser."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.channels.addresses import as_url
from alerts.channels.base import PermanentFailure
from alerts.models import PushSubscription
from core import audit
from core.errors import Invalid

MOST_BROWSERS = 10


@transaction.atomic
def subscribe(*, user: User, endpoint: str, p256dh: str, auth: str, browser: str = "") -> PushSubscription:
    """This browser tells this person from now on, whoever used it before. Asking twice changes nothing."""
    try:
        endpoint = as_url(endpoint)
    except PermanentFailure as refused:
        raise Invalid(refused.message) from refused
    if urlsplit(endpoint).scheme != "https" and urlsplit(endpoint).hostname not in settings.PUSH_ALLOW:
        raise Invalid(_("A push service is reached by https only."))
    if not (_is(p256dh, 65) and _raw(p256dh)[:1] == b"\x04" and _is(auth, 16)):
        raise Invalid(_("This browser's keys are not what they should be."))
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    made, is_new = PushSubscription.objects.update_or_create(
        endpoint=endpoint, defaults={"user": user, "p256dh": p256dh, "auth": auth, "browser": browser[:200], "gone_at": None}
    )
    # The oldest give way: a person has a handful of browsers, and each page costs one message a browser.
    kept = PushSubscription.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)[:MOST_BROWSERS]
    PushSubscription.objects.filter(user=user).exclude(pk__in=list(kept)).delete()
    if is_new:
        audit.record("push.subscribe", obj=made, by=user)
    return made


@transaction.atomic
def unsubscribe(*, user: User, endpoint: str) -> bool:
    """Whether there was such a browser of this person."""
    gone, _each = PushSubscription.objects.filter(user=user, endpoint=endpoint).delete()
    if gone:
        audit.record("push.unsubscribe", by=user)
    return bool(gone)


def _raw(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _is(text: str, length: int) -> bool:
    return len(text) <= 100 and len(_raw(text)) == length
