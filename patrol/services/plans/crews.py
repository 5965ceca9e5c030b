"""Which units a shift has for patrol, from its roster, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid
from geography.models import Zone
from patrol.models import Leave, RosterEntry, Shift, Unit, UnitKind, ZoneAssignment

# Those that drive a route of short stops; others wait for calls, walk, or sail.
PATROLS = frozenset({UnitKind.PATROL, UnitKind.MOTORCYCLE, UnitKind.TRAFFIC})


@dataclass(frozen=True)
class Crew:
    unit: Unit
    starts_at: datetime
    ends_at: datetime


def crews_of(shift: Shift, *, most: int | None = None) -> list[Crew]:
    """The units on the roster that can patrol, by call sign; at most ``most`` of them.

    Raises ``Conflict`` that says why there are none, ``Invalid`` for more than there are.
    """
    away = Leave.objects.filter(
        member=OuterRef("member"), is_cancelled=False, starts_at__lt=OuterRef("ends_at"), ends_at__gt=OuterRef("starts_at")
    )
    entries = RosterEntry.objects.standing().filter(shift=shift).exclude(Exists(away))
    rows = entries.filter(unit__isnull=False).select_related("unit__station", "unit__team").order_by("unit__call_sign", "pk")
    found: dict[int, Crew] = {}
    left_out: list[Unit] = []
    for entry in rows:
        unit = entry.unit
        assert unit is not None
        known = found.get(unit.pk)
        if known is not None:
            found[unit.pk] = Crew(unit, min(known.starts_at, entry.starts_at), max(known.ends_at, entry.ends_at))
        elif unit.is_active and unit.kind in PATROLS and unit.station.is_active:
            found[unit.pk] = Crew(unit, entry.starts_at, entry.ends_at)
        elif unit not in left_out:
            left_out.append(unit)
    crews = list(found.values())
    if not crews:
        raise Conflict(_why_none(shift, entries.count(), left_out))
    if most is not None and not 1 <= most <= len(crews):
        raise Invalid(
            _("Not so many units can be planned for."),
            fields={"units": _("From 1 to %(most)d: so many are on the roster of this shift.") % {"most": len(crews)}},
        )
    return crews[:most]


def _why_none(shift: Shift, entries: int, left_out: list[Unit]) -> str:
    local = timezone.localtime(shift.starts_at, shift.governorate.region.zone_info)
    facts = {"shift": f"{local:%Y-%m-%d %H:%M}", "n": entries, "units": ", ".join(unit.call_sign for unit in left_out[:10])}
    if not entries:
        return _("Nobody is rostered for this shift: %(shift)s.") % facts
    if not left_out:
        return _("Nobody on the roster of %(shift)s is on a unit: put crews on units first.") % facts
    return _("No unit on the roster of %(shift)s can patrol: %(units)s are out of use or of another kind.") % facts


def areas_of(crew: Crew) -> list[int] | None:
    """The areas the unit's team answers for in that time; ``None`` where it answers for none in particular."""
    if crew.unit.team_id is None:
        return None
    rows = ZoneAssignment.objects.filter(
        team=crew.unit.team_id, cancelled_at=None, starts_at__lt=crew.ends_at, ends_at__gt=crew.starts_at
    ).select_related("zone")
    areas: set[int] = set()
    for row in rows.defer("zone__boundary"):
        zone: Any = row.zone
        if zone.level in (Zone.Level.COUNTRY, Zone.Level.GOVERNORATE):
            return None
        areas.add(zone.pk if zone.level == Zone.Level.AREA else zone.parent_id or zone.pk)
    return sorted(areas) or None
