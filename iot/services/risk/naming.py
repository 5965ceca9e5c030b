"""What the keys of evidence stand for: devices and what they measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iot.models import Anomaly, Datastream, Device, ZoneRisk


@dataclass(frozen=True)
class Named:
    """``device`` is its code, ``metric`` what it measured, as the viewer reads it."""

    device_id: int | None = None
    device: str = ""
    device_name: str = ""
    metric: str = ""
    metric_name: str = ""
    anomaly_id: int | None = None
    detector: str = ""


def names_of_evidence(rows: Iterable[ZoneRisk]) -> dict[str, Named]:
    """By key, in three queries. What was deleted since is not in it."""
    keys = {line["key"] for row in rows for part in row.parts for line in part["evidence"]}
    by_kind: dict[str, list[int]] = {"device": [], "stream": [], "anomaly": []}
    for key in keys:
        kind, _colon, pk = key.partition(":")
        by_kind[kind].append(int(pk))
    found: dict[str, Named] = {}
    for pk, code, name in Device.objects.filter(pk__in=by_kind["device"]).values_list("pk", "code", "name"):
        found[f"device:{pk}"] = Named(pk, code, name)
    for stream in Datastream.objects.filter(pk__in=by_kind["stream"]).select_related("device", "metric"):
        found[f"stream:{stream.pk}"] = _of_stream(stream)
    for anomaly in Anomaly.objects.filter(pk__in=by_kind["anomaly"]).select_related("device", "datastream__metric"):
        metric = anomaly.datastream.metric if anomaly.datastream is not None else None
        found[f"anomaly:{anomaly.pk}"] = Named(
            anomaly.device_id, anomaly.device.code, anomaly.device.name, metric.code if metric is not None else "",
            metric.name if metric is not None else "", anomaly.pk, anomaly.get_detector_display(),
        )  # fmt: skip
    return found


def _of_stream(stream: Any) -> Named:
    return Named(stream.device_id, stream.device.code, stream.device.name, stream.metric.code, stream.metric.name)
