"""Where patrol's lists point, beside where incidents are reported and people live: a share far from the others wants a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from geography.models import Region, Zone
from incidents.models import Handover, Incident

OVER_DAYS = 91


@dataclass(frozen=True)
class Balance:
    """One governorate. Shares are of the region's total; ``None`` where there is no total, or no population is known."""

    governorate: Zone
    cells: int
    explored: int
    incidents: int
    share_of_cells: float | None
    share_of_incidents: float | None
    share_of_population: float | None


def bias_report(*, region: Region, now: datetime | None = None, days: int = OVER_DAYS) -> list[Balance]:
    """Every governorate of ``region``; whoever shows it leaves out what the viewer may not see."""
    since = (now or timezone.now()) - timedelta(days=days)
    cells: Counter[int] = Counter()
    explored: Counter[int] = Counter()
    for zone_id, reasons in Handover.objects.filter(surface__region=region, shift_from__gte=since).values_list("governorate_id", "reasons"):
        cells[zone_id] += len(reasons)
        explored[zone_id] += reasons.count("explore")
    reported = (
        Incident.objects.modelled()
        .filter(region=region, occurred_at__gte=since)
        .order_by()
        .values_list("governorate_id")
        .annotate(n=Count("pk"))
    )
    incidents: Counter[int] = Counter(dict(reported))
    zones = list(Zone.objects.level(Zone.Level.GOVERNORATE).filter(region=region).defer("boundary").order_by("code"))
    people = None if any(not zone.population for zone in zones) else sum(zone.population or 0 for zone in zones)
    all_cells, all_incidents = sum(cells[zone.pk] for zone in zones), sum(incidents[zone.pk] for zone in zones)
    return [
        Balance(
            zone,
            cells[zone.pk],
            explored[zone.pk],
            incidents[zone.pk],
            cells[zone.pk] / all_cells if all_cells else None,
            incidents[zone.pk] / all_incidents if all_incidents else None,
            (zone.population or 0) / people if people else None,
        )
        for zone in zones
    ]
