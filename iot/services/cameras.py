"""How cameras stand: whether they are heard, and whether they say themselves that they see nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from iot.models import Datastream, Device
from iot.services.risk.levels import BLIND_METRICS

Health = Literal["working", "away", "blind", "unheard", "in_maintenance"]


def health_of(cameras: Sequence[Device]) -> dict[int, Health]:
    """By id, in one query: what is said of a camera's sight is the last it told."""
    streams = Datastream.objects.filter(device__in=[one.pk for one in cameras], metric__code__in=BLIND_METRICS)
    blind = {
        device for device, metric, value in streams.values_list("device_id", "metric__code", "last_value") if value == BLIND_METRICS[metric]
    }
    return {camera.pk: _one(camera, camera.pk in blind) for camera in cameras}


def _one(camera: Device, is_blind: bool) -> Health:
    if camera.is_in_maintenance:
        return "in_maintenance"
    if camera.status == Device.Status.OFFLINE:
        return "away"
    if is_blind:
        return "blind"
    return "working" if camera.status == Device.Status.ONLINE else "unheard"
