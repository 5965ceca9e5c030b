from __future__ import annotations

from django.urls import URLPattern, path

from interop.api import webhooks as api

urlpatterns: list[URLPattern] = [
    path("webhooks", api.WebhookList.as_view(), name="api-webhooks"),
    path("webhooks/types", api.WebhookTypes.as_view(), name="api-webhook-types"),
    path("webhooks/<uuid:uid>", api.WebhookDetail.as_view(), name="api-webhook"),
    path("webhooks/<uuid:uid>/pause", api.WebhookPause.as_view(), name="api-webhook-pause"),
    path("webhooks/<uuid:uid>/resume", api.WebhookResume.as_view(), name="api-webhook-resume"),
    path("webhooks/<uuid:uid>/test", api.WebhookTest.as_view(), name="api-webhook-test"),
    path("webhooks/<uuid:uid>/secrets", api.WebhookSecrets.as_view(), name="api-webhook-secrets"),
    path("webhooks/<uuid:uid>/secrets/<int:pk>", api.WebhookSecretDetail.as_view(), name="api-webhook-secret"),
    path("webhooks/<uuid:uid>/replay", api.WebhookReplay.as_view(), name="api-webhook-replay"),
    path("webhooks/<uuid:uid>/deliveries", api.DeliveryList.as_view(), name="api-webhook-deliveries"),
    path("webhooks/<uuid:uid>/deliveries/<int:pk>", api.DeliveryDetail.as_view(), name="api-webhook-delivery"),
    path("webhooks/<uuid:uid>/deliveries/<int:pk>/replay", api.DeliveryReplay.as_view(), name="api-webhook-delivery-replay"),
]
