"""St. Louis, 2008-2017: half a million real incidents. The file is not ours to pass on; where it is missing, a suite says so."""

from __future__ import annotations

import json
import os
from pathlib import Path
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
