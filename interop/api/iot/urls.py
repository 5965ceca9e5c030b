from __future__ import annotations

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from interop.api.iot.anomalies import AnomalyAcknowledge, AnomalyDetail, AnomalyFeedback, AnomalyList, AnomalyResolve
from interop.api.iot.devices import DeviceDetail, DeviceLast, DeviceList, DeviceReadings, DeviceReadingsCsv, DeviceReadingsJson
from interop.api.iot.exports import ReadingsCsv, ReadingsJsonLines, ReadingsParquet
from interop.api.iot.insights import CameraList, InsightDismiss, InsightList
from interop.api.iot.metadata import CameraStatusDoor, CrowdDensityDoor, EnvironmentalDoor, MotionDoor
from interop.api.iot.plate_counts import PlateCamera, PlateZones
from interop.api.iot.plates import LprHitsDoor
from interop.api.iot.readings import ReadingsAtOnce
from interop.api.iot.risk import CrowdCorrelation, RiskDetail, RiskList
from interop.api.iot.rules import SensorRuleDetail, SensorRuleList
from interop.api.iot.sms import twilio_sms


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
    path("insights", InsightList.as_view(), name="api-iot-insights"),
    path("insights/<int:pk>/dismiss", InsightDismiss.as_view(), name="api-iot-insight-dismiss"),
    path("cameras", CameraList.as_view(), name="api-iot-cameras"),
    path("risk-scores", RiskList.as_view(), name="api-iot-risks"),
    path("risk-score/<device_code:zone>", RiskDetail.as_view(), name="api-iot-risk"),
    path("crowd-correlation/<device_code:zone>", CrowdCorrelation.as_view(), name="api-iot-crowds"),
    path("motion", MotionDoor.as_view(), name="api-iot-motion"),
    path("crowd-density", CrowdDensityDoor.as_view(), name="api-iot-crowd-density"),
    path("camera-status", CameraStatusDoor.as_view(), name="api-iot-camera-status"),
    path("environmental", EnvironmentalDoor.as_view(), name="api-iot-environmental"),
    path("sms/twilio", twilio_sms, name="api-iot-sms-twilio"),
    path("lpr-hits", LprHitsDoor.as_view(), name="api-iot-lpr-hits"),
    path("plates/zones", PlateZones.as_view(), name="api-iot-plate-zones"),
    path("plates/cameras/<device_code:code>", PlateCamera.as_view(), name="api-iot-plate-camera"),
    path("rules", SensorRuleList.as_view(), name="api-iot-rules"),
    path("rules/<int:pk>", SensorRuleDetail.as_view(), name="api-iot-rule"),
    path("anomalies", AnomalyList.as_view(), name="api-iot-anomalies"),
    path("anomalies/<int:pk>", AnomalyDetail.as_view(), name="api-iot-anomaly"),
    path("anomalies/<int:pk>/acknowledge", AnomalyAcknowledge.as_view(), name="api-iot-anomaly-acknowledge"),
    path("anomalies/<int:pk>/resolve", AnomalyResolve.as_view(), name="api-iot-anomaly-resolve"),
    path("anomalies/<int:pk>/feedback", AnomalyFeedback.as_view(), name="api-iot-anomaly-feedback"),
    path("readings", ReadingsAtOnce.as_view(), name="api-iot-readings"),
    path("readings.csv", ReadingsCsv.as_view(), name="api-iot-readings-csv"),
    path("readings.jsonl", ReadingsJsonLines.as_view(), name="api-iot-readings-jsonl"),
    path("readings.parquet", ReadingsParquet.as_view(), name="api-iot-readings-parquet"),
    path("", include("iot.api.urls")),
]
