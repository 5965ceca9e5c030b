"""The door of the SensorThings service: by key with ``telemetry:read``, or a person who may see devices. It reads, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from psycopg.errors import QueryCanceled
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from interop.api.authentication import viewer_of
from interop.api.iot.devices import Sees
from interop.models import PartnerKey
from interop.sensorthings.entities import SETS
from interop.sensorthings.grammar import BadQuery
from interop.sensorthings.service import Service
from iot.permissions import may_see_devices

LONGEST_MS = 5_000
# What holds, and no more: reading of these entities, and the options. No creating, no MQTT, no data arrays, no historical locations.
CONFORMANCE = [
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/thing",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/location",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/datastream",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/sensor",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/observed-property",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/observation",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/feature-of-interest",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/entity-control-information",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/resource-path/resource-path-to-entities",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/order",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/expand",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/select",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/status-code",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/orderby",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/top",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/skip",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/count",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/filter",
    "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/pagination",
]


class SensorThings(Sees):
    """``/api/v1/sensorthings/v1.1/…``"""

    @extend_schema(exclude=True)  # the standard is its document; ours would have to list every option at every address
    def get(self, request: Request, path: str = "") -> HttpResponse:
        viewer = viewer_of(request)
        if not isinstance(viewer, PartnerKey) and not may_see_devices(viewer):
            raise PermissionDenied
        base = request.build_absolute_uri("/api/v1/sensorthings/v1.1")
        path = path.strip("/")
        if not path:
            return _json(_root(base))
        given = {name: str(value) for name, value in request.query_params.items() if name.startswith("$")}
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_MS}")
                return _json(Service(viewer, base).answer(path, given))
        except OperationalError as error:
            if isinstance(error.__cause__, QueryCanceled):
                raise BadQuery("this takes too long: narrow it to a Datastream, or by phenomenonTime") from error
            raise


def _root(base: str) -> dict[str, Any]:
    return {"value": [{"name": name, "url": f"{base}/{name}"} for name in SETS], "serverSettings": {"conformance": CONFORMANCE}}


def _json(told: Any) -> HttpResponse:
    response = HttpResponse(orjson.dumps(told), content_type="application/json")
    response.headers["Cache-Control"] = "private, no-store"
    return response
