"""CAP 1.2 out: the feed of what is open and of what ended lately, and each message by its identifier."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from alerts.models import Alert, AlertLog
from geography.models import Region
from incidents.models import IncidentType
from interop import precision
from interop.api.standards.kit import StandardView, answer, here
from interop.models import Precision, Scope
from interop.standards import cap

PAGE = 100
ENDED_WITHIN = timedelta(hours=24)
_IDENTIFIER = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9][0-9]{0,8})")
_TOLD = (Alert.Kind.RULE, Alert.Kind.MANUAL)
_LINES = ("opened", "joined", "raised", "resolved")


class CapView(StandardView):
    scope = Scope.ALERTS_READ

    def rows(self) -> Any:
        """Alerts about the world: what the pager says of itself (nobody reached, a rule that storms) is nobody else's business."""
        return Alert.objects.shown_to(self.viewer).filter(kind__in=_TOLD).select_related("rule", "agency", "governorate", "zone")

    def teller(self, request: Request, alert: Alert | None = None) -> cap.Teller:
        return cap.Teller(cap.our_name(), here(request), self.place_of(alert), precision.is_exact(self.viewer))

    def place_of(self, alert: Alert | None) -> tuple[float, float] | None:
        """To the 100 m where the key is told no better; nowhere but its zone where it is told areas."""
        how = precision.precision_of(self.viewer)
        if alert is None or alert.location is None or how == Precision.AREA:
            return None
        where = alert.zone or alert.governorate
        srid = where.region.metric_srid if where else Region.objects.order_by("-is_default", "pk").values_list("metric_srid", flat=True)[0]
        return precision.told([(alert.location.x, alert.location.y)], [srid], [None], how)[0]


class CapFeed(CapView):
    @extend_schema(
        operation_id="cap_feed",
        tags=["standards"],
        summary="Alerts as an Atom feed of CAP 1.2 messages: what is open, and what ended within a day",
        parameters=[OpenApiParameter("before", OpenApiTypes.INT, description="Taken from the `next` link: older alerts.")],
        responses={(200, "application/atom+xml"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        rows = self.rows().filter(~Q(state="resolved") | Q(resolved_at__gte=timezone.now() - ENDED_WITHIN)).order_by("-id")
        before = request.query_params.get("before")
        if before is not None:
            if not (before.isascii() and before.isdigit() and len(before) <= 18):
                raise ValidationError({"before": _("This page is not one we gave.")})
            rows = rows.filter(pk__lt=int(before))
        found = list(rows.defer("governorate__boundary", "zone__boundary")[: PAGE + 1])
        page, more = found[:PAGE], len(found) > PAGE
        lines = lines_of(page)
        entries = [cap.Entry(alert, cap.chain_of(alert, lines[alert.pk])[-1]) for alert in page]
        teller = self.teller(request)
        feed = f"{teller.url}{request.path}"
        body = cap.feed_xml(
            entries,
            teller,
            page_url=feed if before is None else f"{feed}?before={before}",
            next_url=f"{feed}?before={page[-1].pk}" if more else "",
        )
        return answer(body, "application/atom+xml; charset=utf-8")


class CapMessage(CapView):
    @extend_schema(
        operation_id="cap_message",
        tags=["standards"],
        summary="One CAP 1.2 message by its identifier; earlier messages of an alert stay where they were",
        responses={(200, "application/cap+xml"): OpenApiTypes.STR},
    )
    def get(self, request: Request, identifier: str) -> HttpResponse:
        match = _IDENTIFIER.fullmatch(identifier)
        alert = self.rows().filter(key=UUID(match.group(1))).first() if match else None
        if match is None or alert is None:
            raise Http404
        chain, number = cap.chain_of(alert, lines_of([alert])[alert.pk]), int(match.group(2))
        if number > len(chain):
            raise Http404
        type = IncidentType.objects.filter(code=alert.type_code).first() if alert.type_code else None
        return answer(cap.message_xml(alert, chain, number, type, self.teller(request, alert)), "application/cap+xml; charset=utf-8")


def lines_of(alerts: Iterable[Alert]) -> dict[int, list[tuple[str, datetime, Any]]]:
    """What the log says of each alert's beginning, growth and end, in its order."""
    lines: dict[int, list[tuple[str, datetime, Any]]] = defaultdict(list)
    rows = AlertLog.objects.filter(alert__in=[alert.pk for alert in alerts], kind__in=_LINES).order_by("alert_id", "id")
    for pk, kind, at, facts in rows.values_list("alert_id", "kind", "at", "facts").iterator(chunk_size=2_000):
        lines[pk].append((kind, at, facts or {}))
    return lines
