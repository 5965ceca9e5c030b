"""Where so many units should stand, with the gap that was proven; and what would change with more, fewer or other places."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point
from django.db.models import Avg, Count, F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency
from core import audit
from core.errors import Conflict, Invalid, NotFound
from geography.models import Zone
from patrol.analytics.coverage import CoverageResult, cover, judge, p_median
from patrol.analytics.response import Expected, expect
from patrol.models import Assignment, AssignmentState, CoverageStudy
from patrol.permissions import Actor, require
from patrol.services.coverage.ground import (
    PER_POST,
    Ground,
    Post,
    candidate_posts,
    ground_of,
    limit_for,
    station_post,
    stations_of,
    units_at,
)
from patrol.services.demand import Demand, demand_for

BUDGET_S = 10.0
MOST_UNITS = 200
LIMITS_S = (60, 3600)
SERVICE_S = 2400.0  # a call takes so long where too few have been measured
LEAST_MEASURED = 30
MOST_CHANGES = 20


def require_here(by: Actor | None, governorate: Zone, agency: Agency) -> None:
    require(by, "study_coverage")
    if governorate.level != Zone.Level.GOVERNORATE or (
        by is not None and not by.jurisdiction.admits(agency_id=agency.pk, governorate_id=governorate.pk)
    ):
        raise NotFound(_("There is no such governorate."))


def study_coverage(
    *,
    governorate: Zone,
    agency: Agency,
    start: datetime,
    end: datetime,
    by: Actor | None,
    units: int | None = None,
    method: str = "cover",
    limit_s: int | None = None,
    budget_s: float = BUDGET_S,
    keep: bool = True,
) -> CoverageStudy:
    """Posts for so many units (those at work then, where no number is given). Kept as a study, unless it was only to be shown."""
    require_here(by, governorate, agency)
    limit = limit_for(agency) if limit_s is None else limit_s
    problems: dict[str, str] = {}
    if method not in ("cover", "median"):
        problems["method"] = _("Choose cover or median.")
    if isinstance(limit, bool) or not isinstance(limit, int) or not LIMITS_S[0] <= limit <= LIMITS_S[1]:
        problems["limit_s"] = _("From 1 to 60 minutes.")
    if units is not None and (isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= MOST_UNITS):
        problems["units"] = _("From 1 to %(most)d units.") % {"most": MOST_UNITS}
    if problems:
        raise Invalid(_("This cannot be studied."), fields=problems)
    began = time.perf_counter()
    demand = demand_for(governorate=governorate, agency=agency, start=start, end=end)
    working, source = units_at(governorate, agency, start, end)
    number = units or len(working)
    if not number:
        raise Conflict(_("No unit is on the roster or in use here: say how many there should be."))
    posts = candidate_posts(demand)
    ground = ground_of(demand, posts, at=start)
    if method == "cover":
        found = cover(ground.demand, ground.seconds, number, limit_s=limit, per_post=PER_POST, backup_weight=0.1, budget_s=budget_s)
    else:
        found = p_median(ground.demand, ground.seconds, min(number, len(posts)), limit_s=limit, budget_s=budget_s)
    places = {post.station: column for column, post in enumerate(posts) if post.station}
    today = [places[unit.station_id] for unit in working if unit.station_id in places]
    study = CoverageStudy(
        agency=agency,
        governorate=governorate,
        kind=CoverageStudy.Kind.COVER if method == "cover" else CoverageStudy.Kind.MEDIAN,
        at=start,
        inputs={
            "from": start.isoformat(), "to": end.isoformat(), "units": number, "units_from": "asked" if units else source, "limit_s": limit,
            "budget_s": budget_s, "posts": len(posts), "cells": len(ground.demand), "travel": ground.travel,
            "demand": {"total": round(demand.total, 3), "weights": demand.weights, "notes": demand.stored()["notes"],
                       "provenance": demand.provenance},
        },
        result={
            **_told(found, posts),
            "greedy": _figures(found.greedy) if found.greedy else None,
            "today": {**_figures(judge(ground.demand, ground.seconds, today, limit_s=limit)), "units": len(today)} if today else None,
            "hours": by_hour(demand, ground, {"proposed": found.posts, "today": today}, limit),
            "cells": _cells(ground, found),
        },
        gap=found.gap if math.isfinite(found.gap) else None,
        seconds=round(time.perf_counter() - began, 3),
        provider=ground.travel["name"],
        created_by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None,  # type: ignore[union-attr]
        is_synthetic=demand.is_synthetic,
    )  # fmt: skip
    if keep:
        study.save()
        audit.record("coverage.study", obj=study, by=by, after={"kind": study.kind, "units": number, "limit_s": limit})
    return study


def by_hour(demand: Demand, ground: Ground, choices: Mapping[str, Sequence[int]], limit_s: int) -> list[dict[str, Any]]:
    """Share of each hour's demand that each choice of posts has within reach."""
    reach = {name: (ground.seconds[:, list(posts)] <= limit_s).any(axis=1) if len(posts) else None for name, posts in choices.items()}
    rows = []
    for hour, at in enumerate(demand.hours):
        weights = ground.of_hour(demand, hour)
        total = float(weights.sum())
        shares = {
            name: round(float(weights[held].sum()) / total, 4) if held is not None and total else None for name, held in reach.items()
        }
        rows.append({"at": at.isoformat(), "expected": round(total, 4), **shares})
    return rows


def _figures(found: CoverageResult) -> dict[str, Any]:
    return {
        "covered_share": round(found.covered_share, 4),
        "backed_share": round(found.backed_share, 4),
        "mean_s": round(found.mean_s, 1) if math.isfinite(found.mean_s) else None,
    }


def _told(found: CoverageResult, posts: Sequence[Post]) -> dict[str, Any]:
    manned = Counter(found.posts)
    return {
        **_figures(found),
        "method": found.method,
        "is_proven": found.is_proven,
        "solver_s": round(found.seconds, 3),
        "notes": list(found.notes),
        "posts": [{**posts[column].told(), "units": count} for column, count in sorted(manned.items())],
    }


def _cells(ground: Ground, found: CoverageResult) -> list[list[Any]]:
    """Longitude, latitude, expected, seconds to the nearest post (null: no way)."""
    return [
        [round(lon, 5), round(lat, 5), round(float(weight), 4), round(float(near)) if math.isfinite(near) else None]
        for (lon, lat), weight, near in zip(ground.places.tolist(), ground.demand, found.nearest_s, strict=True)
    ]


def service_time(agency: Agency) -> tuple[float, str]:
    """How long a call takes a unit of this agency, from sending to done: measured over 90 days, or a stated assumption."""
    done = Assignment.objects.filter(
        agency=agency, kind=Assignment.Kind.INCIDENT, state=AssignmentState.DONE, assigned_at__gte=timezone.now() - timedelta(days=90)
    ).exclude(on_scene_at=None)
    found = done.aggregate(n=Count("pk"), mean=Avg(F("ended_at") - F("assigned_at")))
    if found["n"] >= LEAST_MEASURED and found["mean"] is not None:
        return max(float(found["mean"].total_seconds()), 60.0), "measured"
    return SERVICE_S, "assumed"


def ask_what_if(
    *,
    governorate: Zone,
    agency: Agency,
    start: datetime,
    end: datetime,
    by: Actor | None,
    more: Mapping[int, int] | None = None,
    moved: Mapping[int, tuple[float, float]] | None = None,
    limit_s: int | None = None,
    name: str = "",
) -> CoverageStudy:
    """Today's units at their stations beside more or fewer (``more``: by station), and stations elsewhere (``moved``: to where).

    Only a study is kept: no plan, roster or station is touched.
    """
    require_here(by, governorate, agency)
    more, moved = dict(more or {}), dict(moved or {})
    stations = {station.pk: station for station in stations_of(governorate, agency)}
    limit = limit_for(agency) if limit_s is None else limit_s
    working, source = units_at(governorate, agency, start, end)
    now = Counter(unit.station_id for unit in working if unit.station_id in stations)
    problems = _problems(more, moved, set(stations), now, governorate, limit, name)
    if problems:
        raise Invalid(_("This cannot be asked."), fields=problems)
    demand = demand_for(governorate=governorate, agency=agency, start=start, end=end)
    posts = [station_post(station) for station in stations.values()]
    posts += [Post("station", stations[pk].name_en, round(lon, 6), round(lat, 6), pk) for pk, (lon, lat) in moved.items()]
    ground = ground_of(demand, posts, at=start)
    column = {station: index for index, station in enumerate(stations)}
    column_then = {**column, **{pk: len(stations) + index for index, pk in enumerate(moved)}}
    then = Counter({pk: max(now[pk] + more.get(pk, 0), 0) for pk in stations})
    calls = demand.total / max((end - start).total_seconds() / 3600, 1e-9)
    service, service_from = service_time(agency)

    def reckoned(units: Counter[int], where: Mapping[int, int]) -> Expected:
        columns = [where[pk] for pk, count in units.items() for _n in range(count)]
        return expect(ground.demand, ground.seconds[:, columns], calls_an_hour=calls, service_s=service, limit_s=limit)

    before, after = reckoned(now, column), reckoned(then, column_then)
    study = CoverageStudy.objects.create(
        agency=agency, governorate=governorate, kind=CoverageStudy.Kind.WHAT_IF, name=name.strip(), at=start,
        inputs={
            "from": start.isoformat(), "to": end.isoformat(), "more": {str(pk): count for pk, count in more.items()}, "units_from": source,
            "moved": {str(pk): list(place) for pk, place in moved.items()}, "limit_s": limit, "travel": ground.travel,
            "service_s": round(service), "service_from": service_from, "calls": round(demand.total, 3),
            "demand": {"total": round(demand.total, 3), "weights": demand.weights, "notes": demand.stored()["notes"],
                       "provenance": demand.provenance},
        },
        result={
            "before": _expected(before, sum(now.values())), "after": _expected(after, sum(then.values())),
            "stations": [
                {"station": pk, "name": station.name_en, "name_ar": station.name_ar, "before": now[pk], "after": then[pk],
                 "lon": posts[column_then[pk]].lon, "lat": posts[column_then[pk]].lat, "is_moved": pk in moved}
                for pk, station in stations.items()
            ],
        },
        provider=ground.travel["name"],
        created_by_id=by.pk if getattr(by, "audit_kind", "") == "user" else None,  # type: ignore[union-attr]
        is_synthetic=demand.is_synthetic,
    )  # fmt: skip
    audit.record("coverage.what_if", obj=study, by=by, after={"more": study.inputs["more"], "moved": study.inputs["moved"]})
    return study


def _expected(one: Expected, units: int) -> dict[str, Any]:
    def number(value: float, digits: int) -> float | None:
        return round(value, digits) if math.isfinite(value) else None

    return {
        "units": units, "covered_share": number(one.covered_share, 4), "mean_s": number(one.mean_s, 1), "p90_s": number(one.p90_s, 1),
        "busy_share": number(one.busy_share, 4), "waits": number(one.waits, 4),
    }  # fmt: skip


def _problems(
    more: Mapping[int, int], moved: Mapping[int, tuple[float, float]], stations: set[int], now: Mapping[int, int], governorate: Zone,
    limit: Any, name: str,
) -> dict[str, str]:  # fmt: skip
    problems: dict[str, str] = {}
    if not stations:
        problems["station"] = _("This agency has no station here.")
    if len(more) > MOST_CHANGES or len(moved) > MOST_CHANGES:
        problems["more"] = _("At most %(most)d changes at once.") % {"most": MOST_CHANGES}
    if (set(more) | set(moved)) - stations:
        problems["station"] = _("There is no such station here.")
    if any(isinstance(count, bool) or not isinstance(count, int) or abs(count) > MOST_UNITS for count in more.values()):
        problems["more"] = _("A whole number of units.")
    elif any(now.get(pk, 0) + count < 0 for pk, count in more.items()):
        problems["more"] = _("So many units are not there to be taken away.")
    if isinstance(limit, bool) or not isinstance(limit, int) or not LIMITS_S[0] <= limit <= LIMITS_S[1]:
        problems["limit_s"] = _("From 1 to 60 minutes.")
    if len(name) > 120:
        problems["name"] = _("At most %(limit)d characters.") % {"limit": 120}
    for lon, lat in moved.values():
        fine = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90
        if not fine or not governorate.boundary.covers(Point(lon, lat, srid=4326)):
            problems["moved"] = _("Choose a point inside the governorate.")
    return problems
