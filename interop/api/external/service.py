"""Coverage by patrols, and how fresh everything is."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.db.models import Max
from django.http import Http404, HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Agency
from alerts.models import Alert
from core.version import code_version
from geography.models import Zone
from incidents.models import Forecast, HotSpot, Incident
from incidents.services.surfaces import surfaces_for
from interop.api.external import answers
from interop.api.external.asked import CODE, MOST_CSV, TIME, Filter, code, instant, read_asked, whole
from interop.api.external.documents import NOT_CHANGED, TAG, choice_of_fields, parameter, problems
from interop.api.external.views import External
from interop.api.external.zones import HasAnyReadScope
from interop.api.serializers import PointSerializer
from interop.models import Precision, Scope
from patrol.services import coverage as covering


class ExternalCoverageSerializer(serializers.Serializer[Any]):
    """One area, one hour. Never where a unit is."""

    area = serializers.CharField(allow_null=True, help_text="Its code; null: in no area.")
    location = PointSerializer(allow_null=True, help_text="The area's label point.")
    at = serializers.DateTimeField(help_text="The hour's beginning.")
    expected = serializers.FloatField(help_text="Incidents to expect.")
    covered_share = serializers.FloatField(allow_null=True, help_text="Of them, within reach in time; null: nothing is expected.")


_WINDOW = {
    "governorate": Filter(code, CODE, "A governorate's code.", "KW-HA", required=True),
    "agency": Filter(code, CODE, "Whose units; by default your own agency's."),
    "start": Filter(instant, TIME, "By default this hour."),
    "hours": Filter(whole(1, 48), {"type": "integer", "minimum": 1, "maximum": 48, "default": 8}, "So many hours."),
}


PAGE_OF_COVERAGE = inline_serializer(
    "ExternalCoveragePage",
    {
        "governorate": serializers.CharField(),
        "agency": serializers.CharField(),
        "limit_s": serializers.IntegerField(),
        "made_from": serializers.CharField(help_text="live, plan, roster, none; joined by +."),
        "travel": serializers.CharField(),
        "covered_share": serializers.FloatField(allow_null=True),
        "units": serializers.ListField(child=serializers.IntegerField(), help_text="Hour by hour."),
        "notes": serializers.JSONField(help_text="What is missing in the demand."),
        "results": ExternalCoverageSerializer(many=True),
        "next": serializers.URLField(allow_null=True, help_text="Always null: it is told whole."),
    },
)


class Coverage(External):
    name = "coverage"
    scope = Scope.PATROL_READ
    serializer_class = ExternalCoverageSerializer
    columns = tuple(ExternalCoverageSerializer().fields)
    filters = _WINDOW
    sorts = {"at": "at"}

    @extend_schema(
        operation_id="pull_coverage",
        tags=[TAG],
        summary="Demand that units reach in time, by area and hour: whole, without pages",
        parameters=[*(parameter(name, rule) for name, rule in _WINDOW.items()), choice_of_fields(columns)],
        responses={
            (200, "application/json"): PAGE_OF_COVERAGE,
            (200, "application/geo+json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
            **NOT_CHANGED,
            **problems(404, 406, 409, 422),
        },
    )
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        asked = read_asked(
            request.query_params,
            name=self.name,
            filters=self.filters,
            columns=self.columns,
            default=self.columns,
            sorts=self.sorts,
            most=MOST_CSV,
        )
        given = asked.given
        zone = (
            Zone.objects.level(Zone.Level.GOVERNORATE)
            .filter(code=given["governorate"])
            .select_related("region")
            .order_by("region_id")
            .first()
        )
        agency = Agency.objects.filter(slug=given["agency"]).first() if "agency" in given else self.key.partner.agency
        if zone is None or agency is None or not self.key.jurisdiction.admits(agency_id=agency.pk, governorate_id=zone.pk):
            raise Http404
        start = (given.get("start") or timezone.now()).replace(minute=0, second=0, microsecond=0)
        gaps = covering.gaps_for(governorate=zone, agency=agency, start=start, end=start + timedelta(hours=given.get("hours", 8)), by=None)
        rows = [
            {
                "area": area.code if area else None,
                "location": {"longitude": round(area.label_point.x, 6), "latitude": round(area.label_point.y, 6)} if area else None,
                "at": hour,
                "expected": round(float(gaps.expected[index, column]), 4),
                "covered_share": round(float(gaps.shares[index, column]), 4) if math.isfinite(gaps.shares[index, column]) else None,
            }
            for index, area in enumerate(gaps.areas)
            for column, hour in enumerate(gaps.hours)
        ]
        shaped = [{name: row[name] for name in asked.fields} for row in rows]
        if self.wanted == "csv":
            return answers.stream(request, lambda: iter([shaped]), asked.fields, "coverage.csv")
        about = {
            "governorate": zone.code, "agency": agency.slug, "limit_s": gaps.limit_s, "made_from": gaps.source,
            "travel": gaps.travel["name"],
            "covered_share": gaps.covered_share, "units": list(gaps.units), "notes": gaps.demand.stored()["notes"],
        }  # fmt: skip
        if self.wanted == "geojson":
            return self.whole(answers.as_geojson(rows, asked.fields, "location", None, about))
        return self.whole(answers.as_json(shaped, None, about))


class KeyFactsSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    partner = serializers.CharField()
    agency = serializers.CharField()
    governorates = serializers.ListField(child=serializers.CharField(), allow_null=True, help_text="Their codes; null: every one.")
    scopes = serializers.ListField(child=serializers.CharField())
    precision = serializers.ChoiceField(choices=Precision.choices)
    expires_at = serializers.DateTimeField(allow_null=True)


class ExternalHealthSerializer(serializers.Serializer[Any]):
    """That we answer, what your key may do, and how fresh is what it reads."""

    status = serializers.ChoiceField(choices=["ok"])
    version = serializers.CharField()
    at = serializers.DateTimeField()
    key = KeyFactsSerializer()
    newest = serializers.DictField(child=serializers.DateTimeField(allow_null=True), help_text="By resource you read; null: nothing yet.")


class Health(External):
    name = "health"
    scope = Scope.INCIDENTS_READ
    permission_classes = [HasAnyReadScope]
    serializer_class = ExternalHealthSerializer

    @extend_schema(
        operation_id="pull_health", tags=[TAG], summary="That we answer, what your key may do, and how fresh is what it reads",
        responses={(200, "application/json"): ExternalHealthSerializer, **problems(406, 422)},
    )  # fmt: skip
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        if self.wanted != "json":
            raise Http404
        read_asked(request.query_params, name=self.name, filters={}, columns=["status"], default=[], sorts={"status": ""}, most=1)
        key = self.key
        places = key.jurisdiction.governorate_ids
        body = {
            "status": "ok",
            "version": code_version(),
            "at": timezone.now(),
            "key": {
                "name": key.name,
                "partner": key.partner.slug,
                "agency": key.partner.agency.slug,
                "governorates": None
                if places is None
                else list(Zone.objects.filter(pk__in=places).order_by("code").values_list("code", flat=True)),
                "scopes": key.scopes,
                "precision": key.precision,
                "expires_at": key.expiry_date,
            },
            "newest": {name: read() for name, read in self.newest().items()},
        }
        response = self.whole(answers.orjson.dumps(body, option=answers.orjson.OPT_UTC_Z))
        response.headers["Cache-Control"] = "no-store"
        return response

    def newest(self) -> dict[str, Any]:
        key = self.key
        readers: dict[str, tuple[str, Any]] = {
            "incidents": (Scope.INCIDENTS_READ, lambda: Incident.objects.visible_to(key).order_by("-changed_at", "-id")),
            "hotspots": (Scope.HOTSPOTS_READ, lambda: HotSpot.objects.current().visible_to(key)),
            "risk": (Scope.HOTSPOTS_READ, lambda: surfaces_for(key).filter(kind="risk")),
            "forecasts": (Scope.FORECASTS_READ, lambda: Forecast.objects.standing().visible_to(key)),
            "alerts": (Scope.ALERTS_READ, lambda: Alert.objects.shown_to(key).order_by("-opened_at")),
        }
        columns = {"incidents": "changed_at", "alerts": "opened_at"}

        def read(name: str, rows: Any) -> Any:
            if name in columns:
                return rows.values_list(columns[name], flat=True).first()
            return rows.order_by().aggregate(at=Max("run__as_of"))["at"]

        return {name: (lambda name=name, rows=rows: read(name, rows())) for name, (scope, rows) in readers.items() if key.has_scope(scope)}
