"""How full batteries were, day by day, and when they will be empty if it goes on like this."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from django.utils import timezone

from iot.analytics.battery import Battery, battery
from iot.models import BatteryDay, Device

HISTORY = timedelta(days=400)


def keep_levels(*, now: datetime) -> int:
    """What each device last told of its battery today, told again until the day is over; how many there were."""
    day = timezone.localtime(now).date()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    told = Device.objects.in_use().filter(battery_pct__isnull=False, last_seen_at__gte=midnight).values_list("pk", "battery_pct")
    rows = [BatteryDay(device_id=pk, day=day, level_pct=level) for pk, level in told]
    BatteryDay.objects.bulk_create(
        rows, batch_size=2_000, update_conflicts=True, unique_fields=["device", "day"], update_fields=["level_pct"]
    )
    return len(rows)


def forget_old_levels(*, now: datetime) -> int:
    return BatteryDay.objects.filter(day__lt=timezone.localtime(now - HISTORY).date()).delete()[0]


def forecasts(devices: Iterable[int], *, now: datetime) -> dict[int, Battery]:
    """When each battery is empty, or why nobody can say; devices that never told of a battery are not in it."""
    levels: dict[int, list[tuple[float, float]]] = defaultdict(list)
    rows = BatteryDay.objects.filter(device__in=list(devices), day__lte=timezone.localtime(now).date()).order_by()
    for device, day, level in rows.values_list("device_id", "day", "level_pct"):
        levels[device].append((datetime.combine(day, time(), UTC).timestamp(), level))
    return {
        device: battery([at for at, _level in told], [level for _at, level in told], now_s=now.timestamp())
        for device, told in levels.items()
    }
