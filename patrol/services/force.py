"""Units and vehicles leave use and come back; nothing the past leans on is removed."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, NotFound
from core.events import publish
from patrol import events
from patrol.models import Assignment, Duty, Member, RosterEntry, Unit, Vehicle
from patrol.permissions import Actor, require, sees
from patrol.services.acting import reasoned
from patrol.services.words import clock

SHOWN = 5


@transaction.atomic
def retire_unit(*, unit: Unit, by: Actor | None, reason: str) -> Unit:
    """Take a unit out of use: only when it holds no open assignment, is off duty and on no roster ahead. What stands against it is said."""
    require(by, "manage_force")
    if not sees(by, unit):
        raise NotFound(_("There is no such unit."))
    reason = reasoned(reason)
    # Whoever assigns it meanwhile locks the same row.
    unit = Unit.objects.select_for_update(no_key=True, of=("self",)).select_related("governorate__region").get(pk=unit.pk)
    against: list[str] = []
    held = list(Assignment.objects.open().filter(unit=unit).select_related("incident__region").order_by("pk")[: SHOWN + 1])
    if held:
        named = ", ".join(one.incident.ref if one.incident else one.title or str(one.get_kind_display()) for one in held[:SHOWN])
        against.append(_("open assignments: %(which)s") % {"which": named + ("…" if len(held) > SHOWN else "")})
    if Duty.objects.open().filter(unit=unit).exists():
        against.append(_("it is on duty"))
    ahead = RosterEntry.objects.standing().filter(unit=unit, ends_at__gt=timezone.now()).order_by("starts_at").first()
    if ahead is not None:
        against.append(_("it is on the roster on %(when)s") % {"when": clock(ahead.starts_at, unit.governorate.region)})
    if against:
        raise Conflict(_("%(unit)s cannot be taken out of use: %(why)s.") % {"unit": unit, "why": "; ".join(against)})
    return _set_unit(unit, False, by, reason)


@transaction.atomic
def return_unit(*, unit: Unit, by: Actor | None, reason: str) -> Unit:
    require(by, "manage_force")
    if not sees(by, unit):
        raise NotFound(_("There is no such unit."))
    return _set_unit(unit, True, by, reasoned(reason))


def _set_unit(unit: Unit, is_active: bool, by: Actor | None, reason: str) -> Unit:
    if not Unit.objects.filter(pk=unit.pk, is_active=not is_active).update(is_active=is_active):
        raise Conflict(
            _("%(unit)s is in use already.") % {"unit": unit} if is_active else _("%(unit)s is out of use already.") % {"unit": unit}
        )
    unit.is_active = is_active
    audit.record("unit.return" if is_active else "unit.retire", obj=unit, by=by, after={"is_active": is_active}, reason=reason)
    publish(
        events.UNIT_RETURNED if is_active else events.UNIT_RETIRED,
        subject=unit,
        data={"unit": unit.pk},
        agency_id=unit.agency_id,
        governorate_id=unit.governorate_id,
    )
    return unit


@transaction.atomic
def take_vehicle_out(*, vehicle: Vehicle, by: Actor | None, reason: str) -> Vehicle:
    """It breaks down when it does, on duty or not: its units show as out of service, and why."""
    return _set_vehicle(vehicle, by, reasoned(reason)[:200], reason="")


@transaction.atomic
def put_vehicle_back(*, vehicle: Vehicle, by: Actor | None, reason: str) -> Vehicle:
    return _set_vehicle(vehicle, by, "", reason=reasoned(reason))


def _set_vehicle(vehicle: Vehicle, by: Actor | None, why: str, *, reason: str) -> Vehicle:
    require(by, "manage_force")
    if not sees(by, vehicle):
        raise NotFound(_("There is no such vehicle."))
    before = vehicle.out_of_service
    rows = Vehicle.objects.filter(pk=vehicle.pk)
    rows = rows.filter(out_of_service="") if why else rows.exclude(out_of_service="")
    if not rows.update(out_of_service=why):
        text = _("%(vehicle)s is out of service already.") if why else _("%(vehicle)s is in service.")
        raise Conflict(text % {"vehicle": vehicle})
    vehicle.out_of_service = why
    units = list(Unit.objects.filter(vehicle=vehicle, is_active=True).order_by("pk").values_list("pk", flat=True))
    verb = "vehicle.out" if why else "vehicle.back"
    after = {"out_of_service": why, "units": units}
    audit.record(verb, obj=vehicle, by=by, before={"out_of_service": before}, after=after, reason=why or reason)
    publish(
        events.VEHICLE_OUT if why else events.VEHICLE_BACK,
        subject=vehicle,
        data={"vehicle": vehicle.pk, "units": units},
        agency_id=vehicle.agency_id,
        governorate_id=vehicle.governorate_id,
    )
    return vehicle


@transaction.atomic
def retire_member(*, member: Member, by: Actor | None, reason: str) -> Member:
    """A person leaves the force: off duty first, and off the roster ahead."""
    require(by, "manage_force")
    if not sees(by, member):
        raise NotFound(_("There is no such person."))
    reason = reasoned(reason)
    member = Member.objects.select_for_update(no_key=True, of=("self",)).select_related("governorate__region").get(pk=member.pk)
    if Duty.objects.open().filter(member=member).exists():
        raise Conflict(_("%(who)s is on duty: off duty first.") % {"who": member})
    ahead = RosterEntry.objects.standing().filter(member=member, ends_at__gt=timezone.now()).order_by("starts_at").first()
    if ahead is not None:
        when = clock(ahead.starts_at, member.governorate.region)
        raise Conflict(_("%(who)s is on the roster on %(when)s: off the roster first.") % {"who": member, "when": when})
    return _set_member(member, False, by, reason)


@transaction.atomic
def return_member(*, member: Member, by: Actor | None, reason: str) -> Member:
    require(by, "manage_force")
    if not sees(by, member):
        raise NotFound(_("There is no such person."))
    return _set_member(member, True, by, reasoned(reason))


def _set_member(member: Member, is_active: bool, by: Actor | None, reason: str) -> Member:
    if not Member.objects.filter(pk=member.pk, is_active=not is_active).update(is_active=is_active):
        raise Conflict(_("Nothing changed: look again."))
    member.is_active = is_active
    audit.record("member.return" if is_active else "member.retire", obj=member, by=by, after={"is_active": is_active}, reason=reason)
    return member
