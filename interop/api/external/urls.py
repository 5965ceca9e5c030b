from __future__ import annotations

from typing import Any

from django.urls import URLPattern, re_path
from drf_spectacular.utils import extend_schema

from interop.api.external.incidents import IncidentDetail, IncidentList

_FORMAT = r"\.(?P<format>json|geojson|csv)"


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
]
