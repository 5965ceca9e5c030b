"""Why: what the analytics found that stands now: hot spots, repeats, forecasts beside the usual. What was not found is said too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from django.db.models import Q

from accounts.jurisdiction import jurisdiction_of
from geography.models import Zone
from incidents.models import Forecast, HotSpot, Incident, IncidentType, NearRepeat
from incidents.services.compare import Scope
from incidents.services.summary.statements import Evidence, Statements, named
from incidents.services.trust.switches import is_on

SPOTS = 3
REPEATS = 3
LIKELY_MORE = 1.1
USUAL_DAYS = 28


def why(viewer: object, scope: Scope) -> Statements:
    section = Statements("why")
    _hot_spots(section, viewer, scope)
    _near_repeats(section, viewer, scope)
    _forecasts(section, viewer, scope)
    return section


def _hot_spots(section: Statements, viewer: object, scope: Scope) -> None:
    rows = HotSpot.objects.current().visible_to(viewer).filter(region=scope.region, category=scope.category)
    if scope.zone is not None:
        rows = rows.filter(governorate=scope.zone)
    found = list(
        rows.select_related("run", "track", "area", "governorate")
        .defer("hull", "area__boundary", "governorate__boundary")
        .order_by("rank")[:SPOTS]
    )
    if not found:
        section.add("no_hot_spot")
        return
    from incidents.services.trust.suppressions import suppressions_at  # numpy, pyproj: not at start-up

    types = _types(code for spot in found for code, _n in spot.leading_types)
    for spot in found:
        place = spot.area or spot.governorate
        held_back = suppressions_at(lon=spot.centre.x, lat=spot.centre.y, viewer=viewer, category=spot.category)
        leading = [types[code] for code, _n in spot.leading_types[:2] if code in types]
        section.add(
            "hot_spot",
            rank=spot.rank,
            place=named(place) if place else None,
            n=spot.incident_count,
            days=max(1, round((spot.window_to - spot.window_from) / timedelta(days=1))),
            area_km2=spot.area_km2,
            peak_hour=spot.peak_hour,
            peak_weekday=spot.peak_weekday,
            types=[named(kind) for kind in leading],
            category=leading[0].category if leading else "",
            rises=spot.rate_ratio_low is not None and spot.rate_ratio_low > 1,
            falls=spot.rate_ratio_high is not None and spot.rate_ratio_high < 1,
            rate_ratio=spot.rate_ratio,
            change=spot.change,
            held_until=max(row.expires_at for row in held_back).astimezone(scope.region.zone_info) if held_back else None,
            since=spot.track.born_at.astimezone(scope.region.zone_info).date() if spot.track else None,
            evidence=Evidence("hot_spot", (spot.pk,), spot.run_id),
        )


def _types(codes: Iterable[str]) -> dict[str, IncidentType]:
    return {kind.code: kind for kind in IncidentType.objects.filter(code__in=sorted(set(codes)))}


def _near_repeats(section: Statements, viewer: object, scope: Scope) -> None:
    if not is_on("near_repeat"):
        return
    places = jurisdiction_of(viewer).governorate_ids
    rows = NearRepeat.objects.filter(is_current=True, is_significant=True, region=scope.region, ratio__gt=1)
    if scope.category:
        rows = rows.filter(category=scope.category)
    if scope.zone is not None:
        rows = rows.filter(governorate=scope.zone)
    elif places is None:
        rows = rows.filter(governorate__isnull=True)
    else:
        rows = rows.filter(governorate__in=sorted(places))
    for row in rows.select_related("governorate").defer("governorate__boundary").order_by("-ratio", "pk")[:REPEATS]:
        section.add(
            "near_repeat",
            category=row.category,
            place=named(row.governorate) if row.governorate else None,
            ratio=row.ratio,
            within_m=row.within_m,
            within_days=row.within_days,
            q=row.q_value,
            n=row.incident_count,
            evidence=Evidence("near_repeat", (row.pk,), row.run_id),
        )


def _forecasts(section: Statements, viewer: object, scope: Scope) -> None:
    """The seven days ahead of the whole scope beside the usual seven: four weeks' mean of what the forecast counts."""
    rows = Forecast.objects.current().visible_to(viewer).filter(region=scope.region, category=scope.category)
    places = jurisdiction_of(viewer).governorate_ids
    if scope.zone is not None:
        rows = rows.filter(zone=scope.zone)
    elif places is None:
        rows = rows.filter(zone__level=Zone.Level.COUNTRY)
    else:
        rows = rows.filter(zone__in=sorted(places))
    days = sorted(rows.values_list("day", "expected", "run_id", "zone_id"))
    if not days:
        section.add("no_forecast")
        return
    first = days[0][0]
    ahead: dict[object, float] = {}
    for day, expected, _run, _zone in days:
        ahead[day] = ahead.get(day, 0.0) + expected
    usual = _counted(scope, {zone for *_rest, zone in days}, first - timedelta(days=USUAL_DAYS), first) / USUAL_DAYS * len(ahead)
    expected = sum(ahead.values())
    busiest = max(ahead, key=lambda day: (ahead[day], str(day)))
    code = "forecast_usual"
    if expected >= LIKELY_MORE * usual and expected - usual >= 5:
        code = "forecast_above"
    elif usual >= LIKELY_MORE * expected and usual - expected >= 5:
        code = "forecast_below"
    section.add(
        code,
        expected=round(expected),
        usual=round(usual),
        days=len(ahead),
        first=first,
        busiest=busiest,
        busiest_expected=ahead[busiest],
        zone=scope.zone.pk if scope.zone else next(iter({zone for *_rest, zone in days})),
        evidence=Evidence("forecast", tuple(sorted({zone for *_rest, zone in days})), days[0][2]),
    )


def _counted(scope: Scope, zones: set[int], first: object, end: object) -> int:
    """What the forecast of these zones counts, summed over agencies as it is."""
    start, stop = (datetime.combine(day, time(), scope.region.zone_info) for day in (first, end))  # type: ignore[arg-type]
    incidents = Incident.objects.modelled().filter(region=scope.region).occurred_between(start, stop)
    if scope.category:
        incidents = incidents.filter(type__category=scope.category)
    if scope.zone is not None or not Zone.objects.filter(pk__in=zones, level=Zone.Level.COUNTRY).exists():
        incidents = incidents.filter(Q(governorate__in=zones))
    return incidents.count()
