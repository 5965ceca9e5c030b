"""Kuwait as facts of our own: six governorates and their areas, named in both languages, placed as circles.

An area is held as one to four circles (a point rounded to four decimals, a radius rounded to 50 m): enough to say roughly
where it is and how large, and no more. ``geography.services.gazetteer`` makes approximate polygons of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

AREAS_FILE = Path(__file__).parent / "data" / "kuwait_areas.csv"
REGION = {"code": "kw", "name_en": "Kuwait", "name_ar": "الكويت", "time_zone": "Asia/Kuwait", "metric_srid": 32638}
COUNTRY_CODE = "KW"
COUNTRY_NUMBER = "414"  # ISO 3166-1


@dataclass(frozen=True)
class Circle:
    longitude: float
    latitude: float
    radius_m: int


@dataclass(frozen=True)
class Governorate:
    code: str  # ISO 3166-2
    name_en: str
    name_ar: str


@dataclass(frozen=True)
class Area:
    code: str
    governorate: str
    name_en: str
    name_ar: str
    kind: str
    circles: tuple[Circle, ...]

    @property
    def is_island(self) -> bool:
        return self.kind == "island"

    @property
    def is_open_desert(self) -> bool:
        """It takes the land that lies beyond the reach of every settlement."""
        return self.kind == "desert"


GOVERNORATES = (
    Governorate("KW-KU", "Capital", "العاصمة"),
    Governorate("KW-HA", "Hawalli", "حولي"),
    Governorate("KW-FA", "Farwaniya", "الفروانية"),
    Governorate("KW-AH", "Ahmadi", "الأحمدي"),
    Governorate("KW-JA", "Jahra", "الجهراء"),
    Governorate("KW-MU", "Mubarak Al-Kabeer", "مبارك الكبير"),
)


def read_areas(path: Path = AREAS_FILE) -> list[Area]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Area(row["code"], row["governorate"], row["name_en"], row["name_ar"], row["kind"], tuple(_circles(row["circles"])))
            for row in csv.DictReader(file)
        ]


def _circles(text: str) -> list[Circle]:
    parts = [circle.split() for circle in text.split(";")]
    return [Circle(float(longitude), float(latitude), int(radius)) for longitude, latitude, radius in parts]
