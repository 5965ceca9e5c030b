"""What templates show of channels."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings

register = template.Library()
PUSH_SCOPE = "/alerts/push/"


@register.inclusion_tag("dashboard/alerts/_push.html", takes_context=True)
def push_switch(context: dict[str, Any]) -> dict[str, Any]:
    """The switch for push messages of this browser: ``{% load alert_channels %}{% push_switch %}`` is all a page needs."""
    is_ready = settings.VAPID_PRIVATE_KEY and settings.VAPID_PUBLIC_KEY
    return {"csrf_token": context.get("csrf_token"), "key": settings.VAPID_PUBLIC_KEY if is_ready else "", "scope": PUSH_SCOPE}
