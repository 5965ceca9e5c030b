"""Geofences, and where units are and were, in the command centre."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.gis.gdal import GDALException
from django.contrib.gis.geos import GEOSException, GEOSGeometry, Polygon
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_kit import ReadOnlyAdmin, bdi
from core.admin_map import MapMedia, shape_map
from patrol.admin.force import ForceAdmin, same_agency
from patrol.models import FenceVisit, Geofence, UnitPosition
from patrol.services.fences.stations import RADIUS_M

MOST_CORNERS = 2_000
LONGEST_SHAPE = 200_000


class GeofenceForm(forms.ModelForm):
    geojson = forms.CharField(
        required=False,
        max_length=LONGEST_SHAPE,
        label=gettext_lazy("Shape as GeoJSON"),
        help_text=gettext_lazy("A Polygon in longitude and latitude, alone or as the only feature. It goes before centre and radius."),
        widget=forms.Textarea(attrs={"rows": 4, "dir": "ltr", "spellcheck": "false"}),
    )

    class Meta:
        model = Geofence
        exclude = ["shape"]  # noqa: DJ006 (it comes from the GeoJSON)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.shape is not None and "geojson" in self.fields:
            self.fields["geojson"].initial = self.instance.shape.geojson

    def clean_geojson(self) -> Polygon | None:
        text = self.cleaned_data["geojson"].strip()
        return polygon_from(text) if text else None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        same_agency(self, "station")
        if "geojson" in self.fields:
            self.instance.shape = cleaned.get("geojson")
        station = cleaned.get("station")
        if station is not None and self.instance.shape is None and cleaned.get("centre") is None:
            cleaned["centre"] = station.location
            cleaned["radius_m"] = cleaned.get("radius_m") or RADIUS_M
        is_circle = cleaned.get("centre") is not None and 20 <= (cleaned.get("radius_m") or 0) <= 50_000
        if self.instance.shape is None and not is_circle and not self.errors:
            # The table's own constraint is not asked: its shape is no field of this form.
            self.add_error(None, _("Give a shape, or a centre and a radius of 20 m to 50 km."))
        if (cleaned.get("active_from") is None) != (cleaned.get("active_to") is None):
            self.add_error("active_to", _("Give both ends of the hours, or neither."))
        return cleaned


def polygon_from(text: str) -> Polygon:
    """The one polygon of a GeoJSON text. ``ValidationError`` says what is wrong with it."""
    try:
        body = json.loads(text)
        while isinstance(body, dict) and body.get("type") in ("Feature", "FeatureCollection"):
            features = body.get("features", [None])
            body = body.get("geometry") if body["type"] == "Feature" else features[0] if len(features) == 1 else None
        found = GEOSGeometry(json.dumps(body), srid=4326) if isinstance(body, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError, GEOSException, GDALException) as error:
        raise forms.ValidationError(_("This is no GeoJSON that can be read.")) from error
    if not isinstance(found, Polygon) or found.empty:
        raise forms.ValidationError(_("Give exactly one Polygon."))
    if found.num_coords > MOST_CORNERS:
        raise forms.ValidationError(_("At most %(most)d corners.") % {"most": MOST_CORNERS})
    west, south, east, north = found.extent
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90) or found.hasz:
        raise forms.ValidationError(_("Corners are longitude and latitude in degrees."))
    if not found.valid:
        raise forms.ValidationError(_("The shape crosses itself: %(why)s") % {"why": found.valid_reason})
    return found


@admin.register(Geofence)
class GeofenceAdmin(MapMedia, ForceAdmin):
    form = GeofenceForm
    list_display = ["name", "agency", "governorate", "station", "radius_m", "dwell_s", "active_from", "active_to", "is_active"]
    list_filter = ["is_active", "agency"]
    search_fields = ["name", "station__code"]
    list_select_related = ["agency", "governorate", "station"]
    autocomplete_fields = ["station"]
    readonly_fields = ["map"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")

    @admin.display(description=gettext_lazy("on the map"))
    def map(self, fence: Geofence) -> SafeString | str:
        place = fence.shape or fence.centre
        return shape_map(place) if place is not None else "–"


class OfUnitAdmin(ReadOnlyAdmin):
    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found


@admin.register(UnitPosition)
class UnitPositionAdmin(MapMedia, OfUnitAdmin):
    list_display = ["call_sign", "at", "received_at", "accuracy_m", "speed_kmh", "source", "silent_since"]
    list_filter = ["source", "unit__agency"]
    search_fields = ["unit__call_sign", "unit__tracker_id"]
    list_select_related = ["unit__agency"]
    fields = ["unit", "at", "received_at", "map", "accuracy_m", "speed_kmh", "heading_deg", "source", "fenced_until", "silent_since"]
    readonly_fields = ["map"]

    @admin.display(description=gettext_lazy("unit"), ordering="unit__call_sign")
    def call_sign(self, position: UnitPosition) -> SafeString:
        return bdi(position.unit.call_sign)

    @admin.display(description=gettext_lazy("location"))
    def map(self, position: UnitPosition) -> SafeString | str:
        return shape_map(position.location)


@admin.register(FenceVisit)
class FenceVisitAdmin(OfUnitAdmin):
    list_display = ["call_sign", "place", "entered_at", "dwelt_at", "last_inside_at", "left_at"]
    list_filter = ["unit__agency"]
    search_fields = ["unit__call_sign", "fence__name"]
    list_select_related = ["unit__agency", "fence", "assignment"]
    fields = ["unit", "fence", "assignment", "entered_at", "dwelt_at", "last_inside_at", "left_at"]

    @admin.display(description=gettext_lazy("unit"), ordering="unit__call_sign")
    def call_sign(self, visit: FenceVisit) -> SafeString:
        return bdi(visit.unit.call_sign)

    @admin.display(description=gettext_lazy("fence"))
    def place(self, visit: FenceVisit) -> str:
        return str(visit.fence) if visit.fence is not None else str(visit.assignment)
