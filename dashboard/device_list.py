"""The list of devices: what narrows it, in what order, how many stand how, and what a line says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency, User
from dashboard.device_values import digits_of
from dashboard.filters import Key, ViewersNarrowing
from iot.models import Datastream, Device, DeviceGroup
from iot.models.profiles import DeviceKind

PAGE_SIZE = 100
MOST_GROUPS = 200
SHOWN_VALUES = 2
LOW_BATTERY_PCT = 20
STANDINGS = [
    ("use", _("In use")),
    ("offline", _("Offline")),
    ("battery", _("Low battery")),
    ("maintenance", _("In maintenance")),
    ("waiting", _("Waiting for approval")),
    ("all", _("All")),
]
ORDERS = [("attention", _("Needs somebody first")), ("code", _("By code")), ("seen", _("Last seen first"))]


def devices_for(user: User) -> QuerySet[Device]:
    rows: QuerySet[Device] = Device.objects.visible_to(user)
    return rows


def standing_of(name: str, now: datetime) -> Q:
    active = Q(state=Device.State.ACTIVE)
    return {
        "use": active,
        "offline": active & Q(status=Device.Status.OFFLINE),
        "battery": active & Q(battery_pct__lt=LOW_BATTERY_PCT),
        "maintenance": active & Q(maintenance_until__gt=now),
        "waiting": Q(state__in=[Device.State.QUARANTINED, Device.State.UNCLAIMED]),
        "all": Q(),
    }[name]


class DeviceFilter(ViewersNarrowing):
    """``?show=&q=&kind=&governorate=&agency=&group=&order=``. What is not understood is as if it had not been said."""

    show = forms.ChoiceField(required=False, choices=STANDINGS, label=_("Shown"))
    q = forms.CharField(required=False, max_length=64, label=_("Code or name"))
    kind = forms.ChoiceField(required=False, choices=DeviceKind, label=_("Kind"))
    governorate = Key(label=_("Governorate"))
    agency = Key(label=_("Agency"))
    group = Key(label=_("Group"))
    order = forms.ChoiceField(required=False, choices=ORDERS, label=_("Order"))

    @property
    def standing(self) -> str:
        return str(self.values.get("show", "use"))

    def narrowed(self, rows: QuerySet[Device]) -> QuerySet[Device]:
        """By everything but how a device stands."""
        values = self.values
        if "q" in values:
            text = values["q"]
            identities = Q(dev_eui=text.lower()) | Q(imei=text) | Q(msisdn=text)
            rows = rows.filter(Q(code__icontains=text) | Q(name__icontains=text) | identities)
        if "kind" in values:
            rows = rows.filter(profile__kind=values["kind"])
        if "governorate" in values:
            rows = rows.filter(governorate_id=values["governorate"])
        if "agency" in values:
            rows = rows.filter(agency_id=values["agency"])
        if "group" in values:
            rows = rows.filter(groups=values["group"])
        return rows

    def ordered(self, rows: QuerySet[Device]) -> QuerySet[Device]:
        order = self.values.get("order", "attention")
        if order == "code":
            return rows.order_by("code")
        if order == "seen":
            return rows.order_by("-last_seen_at", "code")
        worry = Case(
            When(state=Device.State.QUARANTINED, then=Value(0)),
            When(state=Device.State.ACTIVE, status=Device.Status.OFFLINE, then=Value(1)),
            When(state=Device.State.ACTIVE, battery_pct__lt=LOW_BATTERY_PCT, then=Value(2)),
            When(state=Device.State.ACTIVE, then=Value(3)),
            default=Value(4),
            output_field=IntegerField(),
        )
        return rows.annotate(worry=worry).order_by("worry", "code")

    @property
    def is_set(self) -> bool:
        return any(name not in ("show", "order") for name in self.values)

    def agencies(self) -> list[Agency]:
        return list(Agency.objects.filter(pk__in=devices_for(self.viewer).order_by().values("agency_id")).order_by("slug"))

    def groups(self) -> list[DeviceGroup]:
        return list(DeviceGroup.objects.visible_to(self.viewer).select_related("agency")[:MOST_GROUPS])

    def kinds(self) -> list[tuple[str, Any]]:
        return list(DeviceKind.choices)


@dataclass(frozen=True)
class Standing:
    text: Any
    count: int
    query: str
    is_here: bool


def standings(chosen: DeviceFilter, now: datetime) -> list[Standing]:
    counted = (
        chosen.narrowed(devices_for(chosen.viewer))
        .order_by()
        .aggregate(**{f"n_{name}": Count("pk", filter=standing_of(name, now) or Q(pk__isnull=False)) for name, _text in STANDINGS})
    )
    return [
        Standing(text, counted[f"n_{name}"], chosen.query_string(show=None if name == "use" else name), name == chosen.standing)
        for name, text in STANDINGS
    ]


@dataclass(frozen=True)
class Row:
    device: Device
    values: list[tuple[Datastream, int]]  # and with how many decimals all of its metric are written here

    @property
    def mark(self) -> str:
        """One word for how it stands: the state where that is not in use, else the status."""
        return mark_of(self.device)

    @property
    def is_low(self) -> bool:
        return self.device.battery_pct is not None and self.device.battery_pct < LOW_BATTERY_PCT


def mark_of(device: Device) -> str:
    if device.state != Device.State.ACTIVE:
        return str(device.state)
    return "maintenance" if device.is_in_maintenance else str(device.status)


def mark_words(device: Device) -> str:
    if device.state != Device.State.ACTIVE:
        return str(device.get_state_display())
    return str(_("In maintenance") if device.is_in_maintenance else device.get_status_display())


def rows_of(devices: list[Device]) -> list[Row]:
    """Each with its first values, by one question for all."""
    values: dict[int, list[Datastream]] = defaultdict(list)
    streams = Datastream.objects.filter(device__in=devices, last_at__isnull=False).select_related("metric").order_by("device_id", "pk")
    for stream in streams:
        if len(values[stream.device_id]) < SHOWN_VALUES:
            values[stream.device_id].append(stream)
    of_metric: dict[str, list[float | None]] = defaultdict(list)
    for told in values.values():
        for stream in told:
            of_metric[stream.metric.code].append(stream.last_value)
    digits = {code: digits_of(found) for code, found in of_metric.items()}
    return [Row(device, [(stream, digits[stream.metric.code]) for stream in values[device.pk]]) for device in devices]


@dataclass(frozen=True)
class DeviceList:
    filter: DeviceFilter
    standings: list[Standing]
    rows: list[Row]
    page_number: int
    has_more: bool
    now: datetime

    @property
    def next_query(self) -> str:
        return self.filter.query_string(page=self.page_number + 1)

    @property
    def is_synthetic(self) -> bool:
        return any(row.device.is_synthetic for row in self.rows)


def device_list(viewer: User, asked: Any, page_number: int) -> DeviceList:
    now = timezone.now()
    chosen = DeviceFilter(asked, viewer=viewer)
    found = chosen.narrowed(devices_for(viewer)).filter(standing_of(chosen.standing, now))
    first = (page_number - 1) * PAGE_SIZE
    ordered = chosen.ordered(found).select_related("profile", "agency", "governorate", "area")
    page = list(ordered.defer("governorate__boundary", "area__boundary")[first : first + PAGE_SIZE + 1])
    return DeviceList(chosen, standings(chosen, now), rows_of(page[:PAGE_SIZE]), page_number, len(page) > PAGE_SIZE, now)
