"""What coverage is reckoned on: demand cells, places where units can stand, and the ways between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Q
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from accounts.models import Agency
from core.errors import Conflict
from geography.models import Zone
from patrol.models import Plan, PlanStop, ResponseTarget, RosterEntry, Station, Unit
from patrol.services.demand import Demand
from patrol.services.plans.crews import PATROLS
from patrol.services.travel import provider_for
from patrol.services.travel.words import facts as travel_facts

MOST_CELLS = 300
MOST_POSTS = 100
LIMIT_S = 480
PER_POST = 6


@dataclass(frozen=True)
class Post:
    """``kind`` is station, or point: a place where much is expected."""

    kind: str
    name: str
    lon: float
    lat: float
    station: int | None = None

    def told(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "lon": self.lon, "lat": self.lat, "station": self.station}


@dataclass(frozen=True)
class Ground:
    """``seconds`` has a row a cell and a column a post; ``between`` a row and a column a post."""

    places: NDArray[np.float64]
    demand: NDArray[np.float64]
    groups: NDArray[np.int64]
    members: NDArray[np.int64]
    posts: tuple[Post, ...]
    seconds: NDArray[np.float64]
    between: NDArray[np.float64]
    travel: dict[str, Any]

    def of_hour(self, demand: Demand, hour: int) -> NDArray[np.float64]:
        """The cells' demand in one hour."""
        return np.bincount(self.members, weights=demand.of_cells(hour), minlength=len(self.demand)).astype(np.float64)


def ground_of(demand: Demand, posts: list[Post], *, at: datetime) -> Ground:
    """Cells made coarser until there are few enough, each standing where its demand lies."""
    weights = demand.of_cells()
    if not len(weights) or weights.sum() <= 0:
        raise Conflict(_("Nothing is known of the demand here: there is too little history, no forecast and no risk surface."))
    size = 1
    while True:
        pairs = np.stack([demand.columns // size, demand.rows // size], axis=1)
        _cells, members = np.unique(pairs, axis=0, return_inverse=True)
        members = members.reshape(-1)
        if members.max() < MOST_CELLS:
            break
        size += 1
    count = int(members.max()) + 1
    heavy = np.maximum(weights, weights.sum() * 1e-9)
    sums = np.bincount(members, weights=heavy, minlength=count)
    places = np.stack(
        [np.bincount(members, weights=heavy * demand.places[:, axis], minlength=count) / sums for axis in (0, 1)], axis=1
    ).round(6)
    order = np.argsort(heavy, kind="stable")
    groups = np.zeros(count, np.int64)
    groups[members[order]] = demand.groups[order]  # the area of the cell with most demand comes last, and stays
    points = np.concatenate([places, np.array([(post.lon, post.lat) for post in posts], float).reshape(-1, 2)])
    distinct, back = np.unique(points, axis=0, return_inverse=True)
    back = back.reshape(-1)
    matrix = provider_for(demand.governorate.region).matrix(distinct, at=at, until=demand.end)
    rows, columns = back[:count], back[count:]
    return Ground(
        places=places,
        demand=np.bincount(members, weights=weights, minlength=count).astype(np.float64),
        groups=groups,
        members=members.astype(np.int64),
        posts=tuple(posts),
        seconds=matrix.seconds[np.ix_(columns, rows)].T,
        between=matrix.seconds[np.ix_(columns, columns)],
        travel=travel_facts(matrix),
    )


def stations_of(governorate: Zone, agency: Agency) -> list[Station]:
    return list(Station.objects.active().filter(governorate=governorate, agency=agency).order_by("code"))


def candidate_posts(demand: Demand) -> list[Post]:
    """Stations of the agency here, places planned stops keep coming back to, and the cells where most is expected."""
    posts = [station_post(station) for station in stations_of(demand.governorate, demand.agency)]
    recent = PlanStop.objects.filter(
        plan__agency=demand.agency, plan__governorate=demand.governorate, plan__state__in=["published", "superseded"]
    )
    often = Counter(tuple(point) for point in recent.order_by("-pk").values_list("location", flat=True)[:2000])
    known = {(post.lon, post.lat) for post in posts}
    for (lon, lat), _times in often.most_common(MOST_POSTS // 4):
        known.add((round(lon, 6), round(lat, 6)))
        posts.append(Post("point", "", round(lon, 6), round(lat, 6)))
    weights = demand.of_cells()
    for cell in np.argsort(-weights, kind="stable"):
        if len(posts) >= MOST_POSTS or weights[cell] <= 0:
            break
        lon, lat = demand.places[cell].round(6).tolist()
        # One of a crowd of neighbours is enough: at least 600 m apart, near enough by degrees.
        if all(abs(lon - x) > 0.006 or abs(lat - y) > 0.0055 for x, y in known):
            known.add((lon, lat))
            posts.append(Post("point", "", lon, lat))
    return posts[:MOST_POSTS]


def station_post(station: Station) -> Post:
    return Post("station", station.name_en, round(station.location.x, 6), round(station.location.y, 6), station.pk)


def units_at(governorate: Zone, agency: Agency, start: datetime, end: datetime) -> tuple[list[Unit], str]:
    """The units that work then: those on a roster, else all that are in use. And which of the two it is."""
    entries = RosterEntry.objects.standing().filter(starts_at__lt=end, ends_at__gt=start, unit__isnull=False)
    units = Unit.objects.active().filter(governorate=governorate, agency=agency, kind__in=PATROLS).select_related("station")
    rostered = list(units.filter(pk__in=entries.values("unit")).order_by("call_sign"))
    return (rostered, "roster") if rostered else (list(units.order_by("call_sign")), "all")


def limit_for(agency: Agency) -> int:
    """The agency's travel target for the most urgent calls, else the general one, else eight minutes."""
    rows = ResponseTarget.objects.filter(Q(agency=agency) | Q(agency=None), travel_s__isnull=False).order_by("agency__id", "priority")
    found = rows.values_list("travel_s", flat=True).first()
    return int(found) if found else LIMIT_S


def published_plans(governorate: Zone, agency: Agency, start: datetime, end: datetime) -> list[Plan]:
    rows = Plan.objects.published().filter(governorate=governorate, agency=agency, shift__starts_at__lt=end, shift__ends_at__gt=start)
    return list(rows.select_related("shift").order_by("shift__starts_at"))
