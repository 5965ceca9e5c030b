"""By what a person or a contact is told now, in which order, and how long each is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from alerts.models import Channel, Contact, ContactMethod, Importance, NotificationRule, Preferences, PushSubscription

WAIT_S = 60
# For whoever has addresses but no rules of their own and no policy says otherwise: the quickest first, what rings before what is read.
USUAL_ORDER = (
    Channel.PUSH, Channel.WHATSAPP, Channel.SMS, Channel.GATEWAY, Channel.VOICE, Channel.EMAIL, Channel.SLACK, Channel.WEBHOOK
)  # fmt: skip
# These wake nobody: quiet hours let them pass.
SILENT = frozenset({Channel.IN_APP, Channel.EMAIL, Channel.SLACK, Channel.WEBHOOK})
ON_SCREEN_ONLY = (Channel.IN_APP,)


@dataclass(frozen=True)
class Rung:
    """One way to somebody; ``wait_s`` is how long it is given before the next rung is climbed."""

    channel: str
    method_id: int | None
    subscription_id: int | None
    address: str
    wait_s: int


def rungs_for(
    *,
    user: User | None = None,
    contact: Contact | None = None,
    importance: str = Importance.DEFAULT,
    channels: Sequence[str] = (),
    policy_ladder: Sequence[Mapping[str, Any]] = (),
    critical: bool = False,
    at: datetime | None = None,
) -> list[Rung]:
    """The ladder of one person or contact at a moment. Never without the screen for a person; nobody is lost to a wrong setting.

    The order is the step's ``channels`` where it names some this person has; else the person's own rules of that importance, else their
    default rules, else the policy's ladder, else every address in the usual order. Several addresses of a channel are told together.
    In quiet hours what would ring waits for their end behind what is silent, unless it is ``critical``.
    """
    assert (user is None) != (contact is None), "a person or a contact"
    ways = _ways(user, contact)
    rules = _rules(user, importance)
    order = _chosen(channels, ways, rules) or _usable(rules, ways) or _usable(_of_policy(policy_ladder), ways)
    order = order or [(channel, WAIT_S) for channel in USUAL_ORDER if channel in ways]
    if user is not None:
        # On the screen at once and beside the first that rings, wherever their own rules give it no place of its own.
        if tuple(channels) == ON_SCREEN_ONLY:
            order = [(Channel.IN_APP, WAIT_S)]
        elif all(channel != Channel.IN_APP for channel, _wait in order):
            order = [(Channel.IN_APP, 0), *order]
    rungs = [rung for channel, wait_s in order for rung in _together(ways[channel], wait_s)]
    until = quiet_until(user=user, critical=critical, at=at) if user is not None else None
    return _held(rungs, until - (at or timezone.now())) if until is not None else rungs


def is_reachable(row: User | Contact) -> bool:
    """Whether there is a way to somebody beyond the screen. A closed account and a contact out of use are never reached."""
    if not row.is_active:
        return False
    if isinstance(row, User):
        return not unreachable([row.pk])
    return any(channel != Channel.IN_APP for channel in _ways(None, row))


def unreachable(user_ids: Iterable[int]) -> set[int]:
    """Those of these people to whom nothing leads but the screen, in two queries."""
    asked = set(user_ids)
    with_address = ContactMethod.objects.filter(user_id__in=asked, is_active=True, verified_at__isnull=False).exclude(
        channel=Channel.IN_APP
    )
    with_browser = PushSubscription.objects.filter(user_id__in=asked, gone_at=None)
    return asked - set(with_address.values_list("user_id", flat=True)) - set(with_browser.values_list("user_id", flat=True))


def quiet_until(*, user: User, critical: bool, at: datetime | None = None) -> datetime | None:
    """When this person's quiet hours end, if they hold now; critical alerts know none."""
    if critical:
        return None
    wishes = Preferences.objects.filter(user=user).first()
    if wishes is None or wishes.quiet_from is None or wishes.quiet_to is None or wishes.quiet_from == wishes.quiet_to:
        return None
    here = timezone.localtime(at)
    clock = here.time()
    over_midnight = wishes.quiet_from > wishes.quiet_to
    is_quiet = (clock >= wishes.quiet_from or clock < wishes.quiet_to) if over_midnight else (wishes.quiet_from <= clock < wishes.quiet_to)
    if not is_quiet:
        return None
    ends_on = here.date() + timedelta(days=1 if over_midnight and clock >= wishes.quiet_from else 0)
    return datetime.combine(ends_on, wishes.quiet_to, tzinfo=here.tzinfo)


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _ways(user: User | None, contact: Contact | None) -> dict[str, list[Rung]]:
    """Each channel that leads to them, with its addresses. A person's address counts once they have proved it; a contact's at once,
    because whoever manages it answers for it and nobody there signs in."""
    ways: dict[str, list[Rung]] = defaultdict(list)
    usable = Q(user=user, verified_at__isnull=False) if user is not None else Q(contact=contact)
    for method in ContactMethod.objects.filter(usable, is_active=True).exclude(channel=Channel.IN_APP).order_by("pk"):
        ways[method.channel].append(Rung(method.channel, method.pk, None, method.address, 0))
    if user is not None:
        ways[Channel.IN_APP] = [Rung(Channel.IN_APP, None, None, "", 0)]
        for subscription in PushSubscription.objects.filter(user=user, gone_at=None).order_by("pk"):
            ways[Channel.PUSH].append(Rung(Channel.PUSH, None, subscription.pk, subscription.endpoint[:500], 0))
    return ways


def _rules(user: User | None, importance: str) -> list[tuple[str, int]]:
    if user is None:
        return []
    rows = list(NotificationRule.objects.filter(user=user).order_by("position").values_list("importance", "channel", "wait_s"))
    mine = [(channel, wait_s) for of, channel, wait_s in rows if of == importance]
    return mine or [(channel, wait_s) for of, channel, wait_s in rows if of == Importance.DEFAULT]


def _of_policy(ladder: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    return [(str(rung.get("channel", "")), int(rung.get("wait_s", WAIT_S))) for rung in ladder]


def _usable(order: Sequence[tuple[str, int]], ways: Mapping[str, list[Rung]]) -> list[tuple[str, int]]:
    """Those for which there is an address; nothing where only the screen is left, so that the next source is asked."""
    found = [(channel, wait_s) for channel, wait_s in order if ways.get(channel)]
    return found if any(channel != Channel.IN_APP for channel, _wait in found) else []


def _chosen(channels: Sequence[str], ways: Mapping[str, list[Rung]], rules: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    waits = dict(reversed(list(rules)))
    return _usable([(channel, waits.get(channel, WAIT_S)) for channel in channels], ways)


def _together(ways: Sequence[Rung], wait_s: int) -> list[Rung]:
    return [replace(way, wait_s=wait_s if number == len(ways) - 1 else 0) for number, way in enumerate(ways)]


def _held(rungs: Sequence[Rung], wait: timedelta) -> list[Rung]:
    silent = [replace(rung, wait_s=0) for rung in rungs if rung.channel in SILENT]
    loud = [rung for rung in rungs if rung.channel not in SILENT]
    if silent and loud:
        silent[-1] = replace(silent[-1], wait_s=max(int(wait.total_seconds()), 0))
    return [*silent, *loud]
