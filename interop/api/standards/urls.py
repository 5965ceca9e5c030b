from __future__ import annotations

from django.urls import URLPattern, path, re_path

from interop.api.standards import ogc, open311
from interop.api.standards.cap_in import CapIntake
from interop.api.standards.cap_out import CapFeed, CapMessage
from interop.api.standards.eido import EidoIncident

OPEN311 = r"^open311/v2/"
FORM = r"\.(?P<form>json|xml)$"

urlpatterns: list[URLPattern] = [
    path("cap/alerts.atom", CapFeed.as_view(), name="api-cap-feed"),
    path("cap/alerts/<str:identifier>.xml", CapMessage.as_view(), name="api-cap-message"),
    path("ingest/cap-alert", CapIntake.as_view(), name="api-ingest-cap-alert"),
    path("eido/incidents/<str:ref>", EidoIncident.as_view(), name="api-eido-incident"),
    # Other people's clients put a slash at the end of the address they are given.
    re_path(r"^ogc/?$", ogc.Landing.as_view(), name="api-ogc"),
    path("ogc/conformance", ogc.Conformance.as_view(), name="api-ogc-conformance"),
    path("ogc/api", ogc.ApiDocument.as_view(), name="api-ogc-api"),
    path("ogc/collections", ogc.CollectionsPage.as_view(), name="api-ogc-collections"),
    path("ogc/collections/<str:name>", ogc.CollectionPage.as_view(), name="api-ogc-collection"),
    path("ogc/collections/<str:name>/items", ogc.Items.as_view(), name="api-ogc-items"),
    path("ogc/collections/<str:name>/items/<str:fid>", ogc.Item.as_view(), name="api-ogc-item"),
    re_path(rf"{OPEN311}discovery{FORM}", open311.Discovery.as_view(), name="api-open311"),
    re_path(rf"{OPEN311}services{FORM}", open311.Services.as_view(), name="api-open311-services"),
    re_path(rf"{OPEN311}services/(?P<code>[^/]{{1,64}}){FORM}", open311.ServiceDefinition.as_view(), name="api-open311-service"),
    re_path(rf"{OPEN311}requests{FORM}", open311.Requests.as_view(), name="api-open311-requests"),
    re_path(rf"{OPEN311}requests/(?P<ref>[^/]{{1,40}}){FORM}", open311.OneRequest.as_view(), name="api-open311-request"),
    re_path(rf"{OPEN311}tokens/(?P<token>[^/]{{1,40}}){FORM}", open311.Token.as_view(), name="api-open311-token"),
]
