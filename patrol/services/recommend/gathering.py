"""Everything that an advice is made from, read once for all units: nine queries, however many units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, Max, Q

from incidents.models import Incident
from patrol.analytics.recommend import Candidate
from patrol.models import Assignment, Duty, Unit, UnitPosition
from patrol.permissions import Actor
from patrol.querysets import UnitQuerySet
from patrol.services.assignments.rights import lent_to
from patrol.services.recommend.ways import ways_to
from patrol.services.units import UnitState, states_of


@dataclass(frozen=True)
class Gathered:
    candidates: list[Candidate]
    provider: str


def units_for(incident: Incident, *, by: Actor | None) -> UnitQuerySet:
    """The incident's agency's units that the actor may see, and those lent to it; of its region, and in use."""
    own = Unit.objects.filter(agency=incident.agency_id)
    if by is not None:
        own = own.visible_to(by)
    wanted = Q(pk__in=own.values("pk"))
    for grant in lent_to(incident).filter(agreement__borrower=incident.agency_id):
        kinds = Q(kind__in=grant.agreement.unit_kinds) if grant.agreement.unit_kinds else Q()
        wanted |= Q(agency=grant.agreement.lender_id) & kinds
    return Unit.objects.filter(wanted, is_active=True, governorate__region=incident.region_id)


def candidates_for(incident: Incident, *, by: Actor | None, at: datetime) -> Gathered:
    """Every unit that could be thought of, with all that counts, as it is at ``at``. The incident has a place."""
    assert incident.location is not None
    rows = units_for(incident, by=by).order_by("pk").values_list("pk", "call_sign", "kind", "governorate_id", "agency_id")
    units: Sequence[Any] = list(rows)
    ids = [row[0] for row in units]
    states = states_of(ids)
    skills = _skills(ids)
    positions = {row.pk: row for row in UnitPosition.objects.filter(pk__in=ids).only("at", "location")}
    work = _work(ids, incident, at)
    rest, overtime = _rest(ids, at)
    known = [pk for pk in ids if pk in positions]
    origins = [(positions[pk].location.x, positions[pk].location.y) for pk in known]
    seconds, metres, provider = ways_to(incident.region, origins, (incident.location.x, incident.location.y), at=at)
    way = {pk: (float(s), float(m)) for pk, s, m in zip(known, seconds, metres, strict=True) if np.isfinite(s)}
    return Gathered(
        [
            _candidate(row, incident, states[row[0]], skills[row[0]], positions.get(row[0]), work[row[0]], rest.get(row[0]),
                       overtime.get(row[0], 0.0), way.get(row[0]), at)
            for row in units
        ],
        provider,
    )  # fmt: skip


def _candidate(
    row: Any,
    incident: Incident,
    state: UnitState,
    skills: set[str],
    position: UnitPosition | None,
    work: dict[str, int],
    rest: float | None,
    overtime: float,
    way: tuple[float, float] | None,
    at: datetime,
) -> Candidate:
    pk, call_sign, kind, governorate_id, agency_id = row
    return Candidate(
        unit=pk,
        call_sign=call_sign,
        kind=kind,
        skills=tuple(sorted(skills)),
        state=str(state.state),
        on_incident=work["elsewhere"] > 0,
        sent=work["here"] > 0,
        eta_s=round(way[0], 1) if way is not None else None,
        distance_m=round(way[1], 0) if way is not None else None,
        # A tracker a moment ahead of us is not older than nothing.
        position_age_s=round(max(0.0, (at - position.at).total_seconds()), 1) if position is not None else None,
        open_tasks=work["tasks"],
        given_today=work["today"],
        rest_h=round(rest, 2) if rest is not None else None,
        overtime_h=round(overtime, 2),
        is_home=governorate_id == incident.governorate_id,
        is_lent=agency_id != incident.agency_id,
    )


def _skills(ids: list[int]) -> dict[int, set[str]]:
    """A unit can do what it is equipped for and what those on duty on it can do."""
    found: dict[int, set[str]] = defaultdict(set)
    for pk, code in Unit.skills.through.objects.filter(unit_id__in=ids).values_list("unit_id", "skill__code"):
        found[pk].add(code)
    crew = Duty.objects.open().filter(unit_id__in=ids, member__skills__isnull=False)
    for pk, code in crew.values_list("unit_id", "member__skills__code"):
        found[pk].add(code)
    return found


def _work(ids: list[int], incident: Incident, at: datetime) -> dict[int, dict[str, int]]:
    midnight = at.astimezone(ZoneInfo(incident.region.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    opened = Assignment.objects.active(at=at).filter(unit_id__in=ids).values("unit_id").annotate(
        here=Count("pk", filter=Q(incident=incident)),
        elsewhere=Count("pk", filter=Q(incident__isnull=False) & ~Q(incident=incident)),
        tasks=Count("pk", filter=Q(incident=None)),
    )  # fmt: skip
    today = Assignment.objects.filter(unit_id__in=ids, assigned_at__gte=midnight).values("unit_id").annotate(n=Count("pk"))
    found: dict[int, dict[str, int]] = defaultdict(lambda: {"here": 0, "elsewhere": 0, "tasks": 0, "today": 0})
    for row in opened:
        found[row["unit_id"]].update(here=row["here"], elsewhere=row["elsewhere"], tasks=row["tasks"])
    for row in today:
        found[row["unit_id"]]["today"] = row["n"]
    return found


def _rest(ids: list[int], at: datetime) -> tuple[dict[int, float], dict[int, float]]:
    """Hours of rest before this duty of whoever rested least, where a duty before it is known; hours beyond its expected end."""
    crews = list(Duty.objects.open().filter(unit_id__in=ids).values_list("unit_id", "member_id", "started_at", "expected_until"))
    members = [member for _unit, member, _start, _until in crews if member is not None]
    since = min((start for _unit, _member, start, _until in crews), default=at)
    before = Duty.objects.filter(member_id__in=members, ended_at__isnull=False, ended_at__gte=since - timedelta(days=14))
    last = dict(before.values_list("member_id").annotate(last=Max("ended_at")).values_list("member_id", "last"))
    rest: dict[int, float] = {}
    overtime: dict[int, float] = {}
    for unit, member, start, until in crews:
        if member in last:
            hours = max(0.0, (start - last[member]).total_seconds() / 3600)
            rest[unit] = min(rest.get(unit, hours), hours)
        if until is not None and at > until:
            overtime[unit] = max(overtime.get(unit, 0.0), (at - until).total_seconds() / 3600)
    return rest, overtime
