"""How the fleet stands: who is online by kind, place and gateway, what is away, batteries, clocks, firmware. Of devices in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Abs
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from dashboard.device_list import LOW_BATTERY_PCT, devices_for
from geography.models import Zone
from iot.analytics.battery import Battery
from iot.models import Device, DeviceOutage
from iot.models.profiles import DeviceKind
from iot.services.batteries import forecasts

SHOWN = 20
SKEWED_S = 5.0  # as the writer marks them
LOOKED_AT = 60  # batteries that are forecast: the emptiest; a fuller one helps nobody
BATTERIES = ((0, 10), (10, 20), (20, 50), (50, 80), (80, 101))


@dataclass(frozen=True)
class Share:
    """Of ``of`` devices ``online`` are heard; those in maintenance are counted apart."""

    name: str
    online: int
    offline: int
    of: int
    query: str = ""

    @property
    def percent(self) -> int | None:
        return int(100 * self.online / self.of) if self.of else None

    @property
    def level(self) -> str:
        return "unknown" if self.percent is None else "good" if self.percent >= 95 else "fair" if self.percent >= 80 else "poor"


@dataclass(frozen=True)
class Bar:
    name: str
    count: int
    percent: float


@dataclass(frozen=True)
class Low:
    """One of the emptiest batteries; ``lasts`` is ``None`` where no day of it was noted yet."""

    device: Device
    lasts: Battery | None


@dataclass(frozen=True)
class Fleet:
    whole: Share
    unheard: int
    in_maintenance: int
    waiting: int
    flapping: int
    kinds: Sequence[Share]
    governorates: Sequence[Share]
    gateways: Sequence[Share]
    outages: Sequence[DeviceOutage]
    outages_open: int
    outages_day: int
    batteries: Sequence[Bar]
    low: Sequence[Low]
    unknown: int  # of those looked at: how many nobody can say when they end
    looked_at: int
    skewed: Sequence[Device]
    skewed_count: int
    firmware: Sequence[tuple[str, Sequence[Bar]]]
    is_synthetic: bool
    now: datetime


def fleet_of(viewer: User) -> Fleet:
    now = timezone.now()
    mine = devices_for(viewer)
    in_use = mine.filter(state=Device.State.ACTIVE)
    counted = in_use.order_by().aggregate(
        online=_online(), offline=_offline(), of=Count("pk"), unheard=Count("pk", filter=Q(status=Device.Status.UNHEARD)),
        flapping=Count("pk", filter=Q(flapping_since__isnull=False)), maintenance=Count("pk", filter=Q(maintenance_until__gt=now)),
        synthetic=Count("pk", filter=Q(is_synthetic=True)),
    )  # fmt: skip
    outages: Any = DeviceOutage.objects.visible_to(viewer)
    is_open = outages.filter(ended_at=None, device__state=Device.State.ACTIVE)
    low, unknown, looked_at = _low(in_use, now)
    skewed = in_use.annotate(off=Abs("clock_skew_s")).filter(off__gt=SKEWED_S).order_by("-off")
    return Fleet(
        whole=Share(_("All devices in use"), counted["online"], counted["offline"], counted["of"]),
        unheard=counted["unheard"],
        in_maintenance=counted["maintenance"],
        waiting=mine.filter(state=Device.State.QUARANTINED).count(),
        flapping=counted["flapping"],
        kinds=_by_kind(in_use),
        governorates=_by_governorate(in_use),
        gateways=_by_gateway(in_use),
        outages=list(is_open.select_related("device__profile", "device__area", "device__governorate").order_by("began_at")[:SHOWN]),
        outages_open=is_open.count(),
        outages_day=outages.filter(noticed_at__gt=now - timedelta(days=1)).count(),
        batteries=_batteries(in_use),
        low=low,
        unknown=unknown,
        looked_at=looked_at,
        skewed=list(skewed.select_related("profile")[:SHOWN]),
        skewed_count=skewed.count(),
        firmware=_firmware(in_use),
        is_synthetic=bool(counted["synthetic"]),
        now=now,
    )


def _online() -> Count:
    return Count("pk", filter=Q(status=Device.Status.ONLINE))


def _offline() -> Count:
    return Count("pk", filter=Q(status=Device.Status.OFFLINE))


def _shares(rows: QuerySet[Device], by: str) -> list[dict[str, Any]]:
    return list(rows.order_by().values(by).annotate(online=_online(), offline=_offline(), of=Count("pk")).order_by("-of"))


def _by_kind(rows: QuerySet[Device]) -> list[Share]:
    return [
        Share(str(DeviceKind(row["profile__kind"]).label), row["online"], row["offline"], row["of"], f"kind={row['profile__kind']}")
        for row in _shares(rows, "profile__kind")
    ]


def _by_governorate(rows: QuerySet[Device]) -> list[Share]:
    counted = _shares(rows, "governorate_id")
    zones = Zone.objects.defer("boundary").in_bulk([row["governorate_id"] for row in counted if row["governorate_id"]])
    return [
        Share(
            zones[row["governorate_id"]].name if row["governorate_id"] else _("No place"),
            row["online"],
            row["offline"],
            row["of"],
            f"governorate={row['governorate_id']}" if row["governorate_id"] else "",
        )
        for row in counted
    ]


def _by_gateway(rows: QuerySet[Device]) -> list[Share]:
    counted = _shares(rows.filter(gateway__isnull=False).annotate(through=F("gateway__code")), "through")[:SHOWN]
    return [Share(row["through"], row["online"], row["offline"], row["of"]) for row in counted]


def _batteries(rows: QuerySet[Device]) -> list[Bar]:
    told = rows.filter(battery_pct__isnull=False).order_by().aggregate(
        **{f"from_{low}": Count("pk", filter=Q(battery_pct__gte=low, battery_pct__lt=high)) for low, high in BATTERIES}
    )  # fmt: skip
    most = max([*told.values(), 1])
    return [Bar(f"{low}–{min(high, 100)}%", told[f"from_{low}"], 100 * told[f"from_{low}"] / most) for low, high in BATTERIES]


def _low(rows: QuerySet[Device], now: datetime) -> tuple[list[Low], int, int]:
    """The batteries that end first, then the emptiest of those nobody can say it of; of how many, among how many looked at."""
    emptiest = list(rows.filter(battery_pct__isnull=False).select_related("profile").order_by("battery_pct", "code")[:LOOKED_AT])
    lasting = forecasts([device.pk for device in emptiest], now=now)
    found = [Low(device, lasting.get(device.pk)) for device in emptiest]
    known = sorted((one for one in found if _days(one) is not None), key=lambda one: _days(one) or 0.0)
    unknown = [one for one in found if _days(one) is None]
    worth_a_line = [one for one in unknown if (one.device.battery_pct or 0.0) < LOW_BATTERY_PCT]
    return [*known, *worth_a_line][:SHOWN], len(unknown), len(found)


def _days(one: Low) -> float | None:
    return one.lasts.days_left if one.lasts is not None else None


def _firmware(rows: QuerySet[Device]) -> list[tuple[str, list[Bar]]]:
    counted = rows.exclude(firmware="").order_by().values("profile_id", "profile__code", "firmware").annotate(n=Count("pk"))
    by_profile: dict[int, list[dict[str, Any]]] = {}
    for row in counted.order_by("profile__code", "-n"):
        by_profile.setdefault(row["profile_id"], []).append(dict(row))
    names = {
        device.profile_id: device.profile.name for device in rows.select_related("profile").order_by("profile_id").distinct("profile_id")
    }
    return [
        (names[pk], [Bar(row["firmware"], row["n"], 100 * row["n"] / sum(each["n"] for each in found)) for row in found[:8]])
        for pk, found in by_profile.items()
    ]
