"""What is said to the log of an anomaly: enough for a rule to choose, a title to name it, and a map to place it."""

from __future__ import annotations

from typing import Any

from core.events import unpublished
from core.models import Event
from iot.models import Anomaly, AnomalySeverity


def event_of(type: str, anomaly: Anomaly, **more: Any) -> Event:
    """Not published yet. ``anomaly`` is read with its device, and its stream's metric."""
    device = anomaly.device
    metric = anomaly.datastream.metric if anomaly.datastream is not None else None
    data: dict[str, Any] = {
        "device": device.code,
        "device_id": device.pk,
        "property": metric.code if metric is not None else "",
        "detector": anomaly.detector,
        "severity": AnomalySeverity(anomaly.severity).word,
        "severity_rank": anomaly.severity,
        "score": round(anomaly.score, 3),
        "since": anomaly.began_at.isoformat(),
        "name_en": f"{device.name or device.code} {metric.name_en}".strip() if metric is not None else device.name or device.code,
        "name_ar": f"{device.name or device.code} {metric.name_ar}".strip() if metric is not None else device.name or device.code,
        "is_synthetic": device.is_synthetic,
    }
    if isinstance(anomaly.evidence.get("value"), int | float):
        data["value"] = anomaly.evidence["value"]
    if device.location is not None:
        data |= {"lon": round(device.location.x, 6), "lat": round(device.location.y, 6)}
    zone_id = device.area_id or device.governorate_id
    if zone_id is not None:
        data["zone_id"] = zone_id
    return unpublished(type, subject=anomaly, data=data | more, agency_id=device.agency_id, governorate_id=device.governorate_id)
