"""What "How I am told" shows: one person's addresses, ladders, quiet hours, and what would happen if an alert paged them now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from accounts.models import User
from alerts.channels import registry
from alerts.models import (
    Channel,
    Contact,
    ContactMethod,
    Importance,
    LayerMember,
    NotificationRule,
    OnCallSchedule,
    Preferences,
    PushSubscription,
    ShiftSwap,
)
from alerts.services.oncall import on_call_now
from alerts.services.oncall.reading import of_person
from alerts.services.oncall.swapping import may_take
from alerts.services.people import is_reachable, masked, people_of, rungs_for, sees_address, unreachable
from alerts.services.people.methods import CODE_LIFE, OF_PEOPLE
from alerts.services.people.rungs import quiet_until
from alerts.services.people.wishes import MAY_CLIMB

ROWS = 6  # of a ladder on the page; more may be set over the API
MOST_PEOPLE = 500
MOST_ASKS = 50


@dataclass(frozen=True)
class Address:
    method: ContactMethod
    shown: str
    awaits_code: bool
    is_set_up: bool


@dataclass(frozen=True)
class Climb:
    """A rung as it would be climbed now: so many seconds after the page."""

    channel: str
    after_s: int
    address: str


@dataclass(frozen=True)
class Told:
    user: User
    addresses: list[Address]
    browsers: list[PushSubscription]
    ladders: list[tuple[str, str, list[tuple[str, int | str]]]]
    wishes: Preferences | None
    now: list[Climb]
    now_critical: list[Climb]
    quiet_now: datetime | None
    is_reachable: bool
    on_call: list[str]
    stands: list[str]
    asks: int  # open swaps this person may take


@dataclass(frozen=True)
class Listed:
    user: User
    channels: str
    is_reachable: bool
    stands: bool


def told_of(user: User, *, viewer: User) -> Told:
    now = timezone.now()
    rows = ContactMethod.objects.filter(user=user).order_by("channel", "pk")
    schedules = list(OnCallSchedule.objects.active().filter(of_person(user.pk)).order_by("code"))
    return Told(
        user=user,
        addresses=[_address(row, viewer, now) for row in rows],
        browsers=list(PushSubscription.objects.filter(user=user, gone_at=None)),
        ladders=[(one.value, str(one.label), _ladder(user, one)) for one in Importance],
        wishes=Preferences.objects.filter(user=user).first(),
        now=_climbs(user, now, critical=False),
        now_critical=_climbs(user, now, critical=True),
        quiet_now=quiet_until(user=user, critical=False, at=now),
        is_reachable=is_reachable(user),
        on_call=[one.name for one in schedules if user.pk in on_call_now(schedule_id=one.pk, at=now)],
        stands=[one.name for one in schedules],
        asks=_asks(user, schedules, now),
    )


def channels_to_add() -> list[tuple[str, str, bool]]:
    """Value, name, and whether this site can send by it."""
    ready = registry.configured()
    return [(one.value, str(one.label), one in ready) for one in OF_PEOPLE]


def channels_to_climb() -> list[tuple[str, str]]:
    return [(one.value, str(one.label)) for one in MAY_CLIMB]


def people_listed(viewer: User) -> list[Listed]:
    """Those of the viewer's jurisdiction, who cannot be reached first: on a rota before the rest."""
    people = list(people_of(viewer).filter(is_active=True).order_by("full_name", "username")[:MOST_PEOPLE])
    ids = [user.pk for user in people]
    away = unreachable(ids)
    standing = _standing(ids)
    ways = _ways(ids)
    rows = [Listed(user, ", ".join(ways.get(user.pk, ())), user.pk not in away, user.pk in standing) for user in people]
    return sorted(rows, key=lambda row: (row.is_reachable, not row.stands))


def contacts_listed(viewer: User) -> list[tuple[Contact, list[Address], bool]]:
    now = timezone.now()
    rows = Contact.objects.visible_to(viewer).filter(is_active=True).select_related("agency", "governorate").defer("governorate__boundary")
    found = []
    for contact in rows.prefetch_related("methods").order_by("kind", "code")[:MOST_PEOPLE]:
        addresses = [_address(method, viewer, now) for method in contact.methods.all()]
        found.append((contact, addresses, any(one.method.is_active for one in addresses)))
    return found


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _address(method: ContactMethod, viewer: User, now: datetime) -> Address:
    shown = method.address if sees_address(viewer, method) else masked(method.channel, method.address)
    awaits = bool(method.code_digest) and method.code_sent_at is not None and method.code_sent_at > now - CODE_LIFE
    return Address(method, shown, awaits, method.channel in registry.configured())


def _ladder(user: User, importance: str) -> list[tuple[str, int | str]]:
    rows = NotificationRule.objects.filter(user=user, importance=importance).order_by("position").values_list("channel", "wait_s")
    own: list[tuple[str, int | str]] = list(rows)
    return own + [("", "")] * max(ROWS - len(own), 1)


def _climbs(user: User, now: datetime, *, critical: bool) -> list[Climb]:
    found, at = [], 0
    for rung in rungs_for(user=user, importance=Importance.IMPORTANT if critical else Importance.DEFAULT, critical=critical, at=now):
        found.append(Climb(str(Channel(rung.channel).label), at, "" if rung.subscription_id else masked(rung.channel, rung.address)))
        at += rung.wait_s
    return found


def _asks(user: User, schedules: list[OnCallSchedule], now: datetime) -> int:
    rows = ShiftSwap.objects.filter(schedule__in=schedules, state=ShiftSwap.State.OPEN, ends_at__gt=now).select_related("schedule")
    return sum(may_take(user, swap) for swap in rows[:MOST_ASKS])


def _standing(ids: list[int]) -> set[int]:
    rows = LayerMember.objects.filter(user_id__in=ids, layer__schedule__is_active=True)
    return set(rows.values_list("user_id", flat=True))


def _ways(ids: list[int]) -> dict[int, list[str]]:
    ways: dict[int, list[str]] = {}
    proved = ContactMethod.objects.filter(user_id__in=ids, is_active=True, verified_at__isnull=False)
    for user_id, channel in proved.values_list("user_id", "channel").distinct().order_by("channel"):
        ways.setdefault(user_id, []).append(str(Channel(channel).label))
    for user_id in _browsers(ids):
        ways.setdefault(user_id, []).append(str(Channel.PUSH.label))
    return ways


def _browsers(ids: list[int]) -> Iterable[int]:
    return PushSubscription.objects.filter(user_id__in=ids, gone_at=None).values_list("user_id", flat=True).distinct()
