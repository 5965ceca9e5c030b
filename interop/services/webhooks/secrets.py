"""What deliveries are signed with (Standard Webhooks): made here, shown once, sealed; two live for a while when one replaces another."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.sealing import seal, unseal
from incidents.permissions import Actor
from interop.models import WebhookSecret, WebhookSubscription
from interop.services.webhooks.permissions import require_owner

BYTES = 32
OVERLAP_H = 24
MOST_OVERLAP_H = 24 * 30
PREFIX = "whsec_"


def give_secret(subscription: WebhookSubscription) -> str:
    """A new secret of ``subscription``; the text is shown once. In the caller's transaction."""
    text = PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()
    WebhookSecret.objects.create(subscription=subscription, sealed=seal(text), hint=text[-4:])
    return text


def living(*, at: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=at)


@transaction.atomic
def rotate_secret(*, webhook: WebhookSubscription, by: Actor | None, overlap_h: float = OVERLAP_H) -> str:
    """A new secret; the one before goes on signing beside it for ``overlap_h`` hours (0: ends at once). At most two live."""
    require_owner(by, webhook)
    if not 0 <= overlap_h <= MOST_OVERLAP_H:
        raise Invalid(_("The overlap cannot be so."), fields={"overlap_hours": _("0 to %(limit)d hours.") % {"limit": MOST_OVERLAP_H}})
    now = timezone.now()
    _locked(webhook)
    live = list(WebhookSecret.objects.filter(living(at=now), subscription=webhook).order_by("-pk"))
    ends = now + timedelta(hours=overlap_h)
    for place, one in enumerate(live):
        until = ends if place == 0 else now  # the newest overlaps; an older one ends now
        if one.expires_at is None or one.expires_at > until:
            WebhookSecret.objects.filter(pk=one.pk).update(expires_at=until)
    text = give_secret(webhook)
    audit.record("webhook.rotate_secret", obj=webhook, by=by, after={"hint": text[-4:], "overlap_h": overlap_h})
    return text


@transaction.atomic
def revoke_secret(*, webhook: WebhookSubscription, secret_id: int, by: Actor | None) -> None:
    """End one secret now. The last one is replaced, never merely ended: nothing goes out unsigned."""
    require_owner(by, webhook)
    now = timezone.now()
    _locked(webhook)
    live = WebhookSecret.objects.filter(living(at=now), subscription=webhook)
    found = live.filter(pk=secret_id).first()
    if found is None:
        raise NotFound(_("There is no such secret."))
    if live.count() == 1:
        raise Conflict(_("This is the only secret: make a new one with no overlap instead."))
    WebhookSecret.objects.filter(pk=found.pk).update(expires_at=now)
    audit.record("webhook.revoke_secret", obj=webhook, by=by, after={"hint": found.hint})


def _locked(webhook: WebhookSubscription) -> None:
    WebhookSubscription.objects.select_for_update(no_key=True).get(pk=webhook.pk)


@lru_cache(maxsize=4096)
def signer(sealed: str) -> Webhook:
    """Opened once a process."""
    return Webhook(unseal(sealed))
