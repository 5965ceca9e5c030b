"""The vocabulary a new installation starts with: agencies, incident types, the words feeds use for them. Editable afterwards."""

from __future__ import annotations

from typing import NamedTuple

from incidents.lifecycle import Severity


class AgencyRow(NamedTuple):
    slug: str
    kind: str
    name_en: str
    name_ar: str


class TypeRow(NamedTuple):
    code: str
    name_en: str
    name_ar: str
    category: str
    agency: str
    priority: int
    severity: int
    icon: str
    enforcement_sensitive: bool = False
    words: tuple[str, ...] = ()


AGENCIES = (
    AgencyRow("police", "police", "Police", "الشرطة"),
    AgencyRow("traffic", "traffic", "Traffic", "المرور"),
    AgencyRow("fire", "fire", "Fire Force", "قوة الإطفاء"),
    AgencyRow("ems", "ems", "Medical Emergency", "الطوارئ الطبية"),
    AgencyRow("municipality", "municipality", "Municipality", "البلدية"),
)

_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

TYPES = (
    # police
    TypeRow("homicide", "Homicide", "قتل", "violence", "police", 1, _CRITICAL, "violence", words=("murder", "manslaughter")),
    TypeRow(
        "assault",
        "Assault",
        "اعتداء",
        "violence",
        "police",
        2,
        _HIGH,
        "violence",
        words=("battery", "simple assault", "aggravated assault", "fight", "مشاجرة", "ضرب"),
    ),
    TypeRow(
        "sexual-offence", "Sexual offence", "اعتداء جنسي", "violence", "police", 1, _CRITICAL, "violence", words=("rape", "sexual assault")
    ),
    TypeRow("kidnapping", "Kidnapping", "خطف", "violence", "police", 1, _CRITICAL, "violence", words=("abduction",)),
    TypeRow(
        "domestic-violence",
        "Domestic violence",
        "عنف أسري",
        "violence",
        "police",
        1,
        _HIGH,
        "violence",
        words=("family violence", "domestic"),
    ),
    TypeRow("robbery", "Robbery", "سلب بالقوة", "property", "police", 1, _HIGH, "theft", words=("armed robbery", "mugging", "سلب")),
    TypeRow(
        "burglary",
        "Burglary",
        "سرقة منزل",
        "property",
        "police",
        2,
        _HIGH,
        "theft",
        words=("break-in", "housebreaking", "burglary in progress", "سرقة من منزل"),
    ),
    TypeRow(
        "theft", "Theft", "سرقة", "property", "police", 3, _MEDIUM, "theft", words=("larceny", "stealing", "shoplifting", "pickpocketing")
    ),
    TypeRow(
        "vehicle-theft",
        "Vehicle theft",
        "سرقة مركبة",
        "property",
        "police",
        3,
        _MEDIUM,
        "vehicle",
        words=("motor vehicle theft", "car theft", "auto theft", "stolen vehicle", "سرقة سيارة"),
    ),
    TypeRow(
        "vandalism",
        "Vandalism",
        "إتلاف ممتلكات",
        "property",
        "police",
        4,
        _LOW,
        "disorder",
        words=("criminal damage", "property damage", "destruction of property"),
    ),
    TypeRow("arson", "Arson", "حريق عمد", "property", "police", 1, _CRITICAL, "fire"),
    TypeRow("fraud", "Fraud", "احتيال", "property", "police", 4, _LOW, "theft", words=("forgery", "cybercrime", "embezzlement", "نصب")),
    TypeRow(
        "drug-offence",
        "Drug offence",
        "جريمة مخدرات",
        "drugs",
        "police",
        3,
        _MEDIUM,
        "drugs",
        True,
        ("drugs", "drug", "narcotics", "مخدرات"),
    ),
    TypeRow(
        "weapons-offence",
        "Weapons offence",
        "حيازة سلاح",
        "disorder",
        "police",
        1,
        _HIGH,
        "violence",
        True,
        ("weapons", "weapon", "weapons violation"),
    ),
    TypeRow(
        "public-order",
        "Public disorder",
        "إخلال بالنظام العام",
        "disorder",
        "police",
        3,
        _MEDIUM,
        "disorder",
        True,
        ("disorderly conduct", "disturbance", "loitering"),
    ),
    TypeRow("noise", "Noise complaint", "إزعاج", "disorder", "police", 4, _LOW, "disorder", words=("noise", "loud music")),
    TypeRow(
        "suspicious-activity",
        "Suspicious activity",
        "اشتباه",
        "disorder",
        "police",
        3,
        _LOW,
        "other",
        words=("suspicious", "suspicious person", "suspicious vehicle"),
    ),
    TypeRow("missing-person", "Missing person", "شخص مفقود", "welfare", "police", 2, _HIGH, "other", words=("missing", "تغيب")),
    # traffic
    TypeRow(
        "road-accident",
        "Road accident",
        "حادث مروري",
        "traffic",
        "traffic",
        2,
        _MEDIUM,
        "crash",
        words=("traffic accident", "accident", "collision", "crash", "حادث"),
    ),
    TypeRow(
        "road-accident-injury",
        "Road accident with injuries",
        "حادث مروري مع إصابات",
        "traffic",
        "traffic",
        1,
        _HIGH,
        "crash",
        words=("road accident, injuries", "injury accident", "accident with injuries", "run over", "دهس"),
    ),
    TypeRow(
        "congestion",
        "Congestion",
        "ازدحام مروري",
        "traffic",
        "traffic",
        4,
        _LOW,
        "traffic",
        words=("traffic jam", "traffic congestion", "ازدحام"),
    ),
    TypeRow(
        "dangerous-driving",
        "Dangerous driving",
        "قيادة خطرة",
        "traffic",
        "traffic",
        2,
        _MEDIUM,
        "traffic",
        True,
        ("reckless driving", "street racing", "استهتار"),
    ),
    TypeRow(
        "road-hazard",
        "Hazard on the road",
        "عائق على الطريق",
        "traffic",
        "traffic",
        3,
        _MEDIUM,
        "hazard",
        words=("debris", "signal fault", "traffic light out"),
    ),
    # fire
    TypeRow(
        "fire-residential",
        "Fire, residential",
        "حريق سكني",
        "fire",
        "fire",
        1,
        _CRITICAL,
        "fire",
        words=("residential fire", "house fire", "fire", "حريق", "حريق منزل"),
    ),
    TypeRow(
        "fire-industrial",
        "Fire, industrial",
        "حريق صناعي",
        "fire",
        "fire",
        1,
        _CRITICAL,
        "fire",
        words=("industrial fire", "warehouse fire"),
    ),
    TypeRow(
        "fire-vehicle", "Fire, vehicle", "حريق مركبة", "fire", "fire", 1, _HIGH, "fire", words=("vehicle fire", "car fire", "حريق سيارة")
    ),
    TypeRow("fire-alarm", "Fire alarm", "إنذار حريق", "fire", "fire", 2, _LOW, "fire", words=("alarm",)),
    TypeRow("gas-leak", "Gas leak", "تسرب غاز", "fire", "fire", 1, _HIGH, "hazard", words=("gas", "hazmat")),
    TypeRow(
        "rescue", "Rescue", "إنقاذ", "fire", "fire", 1, _HIGH, "hazard", words=("elevator rescue", "water rescue", "entrapment", "احتجاز")
    ),
    # ambulance
    TypeRow("cardiac-arrest", "Cardiac arrest", "توقف القلب", "medical", "ems", 1, _CRITICAL, "medical", words=("cardiac", "heart attack")),
    TypeRow(
        "medical-emergency",
        "Medical emergency",
        "حالة طبية طارئة",
        "medical",
        "ems",
        1,
        _HIGH,
        "medical",
        words=("medical", "illness", "breathing problem", "unconscious", "stroke", "إسعاف"),
    ),
    TypeRow("injury", "Injury", "إصابة", "medical", "ems", 2, _MEDIUM, "medical", words=("trauma", "fall", "work accident")),
    TypeRow("heat-illness", "Heat illness", "إجهاد حراري", "medical", "ems", 2, _MEDIUM, "medical", words=("heat stroke", "ضربة شمس")),
    TypeRow(
        "patient-transfer", "Patient transfer", "نقل مريض", "medical", "ems", 4, _LOW, "medical", words=("ambulance deployment", "transfer")
    ),
    # municipality
    TypeRow("road-closure", "Road closure", "إغلاق طريق", "service", "municipality", 4, _LOW, "service", words=("road works", "closure")),
    TypeRow(
        "street-light",
        "Street light out",
        "إنارة معطلة",
        "service",
        "municipality",
        5,
        _LOW,
        "service",
        words=("street lighting", "light out"),
    ),
    TypeRow(
        "waste", "Waste and litter", "نفايات", "service", "municipality", 5, _LOW, "service", words=("garbage", "litter", "illegal dumping")
    ),
    TypeRow(
        "water-leak",
        "Water on the road",
        "تسرب مياه",
        "service",
        "municipality",
        4,
        _LOW,
        "service",
        words=("water leak", "flooding", "sewage"),
    ),
    TypeRow("pothole", "Road damage", "حفرة في الطريق", "service", "municipality", 5, _LOW, "service", words=("road damage",)),
    TypeRow("stray-animal", "Stray animal", "حيوان سائب", "service", "municipality", 4, _LOW, "service", words=("animal", "stray dog")),
    TypeRow(
        "municipal-complaint",
        "Municipal complaint",
        "شكوى بلدية",
        "service",
        "municipality",
        5,
        _LOW,
        "service",
        words=("complaint", "شكوى"),
    ),
    TypeRow(
        "patrol-observation",
        "Patrol observation",
        "ملاحظة دورية",
        "disorder",
        "police",
        4,
        _LOW,
        "other",
        True,
        ("patrol", "patrol log", "field interview"),
    ),
)

SEVERITY_WORDS: dict[Severity, tuple[str, ...]] = {
    _LOW: ("low", "minor", "1", "منخفضة", "منخفض", "بسيط", "بسيطة", "slight", "info"),
    _MEDIUM: ("medium", "moderate", "2", "متوسطة", "متوسط"),
    _HIGH: ("high", "serious", "major", "severe", "3", "عالية", "عالي", "مرتفعة", "خطير", "خطيرة"),
    _CRITICAL: ("critical", "extreme", "fatal", "4", "حرجة", "حرج", "قصوى"),
}

CATEGORIES = ("violence", "property", "drugs", "disorder", "welfare", "traffic", "fire", "medical", "service", "other")
