"""Who may manage a webhook: the key it belongs to (or the one that replaced that), and people who manage keys."""

from __future__ import annotations

from django.utils.translation import gettext as _

from core.errors import NotAllowed, NotFound
from incidents.permissions import Actor
from interop.models import PartnerKey, Scope, WebhookSubscription


def require_owner(by: Actor | None, webhook: WebhookSubscription | None = None) -> None:
    """``NotFound`` for somebody else's webhook, ``NotAllowed`` without the right to have any. ``None`` is the system itself."""
    if by is None:
        return
    if isinstance(by, PartnerKey):
        if not by.has_scope(Scope.WEBHOOKS_MANAGE):
            raise NotAllowed(_("This key lacks the scope %(scope)s.") % {"scope": Scope.WEBHOOKS_MANAGE.value})
    elif not by.can("manage_keys"):
        raise NotAllowed(_("Your role does not allow this."))
    if webhook is not None and not WebhookSubscription.objects.visible_to(by).filter(pk=webhook.pk).exists():
        raise NotFound(_("There is no such webhook."))
