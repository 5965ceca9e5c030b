"""Overrides: somebody takes a span, whatever the layers say."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.permissions import Actor, require
from alerts.services.oncall.rights import MAX_REASON, check_people, check_span, user_id_of
from alerts.services.oncall.schedules import announce
from core import audit
from core.errors import Conflict, Invalid

MOST_DAYS = 92


@transaction.atomic
def make_override(
    *,
    schedule: OnCallSchedule,
    by: Actor | None,
    user: User | None,
    starts_at: datetime,
    ends_at: datetime,
    reason: str = "",
    over_others: bool = False,
) -> OnCallOverride:
    """Put a person on call for a span (``None``: nobody, on purpose, which needs a reason). The newest wins where two overlap.

    Raises ``Invalid`` for the past, ``Conflict`` (field ``over_others``) where another stands there and ``over_others`` was not said.
    """
    locked = OnCallSchedule.objects.select_for_update().get(pk=schedule.pk)
    require(by, "manage_oncall", locked)
    reason = _reason(reason)
    starts_at = check_span(starts_at, ends_at, most_days=MOST_DAYS)
    if user is None and not reason:
        message = _("A hole made on purpose needs a reason.")
        raise Invalid(message, fields={"reason": message})
    if user is not None:
        check_people(locked, [user.pk], field="user")
    if not over_others and overlapping(locked, starts_at, ends_at).exists():
        message = _("Another override stands in this span. The newest wins: say that you mean it.")
        raise Conflict(message, fields={"over_others": message}, codes={"over_others": "overlaps"})
    return write_override(locked, user=user, starts_at=starts_at, ends_at=ends_at, reason=reason, by=by)


@transaction.atomic
def cancel_override(*, override: OnCallOverride, by: Actor | None, reason: str = "") -> OnCallOverride:
    """The layers count again. One that has ended stays in the record; one that has begun ends now."""
    require(by, "manage_oncall", override.schedule)
    reason = _reason(reason)
    now = timezone.now()
    mine = OnCallOverride.objects.filter(pk=override.pk, is_cancelled=False, ends_at__gt=now)
    if mine.filter(starts_at__lt=now).update(ends_at=now) == 0 and mine.update(is_cancelled=True) == 0:
        raise Conflict(_("This override has ended or was cancelled already."))
    before = {"starts_at": override.starts_at.isoformat(), "ends_at": override.ends_at.isoformat(), "user": override.user_id}
    override.refresh_from_db(fields=["ends_at", "is_cancelled"])
    audit.record("oncalloverride.cancel", obj=override, by=by, before=before, reason=reason)
    announce(override.schedule, "override")
    return override


def overlapping(schedule: OnCallSchedule, starts_at: datetime, ends_at: datetime) -> QuerySet[OnCallOverride]:
    return OnCallOverride.objects.filter(schedule=schedule, is_cancelled=False, starts_at__lt=ends_at, ends_at__gt=starts_at)


def write_override(
    schedule: OnCallSchedule, *, user: User | None, starts_at: datetime, ends_at: datetime, reason: str, by: Actor | None,
    swap: ShiftSwap | None = None,
) -> OnCallOverride:  # fmt: skip
    """The caller holds the schedule's lock and has judged the rest."""
    override = OnCallOverride.objects.create(
        schedule=schedule, user=user, starts_at=starts_at, ends_at=ends_at, reason=reason, swap=swap, created_by_id=user_id_of(by)
    )
    after = {
        "schedule": schedule.code, "user": user.pk if user else None, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat(),
        "swap": swap.pk if swap else None,
    }  # fmt: skip
    audit.record("oncalloverride.add", obj=override, by=by, after=after, reason=reason)
    announce(schedule, "override")
    return override


def _reason(text: str) -> str:
    text = " ".join(str(text).split())
    if len(text) > MAX_REASON:
        message = _("At most %(limit)d characters.") % {"limit": MAX_REASON}
        raise Invalid(_("The reason is too long."), fields={"reason": message})
    return text
