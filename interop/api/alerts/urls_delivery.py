from __future__ import annotations

from django.urls import URLPattern, path

from interop.api.alerts import deliveries

urlpatterns: list[URLPattern] = [
    path("deliveries", deliveries.DeliveryList.as_view(), name="api-deliveries"),
    path("deliveries/figures", deliveries.DeliveryFigures.as_view(), name="api-deliveries-figures"),
    path("deliveries/<int:pk>", deliveries.DeliveryDetail.as_view(), name="api-delivery"),
    path("deliveries/<int:pk>/retry", deliveries.DeliveryRetry.as_view(), name="api-delivery-retry"),
]
