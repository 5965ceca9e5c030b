"""Hot spots and forecasts for partners: the rows that stand now, in the words of their own addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.gis.db.models.functions import AsGeoJSON
from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework.request import Request

from incidents.models import Forecast, HotSpot
from incidents.services.standing_forecasts import standing_choices, with_stand_ins
from interop.api.external import answers
from interop.api.external.asked import BBOX, DAY_TEXT, ZONE, Filter, before, choices, codes, day, since
from interop.api.external.book import book
from interop.api.external.documents import details, lists
from interop.api.external.views import Table, span
from interop.api.forecasts import LEVELS, ForecastSerializer
from interop.api.hotspots import MAX_PK, HotSpotSerializer
from interop.api.serializers import PointSerializer
from interop.models import Precision, Scope
from interop.precision import DECIMALS, inside, snap, told

CATEGORY = Filter(
    codes, {"type": "array", "items": {"type": "string"}}, "Of these categories; `all` is all that may be modelled, together.", ["all"]
)


def categories(given: Sequence[str]) -> list[str]:
    return ["" if name == "all" else name for name in given]


class ExternalHotSpotSerializer(HotSpotSerializer):
    """A place where incidents crowd. Outline and centre are told as exactly as your key is told places."""

    longitude = None  # type: ignore[assignment]
    latitude = None  # type: ignore[assignment]
    location = PointSerializer(source="centre")


class HotSpots(Table):
    name = "hotspots"
    scope = Scope.HOTSPOTS_READ
    serializer_class = ExternalHotSpotSerializer
    queryset = HotSpot.objects.none()
    columns = tuple(ExternalHotSpotSerializer().fields)
    geometry = "hull"
    sorts = {"rank": "rank", "-severity_score": "severity_score", "-incidents": "incident_count"}
    filters = {
        "window_since": since("whose window ends"),
        "window_before": before("whose window ends"),
        "bbox": BBOX,
        "zone": ZONE,
        "category": CATEGORY,
        "change": choices(HotSpot.Change.values, "Only those that changed so since the run before."),
    }

    def visible(self) -> QuerySet[HotSpot]:
        return self.any_run().filter(is_current=True)

    def any_run(self) -> QuerySet[HotSpot]:
        rows = HotSpot.objects.shown().visible_to(self.key).with_places().annotate(outline=AsGeoJSON("hull", precision=DECIMALS))
        return rows.defer("hull", *(f"{zone}__{shape}" for zone in ("governorate", "area") for shape in ("boundary", "label_point")))

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        rows = span(rows, given, {"window": "window_to"}).filter(category__in=categories(given.get("category", ["all"])))
        if "zone" in given:
            ids = self.zone_ids(given["zone"])
            rows = rows.filter(governorate__in=ids) | rows.filter(area__in=ids)
        if "change" in given:
            rows = rows.filter(change__in=given["change"])
        if "bbox" in given and self.precision == Precision.EXACT:
            return rows.filter(hull__intersects=given["bbox"])
        return inside(rows, given["bbox"], self.precision, point="centre") if "bbox" in given else rows

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        shaped = self.serializer_class(rows, many=True).data
        if self.precision != Precision.EXACT:
            for spot, row in zip(rows, shaped, strict=True):
                self.blur(spot, row)
        return [{name: row[name] for name in names} for row in shaped]

    def blur(self, spot: HotSpot, row: Any) -> None:
        """The outline is drawn round incidents: its corners are told no more exactly than they are."""
        label = book(anew=spot.area_id not in book().zones).zones[spot.area_id].label if spot.area_id else None
        (place,) = told([(spot.centre.x, spot.centre.y)], [spot.region.metric_srid], [label], self.precision)
        row["location"] = {"longitude": place[0], "latitude": place[1]} if place else None
        corners = row["hull"]["coordinates"][0]
        snapped = snap([x for x, _y in corners], [y for _x, y in corners], spot.region.metric_srid)
        ring = [list(point) for index, point in enumerate(snapped) if index == 0 or point != snapped[index - 1]]
        is_area = self.precision == Precision.AREA or len(ring) < 4
        row["hull"] = None if is_area else {"type": "Polygon", "coordinates": [ring]}


class HotSpotList(HotSpots):
    @lists(HotSpots, operation="pull_hot_spots", summary="The hot spots that stand now, with their outlines", row=ExternalHotSpotSerializer)
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)


class HotSpotDetail(HotSpots):
    @details(HotSpots, operation="pull_hot_spot", summary="One hot spot, of any run", row=ExternalHotSpotSerializer)
    def get(self, request: Request, pk: str, format: str | None = None) -> HttpResponseBase:
        return self.one(self.any_run().filter(pk=min(int(pk), MAX_PK)))


class ExternalForecastSerializer(ForecastSerializer):
    """One zone, one day: what to expect, with both intervals and what counting alone says."""

    location = PointSerializer(source="zone.label_point", help_text="The zone's label point.")


class Forecasts(Table):
    name = "forecasts"
    scope = Scope.FORECASTS_READ
    serializer_class = ExternalForecastSerializer
    queryset = Forecast.objects.none()
    columns = tuple(ExternalForecastSerializer().fields)
    sorts = {"day": "day", "-expected": "expected"}
    filters = {
        "day_since": Filter(day, DAY_TEXT, "Only this day and later ones, on the region's clock.", "2026-03-14"),
        "day_before": Filter(day, DAY_TEXT, "Only days before this one."),
        "bbox": BBOX,
        "zone": ZONE,
        "category": CATEGORY,
        "level": choices([str(level) for level in LEVELS], "Only zones of these levels."),
    }

    def visible(self) -> QuerySet[Forecast]:
        rows = Forecast.objects.standing().visible_to(self.key).select_related("run", "zone__region")
        return rows.defer("zone__boundary")

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        rows = span(rows, given, {"day": "day"})
        if "zone" in given:
            rows = rows.filter(zone__in=self.zone_ids(given["zone"]))
        if "category" in given:
            rows = rows.filter(category__in=categories(given["category"]))
        if "level" in given:
            rows = rows.filter(zone__level__in=given["level"])
        return rows.filter(zone__label_point__intersects=given["bbox"]) if "bbox" in given else rows

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        shown = with_stand_ins(rows, standing_choices(row.region_id for row in rows))
        told_rows: Any = self.serializer_class(shown, many=True).data  # type: ignore[arg-type]
        return [{name: row[name] for name in names} for row in told_rows]


class ForecastList(Forecasts):
    @lists(Forecasts, operation="pull_forecasts", summary="The forecasts that stand now", row=ExternalForecastSerializer)
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)
