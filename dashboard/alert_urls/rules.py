from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.views import alert_rules

urlpatterns: list[URLPattern] = [
    path("alerts/rules/", alert_rules.page, name="rules"),
    path("alerts/rules/new/", alert_rules.new, name="rules-new"),
    path("alerts/rules/preview/", alert_rules.told, name="rules-preview"),
    path("alerts/rules/<int:pk>/", alert_rules.one, name="rules-one"),
    path("alerts/rules/<int:pk>/edit/", alert_rules.edit, name="rules-edit"),
    path("alerts/rules/<int:pk>/file/", alert_rules.file, name="rules-file"),
    path("alerts/rules/<int:pk>/<slug:verb>/", alert_rules.act, name="rules-act"),
]
