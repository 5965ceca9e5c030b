from __future__ import annotations

from django.urls import path

from iot.api.networks import ChirpStackIn, SmsIn, TtnIn

urlpatterns = [
    path("lorawan/chirpstack", ChirpStackIn.as_view(), name="api-iot-chirpstack"),
    path("lorawan/ttn", TtnIn.as_view(), name="api-iot-ttn"),
    path("sms", SmsIn.as_view(), name="api-iot-sms"),
]
