from __future__ import annotations

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from interop.api.iot.devices import DeviceDetail, DeviceLast, DeviceList, DeviceReadings, DeviceReadingsCsv, DeviceReadingsJson


class DeviceCode(StringConverter):
    regex = "[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"


register_converter(DeviceCode, "device_code")

urlpatterns = [
    path("devices", DeviceList.as_view(), name="api-iot-devices"),
    path("devices/<device_code:code>", DeviceDetail.as_view(), name="api-iot-device"),
    path("devices/<device_code:code>/last", DeviceLast.as_view(), name="api-iot-device-last"),
    path("devices/<device_code:code>/readings", DeviceReadings.as_view(), name="api-iot-device-readings"),
    path("devices/<device_code:code>/readings.csv", DeviceReadingsCsv.as_view(), name="api-iot-device-csv"),
    path("devices/<device_code:code>/readings.jsonl", DeviceReadingsJson.as_view(), name="api-iot-device-jsonl"),
    path("", include("iot.api.urls")),
]
