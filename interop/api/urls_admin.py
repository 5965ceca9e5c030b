from __future__ import annotations

from django.urls import path

from interop.api.keys import KeyDetail, KeyList, KeyRevocation, KeyRotation, KeyUse

urlpatterns = [
    path("api-keys", KeyList.as_view(), name="api-keys"),
    path("api-keys/<int:pk>", KeyDetail.as_view(), name="api-key"),
    path("api-keys/<int:pk>/usage", KeyUse.as_view(), name="api-key-usage"),
    path("api-keys/<int:pk>/rotate", KeyRotation.as_view(), name="api-key-rotate"),
    path("api-keys/<int:pk>/revoke", KeyRevocation.as_view(), name="api-key-revoke"),
]
