"""The rungs a page climbs: by which channels a person or a contact is told, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from alerts.models import Channel, Contact, ContactMethod, NotificationRule, PushSubscription

LEAST_WAIT_S = 60


@dataclass(frozen=True)
class Rung:
    channel: str
    method_id: int | None
    subscription_id: int | None
    address: str
    wait_s: int


def rungs_for(
    *,
    user: User | None = None,
    contact: Contact | None = None,
    importance: str,
    channels: Sequence[str] = (),
    policy_ladder: Sequence[dict[str, Any]] = (),
    critical: bool,
    at: datetime,
) -> list[Rung]:
    """On the screen at once for whoever signs in; then by the person's own rules, else the policy's ladder, else each address they have."""
    methods = ContactMethod.objects.filter(is_active=True, user=user, contact=contact).exclude(verified_at=None).order_by("pk")
    by_channel: dict[str, list[ContactMethod]] = {}
    for method in methods:
        by_channel.setdefault(method.channel, []).append(method)
    plan = _plan(user, importance, channels, policy_ladder, list(by_channel))
    rungs = [Rung(Channel.IN_APP, None, None, "", 0)] if user is not None else []
    for channel, wait_s in plan:
        if channel == Channel.PUSH and user is not None:
            rungs += [
                Rung(channel, None, one.pk, "", wait_s) for one in PushSubscription.objects.filter(user=user, gone_at=None).order_by("pk")
            ]
        elif channel != Channel.IN_APP:
            rungs += [Rung(channel, method.pk, None, method.address, wait_s) for method in by_channel.get(channel, [])]
    return rungs


def _plan(
    user: User | None, importance: str, channels: Sequence[str], policy_ladder: Sequence[dict[str, Any]], owned: list[str]
) -> list[tuple[str, int]]:
    if channels:
        return [(channel, LEAST_WAIT_S) for channel in channels]
    if user is not None:
        own = list(NotificationRule.objects.filter(user=user, importance=importance).order_by("position").values_list("channel", "wait_s"))
        if own:
            return own
    if policy_ladder:
        return [(str(rung["channel"]), int(rung.get("wait_s", LEAST_WAIT_S))) for rung in policy_ladder]
    return [(channel, LEAST_WAIT_S) for channel in owned]
