"""A map for geometry fields, drawn from our own files; two plain numbers where there is no map."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.gis.geos import GEOSGeometry, Point
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.forms.widgets import Script
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

MAP_SCRIPT = Script("js/admin/map.js", type="module")


MAP_CSS = {"all": ["vendor/maplibre/maplibre-gl.css", "css/admin-map.css"]}


class PointWidget(forms.Widget):
    """A point is picked on the map or typed as longitude and latitude; both say the same."""

    class Media:
        css = MAP_CSS
        js = [MAP_SCRIPT]

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        lon = lat = ""
        if isinstance(value, list | tuple):  # what was typed, given back after a refusal
            lon, lat = (value[0] or "", value[1] or "")
        elif isinstance(value, Point) and not value.empty:
            lon, lat = f"{value.x:.6f}", f"{value.y:.6f}"
        identity = (attrs or {}).get("id", f"id_{name}")
        return mark_safe(  # noqa: S308 a template of ours, escaped there
            render_to_string("admin/widgets/point.html", {"name": name, "id": identity, "lon": lon, "lat": lat})
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        lon, lat = data.get(f"{name}_lon"), data.get(f"{name}_lat")
        return None if lon in EMPTY_VALUES and lat in EMPTY_VALUES else [lon, lat]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_lon" not in data

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_lon" if id_ else id_


class PointField(forms.Field):
    """Longitude and latitude in degrees (4326)."""

    widget = PointWidget
    default_error_messages = {
        "invalid": _("Give longitude and latitude in degrees, as in 47.98 and 29.37."),
        "range": _("Longitude lies between -180 and 180, latitude between -90 and 90."),
    }

    def to_python(self, value: Any) -> Point | None:
        if value in EMPTY_VALUES:
            return None
        if isinstance(value, Point):
            return value
        try:
            lon, lat = (float(str(part).strip()) for part in value)
        except (TypeError, ValueError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ValidationError(self.error_messages["range"], code="range")
        return Point(lon, lat, srid=4326)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            now = self.to_python(data)
        except ValidationError:
            return True
        if initial is None or now is None:
            return (initial is None) != (now is None)
        return abs(initial.x - now.x) > 1e-6 or abs(initial.y - now.y) > 1e-6


def shape_map(shape: GEOSGeometry | None, *, tolerance: float = 0.0004) -> SafeString | str:
    """A small map of ``shape`` (4326), to be looked at; outlines are thinned to what a screen can show (about 40 m)."""
    if shape is None or shape.empty:
        return "–"
    shown = shape if isinstance(shape, Point) else shape.simplify(tolerance, preserve_topology=True)
    return format_html('<div class="admin-map" data-admin-map data-geojson="{}"></div>', shown.geojson)


class MapMedia:
    """For a ``ModelAdmin`` whose pages hold a ``shape_map``."""

    class Media:
        css = MAP_CSS
        js = [MAP_SCRIPT]
