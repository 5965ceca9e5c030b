"""St. Louis, 2008-2017: half a million real incidents. The file is not ours to pass on; where it is missing, a suite says so."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geography.models import Region

_SHARED = Path(os.environ.get("KHAREETATY_SHARED") or Path(__file__).resolve().parents[2] / "shared")
INCIDENTS = _SHARED / "data/crime/stlouis_incidents_2008_2017.csv.gz"
BOX = _SHARED / "data/crime/stlouis_box.geojson"


def is_there() -> bool:
    if INCIDENTS.exists() and BOX.exists():
        return True
    print(f"left out: there is no {INCIDENTS}; KHAREETATY_SHARED says where to look")
    return False


def ensure_region() -> Region:
    """The city as a region of one zone, its box."""
    from django.contrib.gis.geos import GEOSGeometry, MultiPolygon

    from geography.models import Region, Zone
    from geography.services import rebuild_pieces

    feature = json.loads(BOX.read_text())["features"][0]
    facts = feature["properties"]
    names = {"name_en": facts["name_en"], "name_ar": facts["name_ar"]}
    region, _ = Region.objects.get_or_create(code=facts["code"], defaults={**names, "time_zone": facts["tz"], "metric_srid": 32615})
    boundary = MultiPolygon(GEOSGeometry(json.dumps(feature["geometry"])), srid=4326)
    zone, is_new = Zone.objects.get_or_create(
        region=region,
        level=Zone.Level.COUNTRY,
        code=facts["code"],
        defaults={**names, "boundary": boundary, "label_point": boundary.point_on_surface},
    )
    if is_new:
        rebuild_pieces(zone_ids=[zone.pk])
    return region


def ensure_districts(region: Region) -> None:
    """The nine police districts as governorates. The file names each incident's district but draws none: each is drawn as what lies
    nearest to the middle of its incidents, which is near enough to measure how long forecasts for nine districts take."""
    from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Point
    from django.db import connection

    from geography.models import Zone
    from geography.services import rebuild_pieces

    city = Zone.objects.get(region=region, level=Zone.Level.COUNTRY)
    if Zone.objects.filter(region=region, level=Zone.Level.GOVERNORATE).exists():
        return
    middles = _middles()
    points = ", ".join(f"ST_Point({lon}, {lat}, 4326)" for lon, lat in middles.values())
    box = city.boundary.ewkt
    made = []
    with connection.cursor() as cursor:
        cells_of = f"(ST_Dump(ST_VoronoiPolygons(ST_Collect(ARRAY[{points}]), 0, %s::geometry))).geom"
        cursor.execute(f"SELECT ST_AsEWKB(ST_Intersection({cells_of}, %s::geometry))", [box, box])
        cells = [GEOSGeometry(memoryview(bytes(row[0]))) for row in cursor.fetchall()]
    for district, (lon, lat) in middles.items():
        middle = Point(lon, lat, srid=4326)
        (cell,) = [cell for cell in cells if cell.contains(middle)]
        made.append(
            Zone.objects.create(
                region=region,
                level=Zone.Level.GOVERNORATE,
                code=f"{region.code}-{district}",
                name_en=f"District {district}",
                name_ar=f"المنطقة {district}",
                parent=city,
                boundary=MultiPolygon(cell, srid=4326),
                label_point=middle,
            )
        )
    rebuild_pieces(zone_ids=[zone.pk for zone in made])


def _middles() -> dict[str, tuple[float, float]]:
    """The median place of each district's incidents."""
    places: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with gzip.open(INCIDENTS, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["lon"] and row["lat"] and row["district"] not in ("", "0"):
                places[row["district"]].append((float(row["lon"]), float(row["lat"])))
    return {
        district: (median(lon for lon, _lat in found), median(lat for _lon, lat in found)) for district, found in sorted(places.items())
    }
