from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts import escalation

urlpatterns: list[URLPattern] = [
    path("escalation-policies", escalation.PolicyList.as_view(), name="api-escalation-policies"),
    path("escalation-policies/<slug:code>", escalation.PolicyDetail.as_view(), name="api-escalation-policy"),
    path("escalation-policies/<slug:code>/story", escalation.PolicyStory.as_view(), name="api-escalation-policy-story"),
    path("escalations", escalation.RunList.as_view(), name="api-escalations"),
    path("escalations/<int:pk>", escalation.RunDetail.as_view(), name="api-escalation"),
]
