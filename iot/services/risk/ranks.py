"""How frequent incidents are in each area: a rank from 0 (fewest) to 1 (most), reckoned anew each local day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from geography.models import Zone
from incidents.models import Incident

WINDOW = timedelta(days=180)
KEPT_S = 2 * 86_400
FREQUENT = 0.75  # the rank from which incidents are called frequent


@dataclass(frozen=True)
class Frequency:
    """``rank``: which share of its region's areas had fewer incidents (half of those that had as many); ``count``: how many it had."""

    rank: float
    count: int


def frequencies(at: datetime) -> dict[int, Frequency]:
    """By area, over the half year before the local day of ``at``; areas without an incident are in it, too. Empty where there are none.

    Kept for the day; after ten thousand incidents more an import has come, and it is reckoned anew."""
    midnight = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    newest = Incident.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return {}
    key = f"iot:frequencies:{midnight:%Y-%m-%d}:{newest // 10_000}"
    found: dict[int, Frequency] | None = cache.get(key)
    if found is None:
        found = _counted(midnight)
        cache.set(key, found, KEPT_S)
    return found


def _counted(midnight: datetime) -> dict[int, Frequency]:
    areas = dict(Zone.objects.filter(level=Zone.Level.AREA, is_active=True).values_list("pk", "region_id"))
    rows = Incident.objects.modelled().occurred_between(midnight - WINDOW, midnight).filter(area__in=areas)
    counts = dict.fromkeys(areas, 0) | dict(rows.values_list("area_id").annotate(n=Count("pk")).order_by())
    found: dict[int, Frequency] = {}
    for region in set(areas.values()):
        mine = [area for area, of in areas.items() if of == region]
        values = np.array([counts[area] for area in mine], dtype=np.int64)
        if values.any():
            below, same = (values[:, None] > values[None, :]).sum(axis=1), (values[:, None] == values[None, :]).sum(axis=1) - 1
            ranks = (below + same / 2) / max(len(mine) - 1, 1)
            found |= {area: Frequency(float(rank), counts[area]) for area, rank in zip(mine, ranks, strict=True)}
    return found
