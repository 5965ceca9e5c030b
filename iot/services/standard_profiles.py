"""The profiles a new installation starts with: one of each kind of device, with what it measures, in which unit, within which range.

``battery_pct``, ``signal_dbm`` and ``firmware`` are no metrics: what a device says of itself stands at the device. A switch is a metric of
0 and 1. The ranges are those of the quantity and of the usual sensors; a maker's data sheet goes into a profile of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import transaction

from iot.models import DeviceProfile, Metric
from iot.models.profiles import DeviceKind


@dataclass(frozen=True, slots=True)
class StandardMetric:
    code: str
    name_en: str
    name_ar: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    most_change_per_min: float | None = None
    stuck_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class StandardProfile:
    code: str
    name_en: str
    name_ar: str
    kind: DeviceKind
    metrics: tuple[StandardMetric, ...]
    every_s: int = 300
    most_per_min: int = 120
    keep_raw_days: int = 14
    decoder: str = ""
    decoder_settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def _switch(code: str, name_en: str, name_ar: str) -> StandardMetric:
    return StandardMetric(code, name_en, name_ar, least=0, most=1)


def _count(code: str, name_en: str, name_ar: str, most: float) -> StandardMetric:
    return StandardMetric(code, name_en, name_ar, least=0, most=most)


HOUR = 3_600
_TEMPERATURE = StandardMetric("temperature", "Temperature", "درجة الحرارة", "°C", -20, 80, 10, 24 * HOUR)
_HUMIDITY = StandardMetric("humidity", "Humidity", "الرطوبة", "%", 0, 100, 30)
_ONLINE = _switch("is_online", "Online", "متصل")
_AIR = (_TEMPERATURE, _HUMIDITY)
_LEVEL = StandardMetric("level", "Level", "المنسوب", "m", 0, 30, 1)
_SEEN = (
    ("person", "Persons", "الأشخاص"),
    ("car", "Cars", "السيارات"),
    ("truck", "Lorries", "الشاحنات"),
    ("motorcycle", "Motorcycles", "الدراجات النارية"),
)

STANDARD: tuple[StandardProfile, ...] = (
    StandardProfile(
        "motion", "Motion sensor", "حساس حركة", DeviceKind.MOTION,
        (
            _switch("motion", "Motion", "الحركة"),
            _count("motion_events", "Movements counted", "عدد الحركات", 10_000),
            StandardMetric("motion_level", "Strength of motion", "شدة الحركة", "%", 0, 100),
        ),
    ),
    StandardProfile(
        "crowd", "Crowd sensor", "حساس كثافة الحشود", DeviceKind.CROWD,
        (
            _count("people", "People counted", "عدد الأشخاص", 100_000),
            StandardMetric("density", "Crowd density", "كثافة الحشود", "1/m²", 0, 12),
            StandardMetric("occupancy", "Occupancy", "نسبة الإشغال", "%", 0, 200),
        ),
        every_s=60,
    ),
    StandardProfile(
        "camera", "Camera", "كاميرا", DeviceKind.CAMERA,
        (
            _ONLINE,
            _switch("is_recording", "Recording", "التسجيل يعمل"),
            _switch("is_obscured", "View obscured", "الرؤية محجوبة"),
            StandardMetric("frame_rate", "Frames a second", "معدل الإطارات", "1/s", 0, 240),
            StandardMetric("storage_used", "Storage used", "سعة التخزين المستخدمة", "%", 0, 100),
            _switch("motion", "Motion", "الحركة"),
            _count("objects_in_view", "Objects in view", "الأجسام في المشهد", 10_000),
            *(_count(f"{code}_in_view", f"{en} in view", f"{ar} في المشهد", 10_000) for code, en, ar in _SEEN),
            *(_count(f"{code}_seen", f"{en} seen", f"{ar} المرصودة", 10_000) for code, en, ar in _SEEN),
            *(StandardMetric(f"{code}_stay_s", f"{en}: stay", f"{ar}: مدة البقاء", "s", 0, 86_400) for code, en, ar in _SEEN),
        ),
        every_s=60, most_per_min=600,
    ),
    StandardProfile(
        "plates", "Plate counter", "عدّاد لوحات", DeviceKind.PLATES,
        (
            _count("vehicles_read", "Vehicles read", "المركبات المقروءة", 10_000),
            _count("vehicles_distinct", "Distinct vehicles in the message", "مركبات مختلفة في الرسالة", 10_000),
            _count("vehicles_distinct_hour", "Distinct vehicles this hour so far", "مركبات مختلفة في هذه الساعة", 100_000),
            _ONLINE,
        ),
        every_s=900, most_per_min=1_200,
    ),
    StandardProfile(
        "smoke", "Smoke detector", "كاشف دخان", DeviceKind.SMOKE,
        (
            StandardMetric("smoke", "Smoke obscuration", "كثافة الدخان", "%/m", 0, 50),
            _switch("smoke_alarm", "Smoke alarm", "إنذار الدخان"),
            StandardMetric("carbon_monoxide", "Carbon monoxide", "أول أكسيد الكربون", "ppm", 0, 1_000),
            _TEMPERATURE,
        ),
        every_s=600,
    ),
    StandardProfile(
        "heat", "Heat detector", "كاشف حرارة", DeviceKind.SMOKE,
        (
            StandardMetric("temperature", "Temperature", "درجة الحرارة", "°C", -20, 300),
            _switch("heat_alarm", "Heat alarm", "إنذار الحرارة"),
        ),
        every_s=600,
    ),
    StandardProfile(
        "air", "Air and weather station", "محطة هواء وطقس", DeviceKind.ENVIRONMENT,
        (
            *_AIR,
            StandardMetric("pm2_5", "Fine dust PM2.5", "الجسيمات الدقيقة PM2.5", "µg/m³", 0, 2_000),
            StandardMetric("pm10", "Dust PM10", "الغبار PM10", "µg/m³", 0, 6_000),
            StandardMetric("co2", "Carbon dioxide", "ثاني أكسيد الكربون", "ppm", 300, 10_000),
            StandardMetric("carbon_monoxide", "Carbon monoxide", "أول أكسيد الكربون", "ppm", 0, 1_000),
            StandardMetric("no2", "Nitrogen dioxide", "ثاني أكسيد النيتروجين", "µg/m³", 0, 2_000),
            StandardMetric("ozone", "Ozone", "الأوزون", "µg/m³", 0, 1_000),
            StandardMetric("hydrogen_sulphide", "Hydrogen sulphide", "كبريتيد الهيدروجين", "ppm", 0, 500),
            StandardMetric("air_pressure", "Air pressure", "الضغط الجوي", "hPa", 900, 1_100, 5),
            StandardMetric("wind_speed", "Wind speed", "سرعة الرياح", "m/s", 0, 75),
            StandardMetric("wind_direction", "Wind direction", "اتجاه الرياح", "°", 0, 360),
            StandardMetric("noise", "Noise", "الضوضاء", "dB", 20, 140),
        ),
    ),
    StandardProfile(
        "water", "Water sensor", "حساس مياه", DeviceKind.WATER,
        (
            StandardMetric("pressure", "Pressure", "الضغط", "bar", 0, 25, 5, 6 * HOUR),
            StandardMetric("flow", "Flow", "التدفق", "m³/h", 0, 5_000),
            _LEVEL,
            StandardMetric("water_temperature", "Water temperature", "حرارة المياه", "°C", 0, 70),
            StandardMetric("turbidity", "Turbidity", "العكورة", "NTU", 0, 1_000),
            StandardMetric("acidity", "Acidity", "الأس الهيدروجيني", "pH", 0, 14),
            StandardMetric("chlorine", "Free chlorine", "الكلور الحر", "mg/l", 0, 10),
        ),
    ),
    StandardProfile(
        "tank_sms", "Tank that reports by SMS", "خزان يبلغ برسائل نصية", DeviceKind.WATER, (_LEVEL,),
        every_s=6 * HOUR, most_per_min=12, decoder="sms_text",
        decoder_settings={"words": {"LEVEL": {"metric": "level"}, "BAT": {"metric": "battery_pct"}}},
    ),
    StandardProfile(
        "air_lora", "Air sensor on LoRaWAN", "حساس هواء عبر LoRaWAN", DeviceKind.ENVIRONMENT, _AIR,
        every_s=900, decoder="cayenne_lpp",
        decoder_settings={"names": {"temperature_c_1": "temperature", "humidity_pct_2": "humidity"}, "only_named": True},
    ),
    StandardProfile(
        "gateway", "Gateway", "بوابة", DeviceKind.GATEWAY,
        (
            _ONLINE,
            _count("frames_received", "Frames received", "الإطارات المستلمة", 1_000_000),
            _count("devices_heard", "Devices heard", "الأجهزة المسموعة", 100_000),
            StandardMetric("temperature", "Temperature", "درجة الحرارة", "°C", -20, 110),
        ),
        every_s=60, most_per_min=600,
    ),
)  # fmt: skip
BY_CODE = MappingProxyType({profile.code: profile for profile in STANDARD})


@transaction.atomic
def ensure_profiles() -> int:
    """Add those that are not there; how many were. What a person has changed, or taken out of a profile, stays as it is."""
    there = set(DeviceProfile.objects.filter(code__in=BY_CODE).values_list("code", flat=True))
    rows = [DeviceProfile(**dict(_columns(profile))) for profile in STANDARD if profile.code not in there]
    made = {row.code: row for row in DeviceProfile.objects.bulk_create(rows, ignore_conflicts=True)}
    known = {row.code: row for row in DeviceProfile.objects.filter(code__in=made)}
    Metric.objects.bulk_create(
        [Metric(profile=row, **_fields(metric)) for code, row in known.items() for metric in BY_CODE[code].metrics], ignore_conflicts=True
    )
    return len(made)


def _columns(profile: StandardProfile) -> Iterator[tuple[str, Any]]:
    for name in ("code", "name_en", "name_ar", "kind", "keep_raw_days", "most_per_min", "decoder"):
        yield name, getattr(profile, name)
    yield "expected_every_s", profile.every_s
    yield "decoder_settings", dict(profile.decoder_settings)


def _fields(metric: StandardMetric) -> dict[str, Any]:
    return {name: getattr(metric, name) for name in StandardMetric.__slots__}
