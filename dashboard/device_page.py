"""One device's page: its facts, last values, the curve of one metric, what happened to it, what it proves itself with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.models import AuditEntry
from dashboard.device_list import devices_for, mark_of, mark_words
from dashboard.device_values import digits_of
from iot.analytics.battery import Battery
from iot.curve import Curve, Sample, curve
from iot.models import Anomaly, Datastream, Device, DeviceCredential, DeviceOutage
from iot.quality import labels_of
from iot.services.anomalies.words import why as anomaly_why
from iot.services.batteries import forecasts
from iot.services.certificates import ENDING_WITHIN
from iot.services.history import Point, RawPoint, history

SPANS: dict[str, tuple[Promise, timedelta, int]] = {
    "hour": (_("Hour"), timedelta(hours=1), 360),
    "day": (_("Day"), timedelta(days=1), 300),
    "week": (_("Week"), timedelta(days=7), 200),
    "month": (_("Month"), timedelta(days=28), 240),
}
SHOWN_ROWS = 48  # of the curve as a table
SHOWN_EVENTS = 30
VERBS: dict[str, Promise] = {
    "device.register": _("Registered"),
    "device.announce": _("Announced itself"),
    "device.approve": _("Approved"),
    "device.change": _("Changed"),
    "device.suspend": _("Suspended"),
    "device.resume": _("Resumed"),
    "device.retire": _("Retired"),
    "device.key_issue": _("A key was issued"),
    "device.credential_revoke": _("A credential was revoked"),
    "device.certificate_issue": _("A certificate was issued"),
    "device.mqtt_password_issue": _("An MQTT password was issued"),
}


def find_device(viewer: User, code: str) -> Device | None:
    rows: Any = devices_for(viewer)
    found: Device | None = rows.for_list().select_related("gateway").filter(code=code).first()
    return found


@dataclass(frozen=True)
class Told:
    """A line of the curve's table."""

    at: datetime
    low: float
    mid: float
    high: float
    quality: str


@dataclass(frozen=True)
class Mark:
    """Where on the curve the readings of an anomaly lie."""

    anomaly: Anomaly
    why: str
    x: float
    wide: float


@dataclass(frozen=True)
class Chart:
    stream: Datastream
    span: str
    step_s: int
    curve: Curve
    table: Sequence[Told]
    low: float | None
    mean: float | None
    high: float | None
    count: int
    not_believed: int
    start: datetime
    end: datetime
    marks: Sequence[Mark] = ()

    @property
    def digits(self) -> int:
        return digits_of(value for row in self.table for value in (row.low, row.mid, row.high))

    def spans(self) -> list[tuple[str, Promise, bool]]:
        return [(name, label, name == self.span) for name, (label, _span, _points) in SPANS.items()]


def chart_of(stream: Datastream, span: str, now: datetime) -> Chart:
    _label, lasting, points = SPANS[span]
    end = timezone.localtime(now)
    start = end - lasting
    found = history(stream=stream, start=start, end=now, points=points)
    rows: Sequence[Point | RawPoint] = found.points if found.step_s else found.readings
    samples, table, count, bad = _read(rows)
    expected_s = max(found.step_s, stream.device.profile.expected_every_s)
    mids = [row.mid for row in samples]
    drawn = curve(samples, start=start, end=end, step_s=expected_s)
    return Chart(
        stream,
        span,
        found.step_s,
        drawn,
        table[-SHOWN_ROWS:][::-1],
        min((row.low for row in samples), default=None),
        sum(mids) / len(mids) if mids else None,
        max((row.high for row in samples), default=None),
        count,
        bad,
        start,
        end,
        _marks(stream, drawn, start, end),
    )


def _marks(stream: Datastream, drawn: Curve, start: datetime, end: datetime) -> list[Mark]:
    rows = Anomaly.objects.filter(datastream=stream, began_at__lt=end, last_at__gt=start).order_by("-began_at")[:SHOWN_EVENTS]
    span_s = (end - start).total_seconds()

    def x(at: datetime) -> float:
        return round(drawn.left + drawn.plot_width * min(max((at - start).total_seconds() / span_s, 0.0), 1.0), 1)

    return [Mark(one, anomaly_why(one), x(one.began_at), max(round(x(one.last_at) - x(one.began_at), 1), 4.0)) for one in rows]


def _read(rows: Sequence[Point | RawPoint]) -> tuple[list[Sample], list[Told], int, int]:
    samples, table, count, bad = [], [], 0, 0
    for row in rows:
        if isinstance(row, RawPoint):
            count += 1
            samples.append(Sample(row.at, row.value, row.value, row.value, bool(row.quality)))
            table.append(Told(row.at, row.value, row.value, row.value, labels_of(row.quality)))
            continue
        count, bad = count + row.n, bad + row.bad_n
        if row.min is not None and row.mean is not None and row.max is not None:
            samples.append(Sample(row.at, row.min, row.mean, row.max, row.bad_n > 0))
            table.append(Told(row.at, row.min, row.mean, row.max, str(row.bad_n) if row.bad_n else ""))
    return samples, table, count, bad


@dataclass(frozen=True)
class Happened:
    at: datetime
    what: str | Promise
    who: str = ""
    why: str = ""
    outage: DeviceOutage | None = None
    anomaly: Anomaly | None = None


def happened(viewer: User, device: Device) -> list[Happened]:
    """Outages, anomalies, and what people did with it (for those who may read the audit trail or look after devices), the newest first."""
    lines = [
        Happened(outage.noticed_at, _("Offline"), outage=outage)
        for outage in DeviceOutage.objects.filter(device=device).order_by("-noticed_at")[:SHOWN_EVENTS]
    ]
    odd = Anomaly.objects.filter(device=device).select_related("datastream__metric").order_by("-raised_at")[:SHOWN_EVENTS]
    lines += [Happened(one.raised_at, one.get_detector_display(), why=anomaly_why(one), anomaly=one) for one in odd]
    if viewer.can("manage_devices") or viewer.can("read_audit"):
        entries = AuditEntry.objects.filter(object_type=device._meta.label_lower, object_id=str(device.pk)).order_by("-id")
        lines += [Happened(entry.at, VERBS.get(entry.verb, entry.verb), entry.actor_name, entry.reason) for entry in entries[:SHOWN_EVENTS]]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:SHOWN_EVENTS]


@dataclass(frozen=True)
class Proof:
    """What the device proves itself with; of a secret how it begins, of a certificate its serial number."""

    credential: DeviceCredential
    standing: str  # good, ending, ended, revoked

    @property
    def mark(self) -> str:
        return self.credential.prefix or self.credential.serial


def credentials_of(viewer: User, device: Device, now: datetime) -> list[Proof] | None:
    """``None`` for those who do not look after devices. Those that open something first, the newest of them on top."""
    if not viewer.can("manage_devices"):
        return None
    rows = device.credentials.select_related("issued_by").order_by(F("revoked_at").desc(nulls_first=True), "-issued_at")[:SHOWN_EVENTS]
    return [Proof(one, _standing(one, now)) for one in rows]


def _standing(one: DeviceCredential, now: datetime) -> str:
    if one.revoked_at is not None:
        return "revoked"
    if one.not_after is None:
        return "good"
    return "ended" if one.not_after <= now else "ending" if one.not_after <= now + ENDING_WITHIN else "good"


def battery_of(device: Device, now: datetime) -> Battery | None:
    """When its battery is empty, or why nobody can say; ``None`` for one that never told of a battery."""
    return forecasts([device.pk], now=now).get(device.pk)


def feature_of(device: Device) -> dict[str, Any] | None:
    """The device as the one thing on its map."""
    if device.location is None:
        return None
    severity = {"online": 1, "offline": 3}.get(mark_of(device), 2)
    return {
        "type": "Feature",
        "id": device.pk,
        "geometry": {"type": "Point", "coordinates": [round(device.location.x, 6), round(device.location.y, 6)]},
        "properties": {
            "id": device.pk,
            "severity": severity,
            "level": str(device.profile.get_kind_display()),
            "title": device.code,
            "place": device.area.name if device.area is not None else "",
            "state": mark_words(device),
            "acknowledged": False,
            "exact": True,
            "synthetic": device.is_synthetic,
            "at": int(device.last_seen_at.timestamp()) if device.last_seen_at is not None else 0,
            "url": "",
        },
    }


def streams_of(device: Device) -> list[Datastream]:
    return list(device.datastreams.select_related("metric", "device__profile").order_by("metric_id"))
