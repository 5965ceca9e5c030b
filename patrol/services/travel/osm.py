"""Ways that cars may drive, read from an OpenStreetMap extract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from django.utils.translation import gettext as _

from core.errors import Invalid
from patrol.analytics.road_building import RoadWay

Box = tuple[float, float, float, float]

# What is driven in the mean where no limit is tagged, stops at lights included.
SPEEDS_KMH: Mapping[str, float] = {
    "motorway": 95,
    "motorway_link": 50,
    "trunk": 75,
    "trunk_link": 45,
    "primary": 50,
    "primary_link": 35,
    "secondary": 42,
    "secondary_link": 32,
    "tertiary": 36,
    "tertiary_link": 30,
    "unclassified": 32,
    "residential": 26,
    "living_street": 12,
    "service": 15,
    "road": 28,
}
LIMIT_SHARE = 0.75  # of a tagged limit that is driven in the mean
_ZONES = {"walk": 7.0, "none": 120.0, "urban": 50.0, "rural": 80.0, "motorway": 120.0}
_CLOSED = frozenset({"no", "private", "agricultural", "forestry", "delivery"})
EVERY = 20_000


def read_ways(
    path: Path, *, within: Box | None, tally: Counter[str], on_progress: Callable[[int], None] | None = None
) -> Iterator[RoadWay]:
    """The ways that are driven, one by one; ``tally`` counts what was taken and what was left out, by the reason.

    Raises
    ------
    Invalid
        The file is no OSM file, or is cut off.
    """
    import osmium

    number = 0
    try:
        for way in osmium.FileProcessor(str(path)).with_locations("flex_mem").with_filter(osmium.filter.KeyFilter("highway")):
            if not isinstance(way, osmium.osm.Way):
                continue
            number += 1
            if on_progress is not None and not number % EVERY:
                on_progress(number)
            tags = dict(way.tags)
            kmh = SPEEDS_KMH.get(tags["highway"])
            if kmh is None:
                tally["not_for_cars"] += 1
                continue
            if is_barred(tags):
                tally["barred"] += 1
                continue
            nodes = [(node.ref, node.lon, node.lat) for node in way.nodes if node.location.valid()]
            if len(nodes) < len(way.nodes):
                tally["cut_off"] += 1
            if len(nodes) < 2:
                continue
            ids, lon, lat = (list(column) for column in zip(*nodes, strict=True))
            if within is not None and not any(_is_in(within, x, y) for x, y in zip(lon, lat, strict=True)):
                tally["outside"] += 1
                continue
            tally["ways"] += 1
            yield RoadWay(ids, lon, lat, direction(tags), speed_kmh(tags, kmh))
    except (RuntimeError, OSError) as error:
        raise Invalid(_("%(file)s cannot be read as an OpenStreetMap extract: %(why)s") % {"file": path.name, "why": error}) from error


def _is_in(box: Box, lon: float, lat: float) -> bool:
    return box[0] <= lon <= box[2] and box[1] <= lat <= box[3]


def is_barred(tags: Mapping[str, str]) -> bool:
    """Whether cars may not drive here; the narrower tag counts."""
    for key in ("motorcar", "motor_vehicle", "vehicle", "access"):
        if key in tags:
            return tags[key] in _CLOSED
    return tags.get("area") == "yes" or "construction" in tags.get("highway", "")


def direction(tags: Mapping[str, str]) -> int:
    """1 with the way's order, -1 against it, 0 both ways."""
    said = tags.get("oneway:motor_vehicle", tags.get("oneway", ""))
    if said in {"yes", "1", "true"}:
        return 1
    if said in {"-1", "reverse"}:
        return -1
    if said in {"no", "0", "false"}:
        return 0
    one_way = tags.get("junction") in {"roundabout", "circular"} or tags["highway"] in {"motorway", "motorway_link"}
    return 1 if one_way else 0


def speed_kmh(tags: Mapping[str, str], usual: float) -> float:
    """What is driven: a share of the limit where one is tagged and can be understood, else what the class usually is."""
    limit = limit_kmh(tags.get("maxspeed", ""))
    return usual if limit is None else max(5.0, limit * LIMIT_SHARE)


def limit_kmh(said: str) -> float | None:
    """The limit in km/h of ``60``, ``60 km/h``, ``40 mph``, ``KW:urban``, ``walk``, ``60;80`` (the lower); ``None`` for anything else."""
    found = []
    for part in said.split(";"):
        text = part.strip().lower()
        number = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*(mph|km/h|kmh|kph)?", text)
        if number:
            found.append(float(number[1]) * (1.609344 if number[2] == "mph" else 1))
        elif text.rpartition(":")[2] in _ZONES:
            found.append(_ZONES[text.rpartition(":")[2]])
    return min((one for one in found if one > 0), default=None)
