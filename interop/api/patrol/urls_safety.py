from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.patrol import safety

urlpatterns: list[URLPattern] = [
    path("sos", safety.SosList.as_view(), name="api-patrol-sos"),
    path("sos/<int:pk>", safety.SosDetail.as_view(), name="api-patrol-sos-one"),
    path("sos/<int:pk>/answer", safety.SosAnswer.as_view(), name="api-patrol-sos-answer"),
    path("sos/<int:pk>/end", safety.SosEnd.as_view(), name="api-patrol-sos-end"),
    path("welfare", safety.WelfareList.as_view(), name="api-patrol-welfare"),
    path("welfare/<int:pk>/answer", safety.WelfareAnswer.as_view(), name="api-patrol-welfare-answer"),
    path("welfare/<int:pk>/end", safety.WelfareEnd.as_view(), name="api-patrol-welfare-end"),
    path("shift-packs", safety.PackList.as_view(), name="api-patrol-packs"),
    path("shift-packs/<int:pk>", safety.PackDetail.as_view(), name="api-patrol-pack"),
    path("field-actions", safety.FieldActions.as_view(), name="api-patrol-field-actions"),
]
