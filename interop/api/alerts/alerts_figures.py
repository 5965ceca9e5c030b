"""Alerts on a map, and in figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Alert
from alerts.services.statistics import Group, Statistics, statistics_of
from core.api.fields import Moment
from core.errors import Invalid
from interop.api.alerts.alerts_api import TAGS, AlertsView
from interop.api.patrol.force_kit import PlaceAskedSerializer, of_place

MOST_ON_MAP = 1_000
LONGEST_SPAN = timedelta(days=366)


class AlertsGeoJson(AlertsView):
    @extend_schema(
        operation_id="alerts_geojson", tags=TAGS, summary="Open alerts that have a place, as GeoJSON",
        responses={(200, "application/geo+json"): OpenApiTypes.OBJECT},
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        features = [feature for alert in self.rows().open()[:MOST_ON_MAP] if (feature := _feature(alert)) is not None]
        body = orjson.dumps({"type": "FeatureCollection", "features": features})
        return HttpResponse(body, content_type="application/geo+json")


def _feature(alert: Alert) -> dict[str, Any] | None:
    zone = alert.zone or alert.governorate
    point = alert.location or (zone.label_point if zone is not None else None)
    if point is None:
        return None
    return {
        "type": "Feature",
        "id": alert.pk,
        "geometry": {"type": "Point", "coordinates": [round(point.x, 6), round(point.y, 6)]},
        "properties": {
            "state": alert.state, "level": alert.level, "title_en": alert.title_en, "title_ar": alert.title_ar,
            "zone": zone.code if zone is not None else None, "is_exact": alert.location is not None,
            "opened_at": alert.opened_at.isoformat(), "is_synthetic": alert.is_synthetic,
        },
    }  # fmt: skip


class AlertSpanAskedSerializer(PlaceAskedSerializer):
    start = Moment(required=False, help_text="Without it, thirty days before the end.")
    end = Moment(required=False, help_text="Without it, now.")


class AlertResponseSerializer(serializers.Serializer[Any]):
    """Empty figures where there are too few to say."""

    key = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    acknowledged = serializers.IntegerField()
    unanswered = serializers.IntegerField()
    p50_s = serializers.FloatField(allow_null=True)
    p90_s = serializers.FloatField(allow_null=True)
    within_15_s = serializers.FloatField(allow_null=True, help_text="A share; the target is 0.90.")
    within_20_s = serializers.FloatField(allow_null=True, help_text="A share; the target is 0.95.")


class AlertReachSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField()
    handed = serializers.IntegerField()
    delivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    mean_s = serializers.FloatField(allow_null=True)


class AlertNoiseSerializer(serializers.Serializer[Any]):
    rule = serializers.CharField()
    count = serializers.IntegerField()
    needed = serializers.IntegerField()
    not_needed = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="Of those of which somebody said it, how many nobody needed.")


class AlertStatisticsSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    total = serializers.IntegerField()
    paged = serializers.IntegerField()
    overall = AlertResponseSerializer()
    by_policy = AlertResponseSerializer(many=True)
    by_hour = AlertResponseSerializer(many=True, help_text="Bands of three hours, by the clock on the wall.")
    by_shift = AlertResponseSerializer(many=True, help_text="Key: agency/shift; a band of hours where the agency has no shift then.")
    by_level = AlertResponseSerializer(many=True)
    by_channel = AlertResponseSerializer(many=True)
    reach = AlertReachSerializer(many=True)
    rules = AlertNoiseSerializer(many=True)


class AlertStatistics(AlertsView):
    @extend_schema(
        operation_id="alert_statistics", tags=TAGS, summary="How quickly alerts were acknowledged, and which nobody needed",
        parameters=[AlertSpanAskedSerializer], responses=AlertStatisticsSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asked = self.asked(AlertSpanAskedSerializer)
        end = asked.get("end") or timezone.now()
        start = asked.get("start") or end - timedelta(days=30)
        if not timedelta(0) < end - start <= LONGEST_SPAN:
            raise Invalid(_("From a moment to a year."), fields={"start": _("From a moment to a year.")})
        return Response(_plain(statistics_of(of_place(Alert.objects.shown_to(self.viewer), asked), start=start, end=end)))


def _plain(told: Statistics) -> dict[str, Any]:
    def answered(group: Group | None) -> dict[str, Any]:
        response = told.overall if group is None else group.response
        named = {} if group is None else {"key": group.key, "name": group.name}
        return named | {
            "acknowledged": response.count, "unanswered": response.unanswered, "p50_s": response.p50_s, "p90_s": response.p90_s,
            "within_15_s": response.within[0], "within_20_s": response.within[1],
        }  # fmt: skip

    noise = [
        {
            "rule": one.key,
            "count": one.noise.count,
            "needed": one.noise.needed,
            "not_needed": one.noise.not_needed,
            "share": one.noise.share,
        }
        for one in told.rules
    ]
    groups = {
        name: [answered(group) for group in getattr(told, name)] for name in ("by_policy", "by_hour", "by_shift", "by_level", "by_channel")
    }
    reach = [
        {"channel": one.channel.value, "handed": one.handed, "delivered": one.delivered, "failed": one.failed, "cancelled": one.cancelled,
         "mean_s": one.mean_s}
        for one in told.reach
    ]  # fmt: skip
    span = {"start": told.start, "end": told.end, "total": told.total, "paged": told.paged}
    return {**span, "overall": answered(None), **groups, "reach": reach, "rules": noise}
