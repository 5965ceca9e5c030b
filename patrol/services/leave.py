"""People are away: granted and withdrawn beside the roster, never against it in silence."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotFound
from patrol.models import Leave, Member, RosterEntry
from patrol.permissions import Actor, require, sees
from patrol.services.acting import person_id, reasoned
from patrol.services.words import clock

MOST_LEAVE = timedelta(days=366)
SHOWN = 5


@transaction.atomic
def grant_leave(*, member: Member, kind: str, starts_at: datetime, ends_at: datetime, by: Actor | None) -> Leave:
    """Refused while the roster has the person in that time (the shifts are named), or while they are away already."""
    require(by, "roster")
    if not sees(by, member):
        raise NotFound(_("There is no such person."))
    problems: dict[str, str] = {}
    if kind not in Leave.Kind.values:
        problems["kind"] = _("There is no such kind of leave.")
    if ends_at <= starts_at:
        problems["ends_at"] = _("It must end after it begins.")
    elif ends_at - starts_at > MOST_LEAVE:
        problems["ends_at"] = _("At most a year.")
    if problems:
        raise Invalid(_("The leave cannot be granted like this."), fields=problems)
    # Nobody puts them on the roster meanwhile.
    member = Member.objects.select_for_update(no_key=True, of=("self",)).select_related("governorate__region").get(pk=member.pk)
    region = member.governorate.region
    other = Leave.objects.filter(member=member, is_cancelled=False, starts_at__lt=ends_at, ends_at__gt=starts_at).first()
    if other is not None:
        span = {"who": member, "from": clock(other.starts_at, region), "to": clock(other.ends_at, region)}
        raise Conflict(_("%(who)s is on leave from %(from)s to %(to)s.") % span)
    planned = RosterEntry.objects.standing().filter(member=member, starts_at__lt=ends_at, ends_at__gt=starts_at).order_by("starts_at")
    starts = list(planned.values_list("starts_at", flat=True)[: SHOWN + 1])
    if starts:
        when = "; ".join(clock(start, region) for start in starts[:SHOWN]) + ("…" if len(starts) > SHOWN else "")
        raise Conflict(_("%(who)s is on the roster in that time: %(when)s. Take them off first.") % {"who": member, "when": when})
    made = Leave.objects.create(member=member, kind=kind, starts_at=starts_at, ends_at=ends_at, created_by_id=person_id(by))
    after = {"kind": kind, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    audit.record("leave.grant", obj=made, by=by, after=after)
    return made


@transaction.atomic
def withdraw_leave(*, leave: Leave, by: Actor | None, reason: str) -> Leave:
    require(by, "roster")
    if not sees(by, leave.member):
        raise NotFound(_("There is no such leave."))
    reason = reasoned(reason)
    if not Leave.objects.filter(pk=leave.pk, is_cancelled=False).update(is_cancelled=True):
        raise Conflict(_("It was withdrawn already."))
    leave.refresh_from_db()
    audit.record("leave.withdraw", obj=leave, by=by, after={"is_cancelled": True}, reason=reason)
    return leave
