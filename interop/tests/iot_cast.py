"""A partner of the police, and the standard devices it speaks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from iot.models import Device, DeviceProfile
from iot.services import issue_device_key, register_device
from iot.services.standard_profiles import ensure_profiles


@dataclass
class Standard:
    """One device of each standard profile in Salmiya, by the profile's code, and their keys."""

    devices: dict[str, Device]
    keys: dict[str, str]
    post: Callable[..., Any]


@pytest.fixture
def standard(sensors: Any, cast: Any, places: Any) -> Standard:
    DeviceProfile.objects.filter(code="air").update(code="thin_air")  # the small cast's own
    ensure_profiles()
    devices, keys = {}, {}
    for profile in DeviceProfile.objects.exclude(code="thin_air"):
        device = register_device(
            code=f"S-{profile.code.upper().replace('_', '-')}", profile=profile, agency=cast.police, by=None, location=places.in_salmiya
        )
        devices[profile.code], keys[profile.code] = device, issue_device_key(device=device, by=None)[1]

    def post(path: str, body: Any, *, as_: str = "", key: str = "", raw: bytes | None = None, **headers: str) -> Any:
        who = {"X-Device-Key": keys[as_]} if as_ else {"X-API-Key": key} if key else {}
        data = raw if raw is not None else json.dumps(body)
        return Client().post(f"/api/v1/iot/{path}", data, content_type="application/json", headers={**who, **headers})

    return Standard(devices, keys, post)
