"""NENA EIDO out: one incident by its reference."""

from __future__ import annotations

import orjson
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from incidents.models import Incident
from interop import precision
from interop.api.reads import on_record
from interop.api.standards.kit import StandardView, answer
from interop.models import Precision, Scope
from interop.standards import eido
from interop.standards.cap import our_name

_SNAPPED_WITHIN_M = 71  # half the diagonal of the square it is told to lie in


class EidoIncident(StandardView):
    scope = Scope.INCIDENTS_READ

    @extend_schema(
        operation_id="eido_incident",
        tags=["standards"],
        summary="One incident as a NENA Emergency Incident Data Object",
        responses={(200, eido.MEDIA_TYPE): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        rows = Incident.objects.visible_to(self.viewer).select_related("region", "type", "agency", "governorate", "area")
        incident = rows.defer("search", "governorate__boundary", "area__boundary").by_ref(ref).first()
        if incident is None:
            raise Http404
        on_record(request, [incident], door="eido")
        return answer(orjson.dumps(eido.document(incident, self.told(incident), our_name())), eido.MEDIA_TYPE)

    def told(self, incident: Incident) -> eido.Told:
        """An area is told in words alone: its label point is nowhere in particular."""
        how = precision.precision_of(self.viewer)
        if how == Precision.AREA or incident.location is None:
            return eido.Told(None, 0, how == Precision.EXACT)
        point = (incident.location.x, incident.location.y)
        (place,) = precision.told([point], [incident.region.metric_srid], [None], how)
        return eido.Told(place, 0 if how == Precision.EXACT else _SNAPPED_WITHIN_M, how == Precision.EXACT)
