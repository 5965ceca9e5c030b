"""Alerts for partners: what must be heard of, without the names of those who were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from rest_framework.request import Request

from alerts.models import Alert, AlertState, Level
from geography.models import Region, Zone
from interop.api.alerts.alerts_shapes import AlertSerializer
from interop.api.external import answers
from interop.api.external.asked import BBOX, ZONE, before, choices, since, words
from interop.api.external.book import book
from interop.api.external.documents import details, lists
from interop.api.external.views import FINER_THAN_AREA, Table, span
from interop.api.hotspots import MAX_PK
from interop.models import Precision, Scope
from interop.precision import inside, is_exact, told


class ExternalAlertSerializer(AlertSerializer):
    """An alert as partners read it: nobody's name, and no text that a person typed for keys of less than exact precision."""

    acknowledged_by = None  # type: ignore[assignment]


class Alerts(Table):
    name = "alerts"
    scope = Scope.ALERTS_READ
    serializer_class = ExternalAlertSerializer
    queryset = Alert.objects.none()
    columns = tuple(ExternalAlertSerializer().fields)
    sorts = {"-opened_at": "opened_at", "-last_seen_at": "last_seen_at"}
    filters = {
        "opened_since": since("that opened"),
        "opened_before": before("that opened"),
        "seen_since": since("seen last"),
        "seen_before": before("seen last"),
        "bbox": BBOX,
        "zone": ZONE,
        "type": words("incident types", "burglary"),
        "category": words("categories", "property"),
        "level": choices(Level.values, "Only of these levels."),
        "state": choices(AlertState.values, "Only in these states."),
        "agency": words("agencies", "police"),
    }

    def visible(self) -> QuerySet[Alert]:
        return Alert.objects.shown_to(self.key).for_card().defer("governorate__boundary", "zone__boundary", "incident__search")

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        rows = span(rows, given, {"opened": "opened_at", "seen": "last_seen_at"})
        if "zone" in given:
            ids = self.zone_ids(given["zone"])
            rows = rows.filter(Q(governorate__in=ids) | Q(zone__in=ids))
        if "agency" in given:
            rows = rows.filter(agency__in=self.agency_ids(given["agency"]))
        for name, column in (("type", "type_code"), ("category", "category"), ("level", "level"), ("state", "state")):
            if name in given:
                rows = rows.filter(**{f"{column}__in": given[name]})
        if "bbox" in given:
            # An alert knows no region; its place is snapped in the default one's metres, here and in the answer.
            rows = inside(rows, given["bbox"], self.precision, region=None, area="zone_id")
            if self.precision == Precision.AREA:
                rows = rows.filter(location__isnull=False)
        return rows

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        shaped = self.serializer_class(rows, many=True, context={"names": False, "viewer": self.key}).data
        if not is_exact(self.key):
            self.blur(rows, shaped)
        return [{name: row[name] for name in names} for row in shaped]

    def blur(self, rows: Any, shaped: Any) -> None:
        points = [(alert.location.x, alert.location.y) if alert.location else None for alert in rows]
        srid = Region.objects.order_by("-is_default", "pk").values_list("metric_srid", flat=True)[0]
        labels = [self.label(alert) for alert in rows]
        places = told(points, [srid] * len(points), labels, self.precision)
        for alert, row, place in zip(rows, shaped, places, strict=True):
            row["location"] = {"longitude": place[0], "latitude": place[1]} if place else None
            row["text"] = ""
            if alert.kind == Alert.Kind.MANUAL:
                row["title_en"] = row["title_ar"] = ""
            if alert.zone is not None and alert.zone.level in FINER_THAN_AREA:
                row["zone"] = None

    @staticmethod
    def label(alert: Alert) -> tuple[float, float] | None:
        if alert.zone is None or alert.zone.level != Zone.Level.AREA:
            return None
        return book(anew=alert.zone.pk not in book().zones).zones[alert.zone.pk].label


class AlertList(Alerts):
    @lists(Alerts, operation="pull_alerts", summary="Alerts, the newest first", row=ExternalAlertSerializer)
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)


class AlertDetail(Alerts):
    @details(Alerts, operation="pull_alert", summary="One alert", row=ExternalAlertSerializer)
    def get(self, request: Request, pk: str, format: str | None = None) -> HttpResponseBase:
        return self.one(self.visible().filter(pk=min(int(pk), MAX_PK)))
