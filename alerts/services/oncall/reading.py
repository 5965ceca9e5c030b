"""Reading the calendar: the rows become a plan, the sums are in ``alerts.analytics.oncall``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Prefetch, Q
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.models import User
from alerts.analytics import oncall as calendar
from alerts.analytics.oncall import MOST_DAYS, Layer, Override, Schedule, Span
from alerts.models import LayerMember, OnCallLayer, OnCallOverride, OnCallSchedule, ShiftSwap
from core.errors import Invalid

AHEAD = timedelta(days=14)  # how far holes are looked for when a policy or a schedule is saved
NEXT_AHEAD = timedelta(days=35)
_MOMENT = timedelta(seconds=1)


def on_call_now(*, schedule_id: int, at: datetime | None = None) -> list[int]:
    """The people an alert pages at that moment: nobody for a hole, for a schedule out of use and for one that is not there."""
    at = at or timezone.now()
    schedule = OnCallSchedule.objects.active().filter(pk=schedule_id).first()
    return _people(spans(schedule=schedule, start=at, end=at + _MOMENT), at) if schedule is not None else []


def next_on_call(*, schedule: OnCallSchedule, at: datetime | None = None) -> Span | None:
    """The first span of somebody else than who is on call at ``at``, within five weeks."""
    at = at or timezone.now()
    found = [span for span in spans(schedule=schedule, start=at, end=at + NEXT_AHEAD) if span.user_id is not None]
    now = _people(found, at)
    return next((span for span in found if span.start > at and span.user_id not in now), None)


def spans(*, schedule: OnCallSchedule, start: datetime, end: datetime) -> list[Span]:
    """Who is on call between two moments, after layers and overrides; what is in no span is a hole."""
    check_window(start, end)
    return calendar.spans(plan_of(schedule, start=start, end=end), start, end)


def gaps(*, schedule: OnCallSchedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When nobody is on call between two moments. A schedule out of use is one hole."""
    if not schedule.is_active:
        check_window(start, end)
        return [(start, end)] if start < end else []
    return calendar.gaps(spans(schedule=schedule, start=start, end=end), start, end)


def check_window(start: datetime, end: datetime) -> None:
    if end - start > timedelta(days=MOST_DAYS) or end < start:
        message = ngettext("Ask for at most %(n)d day.", "Ask for at most %(n)d days.", MOST_DAYS) % {"n": MOST_DAYS}
        raise Invalid(message, fields={"end": message})


def plan_of(schedule: OnCallSchedule, *, start: datetime, end: datetime) -> Schedule:
    """What the sums need of one schedule for a window: its layers, the overrides that touch it, whose accounts are closed."""
    touching = OnCallOverride.objects.filter(schedule=schedule, is_cancelled=False, starts_at__lt=end, ends_at__gt=start)
    layers = [layer_of(row) for row in with_people(schedule)]
    overrides = tuple(Override(*row) for row in touching.order_by("pk").values_list("pk", "user_id", "starts_at", "ends_at"))
    people = {user_id for layer in layers for user_id in layer.people} | {one.user_id for one in overrides if one.user_id is not None}
    absent = User.objects.filter(pk__in=people, is_active=False).values_list("pk", flat=True) if people else ()
    return Schedule(schedule.time_zone, tuple(layers), overrides, frozenset(absent))


def with_people(schedule: OnCallSchedule) -> list[OnCallLayer]:
    people = Prefetch("members", LayerMember.objects.order_by("position", "pk"))
    return list(OnCallLayer.objects.filter(schedule=schedule).prefetch_related(people).order_by("position", "pk"))


def layer_of(row: OnCallLayer) -> Layer:
    return Layer(
        id=row.pk,
        position=row.position,
        rotation=row.rotation,
        every=row.every,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        handover_at=row.handover_at,
        only_from=row.only_from,
        only_to=row.only_to,
        only_weekdays=frozenset(row.only_weekdays),
        people=tuple(member.user_id for member in row.members.all()),
    )


def of_person(user_id: int, *, at: datetime | None = None) -> Q:
    """Schedules somebody stands on: in a layer, by an override that has not ended, or because a swap is asked of them."""
    at = at or timezone.now()
    overridden = OnCallOverride.objects.filter(user_id=user_id, is_cancelled=False, ends_at__gt=at).values("schedule_id")
    asked = ShiftSwap.objects.filter(asked_of_id=user_id, state=ShiftSwap.State.OPEN, ends_at__gt=at).values("schedule_id")
    layered = LayerMember.objects.filter(user_id=user_id).values("layer__schedule_id")
    return Q(pk__in=layered) | Q(pk__in=overridden) | Q(pk__in=asked)


def _people(found: Iterable[Span], at: datetime) -> list[int]:
    return [span.user_id for span in found if span.user_id is not None and span.start <= at < span.end]
