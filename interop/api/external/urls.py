from __future__ import annotations

from typing import Any

from django.urls import URLPattern, re_path
from drf_spectacular.utils import extend_schema

from interop.api.external.alerts import AlertDetail, AlertList
from interop.api.external.analysis import ForecastList, HotSpotDetail, HotSpotList
from interop.api.external.risk import RiskList
from interop.api.external.service import Coverage, Health
from interop.api.external.shared import IncidentDetail, IncidentList
from interop.api.external.zones import ZoneList

_FORMAT = r"\.(?P<format>json|geojson|csv)"
_PK = r"(?P<pk>[0-9]{1,18})"


def _both(where: str, view: Any, name: str) -> list[URLPattern]:
    """The address, and the same with a format after it, which the document only mentions."""
    suffixed: Any = extend_schema(exclude=True)(type(view.__name__, (view,), {}))
    return [
        re_path(rf"^{where}$", view.as_view(), name=name),
        re_path(rf"^{where}{_FORMAT}$", suffixed.as_view(), name=f"{name}-format"),
    ]


urlpatterns: list[URLPattern] = [
    *_both("incidents", IncidentList, "external-incidents"),
    *_both(r"incidents/(?P<ref>[^/.]{1,48})", IncidentDetail, "external-incident"),
    *_both("hotspots", HotSpotList, "external-hotspots"),
    *_both(f"hotspots/{_PK}", HotSpotDetail, "external-hotspot"),
    *_both("alerts", AlertList, "external-alerts"),
    *_both(f"alerts/{_PK}", AlertDetail, "external-alert"),
    *_both("forecasts", ForecastList, "external-forecasts"),
    *_both("risk", RiskList, "external-risk"),
    *_both("zones", ZoneList, "external-zones"),
    *_both("patrol/coverage", Coverage, "external-coverage"),
    *_both("health", Health, "external-health"),
]
