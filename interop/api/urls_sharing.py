from __future__ import annotations

from django.urls import URLPattern, path

from interop.api import sharing as api
from interop.api import systems

urlpatterns: list[URLPattern] = [
    path("sharing/agreements", api.AgreementList.as_view(), name="api-agreements"),
    path("sharing/agreements/<int:pk>", api.AgreementDetail.as_view(), name="api-agreement"),
    path("sharing/agreements/<int:pk>/sign", api.AgreementSign.as_view(), name="api-agreement-sign"),
    path("sharing/agreements/<int:pk>/revoke", api.AgreementRevoke.as_view(), name="api-agreement-revoke"),
    path("sharing/reads/incidents/<str:ref>", api.ReadsOfIncident.as_view(), name="api-reads-incident"),
    path("sharing/reads/partners/<slug:slug>", api.ReadsOfPartner.as_view(), name="api-reads-partner"),
    path("systems", systems.SystemList.as_view(), name="api-systems"),
    path("systems/<int:pk>", systems.SystemDetail.as_view(), name="api-system"),
    path("systems/<int:pk>/probes", systems.SystemProbes.as_view(), name="api-system-probes"),
]
