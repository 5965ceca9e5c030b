"""The risk surface that stands now, cell by cell, the highest first; by area for keys that are told areas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from django.contrib.gis.geos import Polygon
from django.http import Http404, HttpResponseBase
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from accounts.jurisdiction import Jurisdiction
from incidents.models import Surface
from incidents.services.surface_files import cell_rows, facts
from incidents.services.surfaces import Sight, sight, surfaces_for, zone_sums
from interop.api.external import answers
from interop.api.external.asked import BBOX, CODE, MOST, MOST_CSV, PAGE, ZONE, Asked, Filter, code, one_of, read_asked, whole
from interop.api.external.book import book
from interop.api.external.documents import lists
from interop.api.external.views import External
from interop.api.serializers import PointSerializer
from interop.api.surfaces import SurfaceSerializer
from interop.models import Precision, Scope


class ExternalRiskSerializer(serializers.Serializer[Any]):
    """One cell; for a key that is told areas, one area, without column, row, class and parts."""

    column = serializers.IntegerField(allow_null=True)
    row = serializers.IntegerField(allow_null=True)
    location = PointSerializer(allow_null=True, help_text="The cell's middle; the area's label point.")
    value = serializers.FloatField(help_text="Incidents to expect.")
    risk_class = serializers.IntegerField(allow_null=True, help_text="1 to 5, 5 the highest.")
    governorate = serializers.CharField(allow_null=True, help_text="Its code; null: in none.")
    area = serializers.CharField(allow_null=True)
    parts = serializers.DictField(child=serializers.FloatField(allow_null=True), allow_null=True, help_text="What went into the value.")


class ExternalSurfaceSerializer(SurfaceSerializer):
    """Which surface this is, of what model, learnt from when to when."""


class Risk(External):
    name = "risk"
    scope = Scope.HOTSPOTS_READ
    serializer_class = ExternalRiskSerializer
    queryset = Surface.objects.none()
    columns = tuple(ExternalRiskSerializer().fields)
    sorts = {"-value": "value"}
    filters = {
        "bbox": BBOX,
        "zone": ZONE,
        "class_from": Filter(whole(1, 5), {"type": "integer", "minimum": 1, "maximum": 5}, "Only cells of this class and higher."),
        "horizon": Filter(
            one_of(Surface.Horizon.values), {"type": "string", "enum": Surface.Horizon.values, "default": "day"}, "How far ahead."
        ),
        "category": Filter(code, CODE, "A category's surface; without it, of everything together."),
    }  # fmt: skip

    def answer(self, request: Request) -> HttpResponseBase:
        is_file = self.wanted == "csv"
        asked = read_asked(
            request.query_params, name=self.name, filters=self.filters, columns=self.columns, default=self.columns, sorts=self.sorts,
            most=MOST_CSV if is_file else MOST,
        )  # fmt: skip
        surface = self.surface(asked.given)
        seen = self.sight(surface)
        rows: Any = self.by_area(seen, asked) if self.precision == Precision.AREA else self.by_cell(seen, asked)
        count = len(rows)
        start = self.start(asked, surface)
        limit = asked.limit or (count if is_file else PAGE)
        chosen = range(start, min(start + limit, count))
        shaped = [{name: row[name] for name in asked.fields} for row in self.shape(seen, rows, chosen)]
        if is_file:
            return answers.stream(request, lambda: iter([shaped]), asked.fields, "risk.csv")
        following = self.following(asked.cursor([surface.pk, chosen.stop])) if chosen.stop < count else None
        about = {"surface": facts(surface)}
        if self.wanted == "geojson":
            with_place = self.shape(seen, rows, chosen)
            return self.whole(answers.as_geojson(with_place, asked.fields, "location", following, about), following=following)
        return self.whole(answers.as_json(shaped, following, about), following=following)

    def surface(self, given: dict[str, Any]) -> Surface:
        horizon = given.get("horizon", [Surface.Horizon.DAY])
        rows = surfaces_for(self.key).filter(kind=Surface.Kind.RISK, category=given.get("category", ""), horizon__in=horizon)
        found = rows.order_by("-region__is_default", "region", "pk").first()
        if found is None:
            raise Http404
        return found

    def sight(self, surface: Surface) -> Sight:
        return _sight(surface.pk, self.key.jurisdiction)

    def start(self, asked: Asked, surface: Surface) -> int:
        if asked.after is None:
            return 0
        try:
            of, start = map(int, asked.after)
        except (TypeError, ValueError) as error:
            raise ParseError(_("This cursor is not one we gave."), code="invalid_cursor") from error
        if of != surface.pk:
            raise ParseError(_("The surface has been renewed: begin again without a cursor."), code="invalid_cursor")
        return start

    def by_cell(self, seen: Sight, asked: Asked) -> NDArray[np.int64]:
        kept = np.ones(len(seen), dtype=bool)
        given = asked.given
        if "class_from" in given:
            kept &= seen.classes >= given["class_from"]
        if "zone" in given:
            ids = self.zone_ids(given["zone"])
            kept &= np.isin(seen.governorate_ids, ids) | np.isin(seen.area_ids, ids)
        if "bbox" in given:
            west, south, east, north = given["bbox"].extent
            lon, lat = seen.centres().T
            kept &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        order = np.argsort(-seen.values if asked.order.is_down else seen.values, kind="stable")
        return order[kept[order]]

    def by_area(self, seen: Sight, asked: Asked) -> list[Any]:
        given = asked.given
        sums = zone_sums(seen)
        if "zone" in given:
            ids = set(self.zone_ids(given["zone"]))
            sums = [one for one in sums if one.zone.pk in ids or one.zone.parent_id in ids]
        if "bbox" in given:
            box: Polygon = given["bbox"]
            sums = [one for one in sums if box.intersects(one.zone.label_point)]
        if "class_from" in given:
            sums = [one for one in sums if one.high]
        return sums if asked.order.is_down else sums[::-1]

    def shape(self, seen: Sight, rows: Any, chosen: range) -> list[answers.Row]:
        if self.precision == Precision.AREA:
            return [self.area_row(one) for one in rows[chosen.start : chosen.stop]]
        shaped = cell_rows(seen, rows[chosen.start : chosen.stop])
        return [
            {
                "column": cell["column"],
                "row": cell["row"],
                "location": {"longitude": cell["longitude"], "latitude": cell["latitude"]},
                "value": cell["value"],
                "risk_class": cell["class"],
                "governorate": cell["governorate"] or None,
                "area": cell["area"] or None,
                "parts": cell["parts"],
            }
            for cell in shaped
        ]

    @staticmethod
    def area_row(one: Any) -> answers.Row:
        point, parent = one.zone.label_point, one.zone.parent_id
        return {
            "column": None,
            "row": None,
            "location": {"longitude": round(point.x, 6), "latitude": round(point.y, 6)},
            "value": float(f"{one.total:.6g}"),
            "risk_class": None,
            "governorate": _code(parent) if parent else None,
            "area": one.zone.code,
            "parts": None,
        }


def _code(zone_id: int) -> str | None:
    found = book(anew=zone_id not in book().zones).zones.get(zone_id)
    return found.code if found else None


@lru_cache(maxsize=8)
def _sight(pk: int, jurisdiction: Jurisdiction) -> Sight:
    """A surface never changes once it is issued: what a jurisdiction sees of it is read once. That it stands, each request asks."""
    surface = Surface.objects.select_related("region", "run").get(pk=pk)
    return sight(_Viewer(jurisdiction), surface)


class _Viewer:
    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self.jurisdiction = jurisdiction


class RiskList(Risk):
    @lists(
        Risk, operation="pull_risk", summary="The cells of the risk surface that stands now, the highest first", row=ExternalRiskSerializer,
        more={"surface": ExternalSurfaceSerializer()},
    )  # fmt: skip
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)
