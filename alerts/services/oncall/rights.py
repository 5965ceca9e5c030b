"""Who may stand on a schedule, and who may see it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import Role
from alerts.models import OnCallSchedule
from alerts.permissions import Actor
from alerts.querysets import ScheduleQuerySet
from alerts.services.oncall.reading import of_person
from core.errors import Invalid, NotFound

MAX_REASON = 400
LATE = timedelta(minutes=5)  # a form that was open for a while may still name the minute it was opened in


def seen_by(viewer: object) -> ScheduleQuerySet:
    """The schedules of one's jurisdiction, for those who see alerts; for anybody else of it only those they stand on."""
    rows: ScheduleQuerySet = OnCallSchedule.objects.visible_to(viewer)
    if getattr(viewer, "audit_kind", "") == "key" or getattr(viewer, "can", lambda _verb: False)("see_alerts"):
        return rows
    return rows.filter(of_person(getattr(viewer, "pk", None) or 0))


def candidates(schedule: OnCallSchedule) -> QuerySet[User]:
    """People who work where the schedule is for: of its agency or of all, in its governorate or in every one."""
    here = Q(agency_id=schedule.agency_id) | Q(sees_all_agencies=True)
    if schedule.governorate_id is not None:
        placed = User.governorates.through.objects.filter(zone_id=schedule.governorate_id)
        here &= Q(sees_all_governorates=True) | Q(pk__in=placed.values("user_id"))
    return User.objects.filter(here, is_active=True).exclude(role__in=[Role.PARTNER, Role.AUDITOR]).order_by("full_name", "username")


def check_people(schedule: OnCallSchedule, user_ids: Iterable[int], *, field: str) -> None:
    """Refuse whoever cannot stand on it: closed accounts by name, anybody from elsewhere as if they were not there."""
    asked = set(user_ids)
    strange = asked - set(candidates(schedule).filter(pk__in=asked).values_list("pk", flat=True))
    if not strange:
        return
    closed = User.objects.filter(pk__in=strange, is_active=False, agency_id=schedule.agency_id).order_by("username").first()
    if closed is not None:
        message = _("%(who)s's account is closed: choose somebody else.") % {"who": closed}
        raise Invalid(message, fields={field: message})
    raise NotFound(_("There is no such person here."))


def check_span(starts_at: datetime, ends_at: datetime, *, most_days: int) -> datetime:
    """The start as it is kept. Refuses the past, a span turned round and one that is too long."""
    now = timezone.now()
    if ends_at <= starts_at:
        raise Invalid(_("It ends before it begins."), fields={"ends_at": _("It ends before it begins.")})
    if ends_at <= now or starts_at < now - LATE:
        message = _("That time has passed: what was, stays as it was.")
        raise Invalid(message, fields={"starts_at": message})
    if ends_at - starts_at > timedelta(days=most_days):
        message = _("At most %(n)d days.") % {"n": most_days}
        raise Invalid(message, fields={"ends_at": message})
    return max(starts_at, now)


def user_id_of(by: Actor | None) -> int | None:
    """The account behind the actor; a key and the system have none."""
    return getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None
