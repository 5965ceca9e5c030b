"""Calls for help. A press is never debounced and never metered; it is a row before it is answered, and rings until a person answers it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.gis.geos import Point
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.events import publish
from geography.services.resolve import place_of
from patrol import events
from patrol.models import Duty, Member, Sos, UnitPosition
from patrol.permissions import may, sees

REPEAT_S = 10
MOST_WRONG_CODES = 5
MOST_OUTCOME = 400
LEAST_DIGITS, MOST_DIGITS = 4, 8


@dataclass(frozen=True)
class Raised:
    """The call, and whether this press made it (else it was sent before)."""

    sos: Sos
    is_new: bool


def point_from(lon: object, lat: object) -> Point | None:
    """A place on the earth, or nothing: a call is never refused for its coordinates."""
    try:
        x, y = float(lon), float(lat)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return Point(x, y, srid=4326) if -180 <= x <= 180 and -90 <= y <= 90 else None


def metres_from(value: object) -> float | None:
    try:
        metres = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return metres if math.isfinite(metres) and metres >= 0 else None


def raise_sos(
    *,
    key: UUID,
    user: User,
    pressed_at: datetime,
    location: Point | None = None,
    accuracy_m: float | None = None,
    located_at: datetime | None = None,
    is_silent: bool = False,
) -> Raised:
    """Write the call down and announce it. The same ``key`` is the same call, however often it is sent; another press is another call.

    Without a place of the phone's the unit's last position stands in, with its own time. A phone's clock is believed unless it says
    the future.
    """
    if not may(user, "raise_sos"):
        raise NotAllowed(_("Your role does not allow this."))
    known = _known(key, user)
    if known is not None:
        return Raised(known, False)
    now = timezone.now()
    member = Member.objects.filter(user=user).first()
    duty = Duty.objects.open().filter(member=member).select_related("unit").first() if member is not None else None
    unit = duty.unit if duty is not None else None
    located_at = min(located_at or pressed_at, now)
    if location is None and unit is not None:
        last = UnitPosition.objects.filter(unit=unit).first()
        if last is not None:
            location, located_at, accuracy_m = last.location, last.at, last.accuracy_m
    place = place_of(location) if location is not None else None
    belongs = unit or member
    try:
        with transaction.atomic():
            sos = Sos.objects.create(
                key=key,
                user=user,
                member=member,
                unit=unit,
                agency_id=belongs.agency_id if belongs is not None else user.agency_id,
                governorate_id=place.governorate_id if place is not None else None,
                pressed_at=min(pressed_at, now),
                received_at=now,
                location=location,
                location_at=located_at if location is not None else None,
                accuracy_m=accuracy_m if location is not None else None,
                is_silent=is_silent,
                is_synthetic=belongs.is_synthetic if belongs is not None else False,
            )
            _announce(events.SOS_RAISED, sos, unit=sos.unit_id, user=user.pk)
            audit.record("sos.raise", obj=sos, by=user)
    except IntegrityError:
        # The same press came in twice at once: the other one wrote it.
        known = _known(key, user)
        if known is None:
            raise
        return Raised(known, False)
    return Raised(sos, True)


def _known(key: UUID, user: User) -> Sos | None:
    found = Sos.objects.filter(key=key).first()
    if found is not None and found.user_id != user.pk:
        raise Conflict(_("This key belongs to somebody else's call. Press again."))
    return found


def _announce(type: str, sos: Sos, **data: Any) -> None:
    publish(type, subject=sos, data=data, agency_id=sos.agency_id, governorate_id=sos.governorate_id)


def sees_call(actor: Any, sos: Sos) -> bool:
    """By the place of the call, or by the unit of its caller."""
    return sees(actor, sos) or (sos.unit is not None and sees(actor, sos.unit))


def may_answer(actor: Any, sos: Sos) -> bool:
    """Whoever sees the call and answers calls; nobody answers their own."""
    return actor.can("answer_sos") and sees_call(actor, sos) and actor.pk != sos.user_id


def _require(by: Any, sos: Sos) -> None:
    if not sees_call(by, sos):
        raise NotFound(_("There is no such call."))
    if not by.can("answer_sos"):
        raise NotAllowed(_("Your role does not allow this."))
    if by.pk == sos.user_id:
        raise NotAllowed(_("Somebody else answers your call."))


@transaction.atomic
def acknowledge_sos(*, sos: Sos, by: User) -> Sos:
    """A person has seen it and acts on it: it rings no more. It stays open until it is ended."""
    _require(by, sos)
    if not Sos.objects.unanswered().filter(pk=sos.pk).update(acknowledged_by=by, acknowledged_at=timezone.now()):
        sos = Sos.objects.select_related("acknowledged_by").get(pk=sos.pk)
        if sos.ended_at is not None:
            raise Conflict(_("This call has ended."))
        raise Conflict(_("%(name)s has answered it already.") % {"name": sos.acknowledged_by})
    sos.refresh_from_db()
    _announce(events.SOS_ACKNOWLEDGED, sos, by=by.pk)
    audit.record("sos.acknowledge", obj=sos, by=by)
    return sos


@transaction.atomic
def end_sos(*, sos: Sos, by: User, outcome: str) -> Sos:
    """The call is over, and this is how it ended."""
    _require(by, sos)
    outcome = outcome.strip()
    if not outcome:
        raise Invalid(_("Say how it ended."), fields={"outcome": _("Say how it ended.")})
    now = timezone.now()
    if not Sos.objects.open().filter(pk=sos.pk).update(ended_by=by, ended_at=now, outcome=outcome[:MOST_OUTCOME]):
        raise Conflict(_("This call has ended."))
    Sos.objects.filter(pk=sos.pk, acknowledged_at=None).update(acknowledged_by=by, acknowledged_at=now)
    sos.refresh_from_db()
    _announce(events.SOS_ENDED, sos, by=by.pk, outcome=sos.outcome)
    audit.record("sos.end", obj=sos, by=by, after={"outcome": sos.outcome})
    return sos


# --- the caller's own codes ------------------------------------------------------------------------------------------


def set_codes(*, user: User, code: str, duress_code: str) -> Member:
    """The code that withdraws a call of one's own, and the one that only seems to. The door has confirmed the person's password."""
    member = Member.objects.filter(user=user).first()
    if member is None:
        raise NotAllowed(_("Your account belongs to nobody of the force."))
    problems = {name: problem for name, value in (("code", code), ("duress_code", duress_code)) if (problem := _problem_with(value))}
    if not problems and code == duress_code:
        problems["duress_code"] = _("Choose another than the first.")
    if problems:
        raise Invalid(_("These codes cannot be used."), fields=problems)
    Member.objects.filter(pk=member.pk).update(sos_code=make_password(code), duress_code=make_password(duress_code))
    audit.record("sos.codes", obj=member, by=user)
    member.refresh_from_db()
    return member


def _problem_with(code: str) -> str:
    if not (code.isascii() and code.isdigit() and LEAST_DIGITS <= len(code) <= MOST_DIGITS):
        return _("From 4 to 8 digits.")
    if len(set(code)) == 1:
        return _("Not the same digit throughout.")
    return ""


@transaction.atomic
def withdraw_sos(*, sos: Sos, user: User, code: str) -> bool:
    """The caller takes the call back with their code. The answer is whether it was taken, **and it is the same for the duress code**, which
    leaves the call open and has it ring again. Every wrong code is counted and told to the command side; after five none is taken."""
    if sos.user_id != user.pk:
        raise NotFound(_("There is no such call."))
    sos = Sos.objects.select_for_update().get(pk=sos.pk)
    if sos.ended_at is not None or sos.is_duress:
        raise Conflict(_("This call has ended."))
    member = Member.objects.filter(user=user).first()
    if member is None or not member.sos_code:
        raise Invalid(_("You have set no code. The command room ends this call."))
    if sos.wrong_codes >= MOST_WRONG_CODES:
        raise NotAllowed(_("Too many wrong codes. The command room ends this call."))
    # Both are always checked, so that neither is told by the time it takes.
    is_own, is_duress = check_password(code[:64], member.sos_code), check_password(code[:64], member.duress_code)
    now = timezone.now()
    if is_own:
        Sos.objects.filter(pk=sos.pk).update(withdrawn_at=now, ended_at=now, ended_by=user)
        _announce(events.SOS_WITHDRAWN, sos, by=user.pk)
    elif is_duress:
        # It rings anew for everybody, whoever had answered before.
        Sos.objects.filter(pk=sos.pk).update(
            is_duress=True, withdrawn_at=now, acknowledged_at=None, acknowledged_by=None, repeated_at=now, repeats=F("repeats") + 1
        )
        _announce(events.SOS_DURESS, sos)
    else:
        Sos.objects.filter(pk=sos.pk).update(wrong_codes=F("wrong_codes") + 1)
        _announce(events.SOS_CODE_REFUSED, sos, wrong=sos.wrong_codes + 1)
        return False
    # Of a withdrawal the trail says the same either way: whoever reads it over a shoulder learns nothing.
    audit.record("sos.withdraw", obj=sos, by=user)
    return True


def own_calls(user: User) -> list[Sos]:
    """The person's calls that their phone shows as running: a silent one, and one withdrawn under duress, it does not know of."""
    return list(Sos.objects.open().filter(user=user, is_duress=False, is_silent=False).select_related("acknowledged_by")[:20])


# --- sent again ------------------------------------------------------------------------------------------------------


def repeat_due(*, now: datetime | None = None) -> int:
    """Announce again each call nobody has answered, every ten seconds. The clock's and each open page's: whoever comes first."""
    now = now or timezone.now()
    before = now - timedelta(seconds=REPEAT_S)
    due = Sos.objects.unanswered().filter(Q(repeated_at__lte=before) | Q(repeated_at=None, received_at__lte=before))
    if not due.exists():
        return 0
    with transaction.atomic():
        calls = list(due.select_for_update(skip_locked=True)[:200])
        Sos.objects.filter(pk__in=[sos.pk for sos in calls]).update(repeats=F("repeats") + 1, repeated_at=now)
        for sos in calls:
            _announce(events.SOS_REPEATED, sos, repeats=sos.repeats + 1)
    return len(calls)
