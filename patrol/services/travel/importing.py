"""A road network from a file: read, built, stored once."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.gis.db.models import Extent
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core import audit
from core.errors import Invalid
from core.events import publish
from geography.models import Region, Zone
from patrol import events
from patrol.analytics.road_building import build
from patrol.models import RoadNetwork
from patrol.services.travel.osm import Box, read_ways

MARGIN_DEGREES = 0.05  # roads a little beyond the border are kept: a way may lead round


@dataclass
class RoadImport:
    """What an import did. Counts of ways are the file's, of nodes and edges the network's."""

    file: str
    region: str
    sha256: str = ""
    network: int | None = None
    is_new: bool = False
    nodes: int = 0
    edges: int = 0
    kilometres: float = 0.0
    stored_bytes: int = 0
    facts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def import_roads(
    *, path: Path, region: str = "", on_progress: Callable[[str, int], None] | None = None, by: object | None = None
) -> RoadImport:
    """Take a region's roads from an OpenStreetMap extract (``.osm.pbf``); the same file again changes nothing.

    The largest part of the network in which every place can be reached from every other is kept, the rest counted. From then on it is
    what plans of the region are timed on. Turn restrictions and traffic are not known to it.
    """
    began = time.perf_counter()
    owner = _region(region)
    path = Path(path)
    if not path.is_file():
        raise Invalid(_("There is no file %(file)s.") % {"file": path.name})
    size = path.stat().st_size
    if not size:
        raise Invalid(_("%(file)s is empty.") % {"file": path.name})
    if size > settings.ROADS_MAX_MB * 1024 * 1024:
        raise Invalid(
            _("%(file)s has %(size)d MB, more than the %(most)d allowed. Cut it to the region first (osmium extract).")
            % {"file": path.name, "size": size // 1024**2, "most": settings.ROADS_MAX_MB}
        )
    tell = on_progress or (lambda step, count: None)
    done = RoadImport(path.name, owner.code, _sha256(path))
    held = RoadNetwork.objects.filter(region=owner, sha256=done.sha256).defer("graph").first()
    if held is not None:
        return _as_held(done, held, began)
    tally: Counter[str] = Counter()
    built = build(read_ways(path, within=_box(owner), tally=tally, on_progress=lambda count: tell("ways", count)))
    if not built.graph.edges:
        raise Invalid(_("%(file)s has no roads for cars in %(region)s.") % {"file": path.name, "region": owner.name})
    tell("edges", built.graph.edges)
    stored = built.graph.to_bytes()
    done.facts = {
        **tally,
        "islands_left_out": built.islands,
        "nodes_left_out": built.island_nodes,
        "edges_left_out": built.island_edges,
    }
    done.nodes, done.edges, done.stored_bytes = built.graph.nodes, built.graph.edges, len(stored)
    done.kilometres = round(float(built.graph.metres.sum()) / 1000, 1)
    try:
        with transaction.atomic():
            network = RoadNetwork.objects.create(
                region=owner,
                source_name=path.name[:200],
                sha256=done.sha256,
                node_count=done.nodes,
                edge_count=done.edges,
                facts={**done.facts, "kilometres": done.kilometres},
                graph=stored,
            )
            audit.record("roads.import", obj=network, by=by, after={"sha256": done.sha256, "edges": done.edges})
            publish(events.ROADS_IMPORTED, subject=network, data={"region": owner.code, "edges": done.edges})
    except IntegrityError:  # somebody else imported the same file meanwhile
        return _as_held(done, RoadNetwork.objects.defer("graph").get(region=owner, sha256=done.sha256), began)
    done.network, done.is_new, done.seconds = network.pk, True, time.perf_counter() - began
    return done


def _as_held(done: RoadImport, held: RoadNetwork, began: float) -> RoadImport:
    done.network, done.nodes, done.edges = held.pk, held.node_count, held.edge_count
    done.kilometres = float(held.facts.get("kilometres", 0.0))
    done.facts = {name: count for name, count in held.facts.items() if name != "kilometres"}
    done.seconds = time.perf_counter() - began
    return done


def _region(code: str) -> Region:
    rows = Region.objects.filter(code=code) if code else Region.objects.filter(is_default=True)
    found = rows.first()
    if found is None:
        raise Invalid(_("There is no region %(code)s.") % {"code": code} if code else _("There is no default region."))
    return found


def _box(region: Region) -> Box | None:
    """The region's extent with a margin; none where it has no zones yet."""
    extent = Zone.objects.filter(region=region, level=Zone.Level.COUNTRY, is_active=True).aggregate(box=Extent("boundary"))["box"]
    extent = extent or Zone.objects.filter(region=region, is_active=True).aggregate(box=Extent("boundary"))["box"]
    if extent is None:
        return None
    west, south, east, north = extent
    return west - MARGIN_DEGREES, south - MARGIN_DEGREES, east + MARGIN_DEGREES, north + MARGIN_DEGREES


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
