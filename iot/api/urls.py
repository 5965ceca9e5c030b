from __future__ import annotations

from django.urls import path

from iot.api.intake import ReadingsIn

urlpatterns = [path("readings", ReadingsIn.as_view(), name="api-iot-readings")]
