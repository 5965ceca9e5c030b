"""What a run of the analytics left, as facts: hot spots that changed, forecasts of the days ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import mean
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import override

from alerts.services.alerts import Seen
from alerts.services.engine.compiled import CompiledRule, Rules
from alerts.services.engine.evaluation import Fact, fingerprint_of, measure_in, still_reaches
from alerts.services.engine.gathering import Gathered
from alerts.services.rules.conditions import ForecastCondition, HotSpotCondition
from core.models import Event
from incidents.models import Forecast, HotSpot

ANNOUNCED = frozenset({"born", "merged", "split", "returned"})  # the others are found when the run is finished


def hot_spot_facts(events: Sequence[Event], gathered: Gathered) -> list[Fact]:
    """Of those announced one by one, and of the rest of a run that is finished."""
    told = {
        int(event.data["track"]): event
        for event in events
        if event.type == "hot_spot.changed" and event.data.get("change") in ANNOUNCED and isinstance(event.data.get("track"), int)
    }
    finished = _finished(events)
    standing = HotSpot.objects.current().select_related("track")
    announced = list(standing.filter(track_id__in=told)) if told else []
    rest = list(standing.filter(run_id__in=finished, track__isnull=False).exclude(change__in=sorted(ANNOUNCED))) if finished else []
    gathered.places.read([one for spot in (*announced, *rest) for one in (spot.area_id, spot.governorate_id)])
    facts = [of_hot_spot(spot, told[spot.track_id or 0], str(told[spot.track_id or 0].data["change"]), gathered) for spot in announced]
    return facts + [of_hot_spot(spot, finished[spot.run_id], spot.change, gathered) for spot in rest]


def of_hot_spot(spot: HotSpot, event: Event | None, change: str, gathered: Gathered, *, at: datetime | None = None) -> Fact:
    gathered.places.read([spot.area_id, spot.governorate_id])
    moment = at or (event.occurred_at if event is not None else spot.window_to)
    name = str(spot.track) if spot.track_id is not None else str(spot)
    return Fact(
        type="hot_spot",
        at=moment,
        event_id=event.pk if event is not None else None,
        subject=("hotspottrack", spot.track_id),
        category=spot.category,
        location=(spot.centre.x, spot.centre.y),
        numbers={
            "incident_count": float(spot.incident_count),
            "severity_score": spot.severity_score,
            "density_per_km2": spot.density_per_km2,
            **({"rate_ratio": spot.rate_ratio} if spot.rate_ratio is not None else {}),
        },
        before=float(spot.previous_count) if spot.previous_count is not None else None,
        data={"change": change, "is_significant": spot.q_value is not None and spot.q_value <= HotSpot.SIGNIFICANT_Q},
        is_synthetic=spot.is_synthetic,
        name_en=name,
        name_ar=name,
        seen=(Seen(moment, event.pk if event is not None else None),) if event is not None else (),
        why={
            "hot_spot": spot.pk,
            "track": spot.track_id,
            "name": name,
            "change": change,
            "from": spot.window_from.isoformat(),
            "to": spot.window_to.isoformat(),
            "days": round((spot.window_to - spot.window_from).total_seconds() / 86_400),
            "count": spot.incident_count,
            "usual": round(mean(counted), 2) if (counted := [n for n in spot.previous_counts if n is not None]) else None,
            "rate_ratio": round(spot.rate_ratio, 3) if spot.rate_ratio is not None else None,
            "q_value": spot.q_value,
            "run": spot.run_id,
        },
        **gathered.places.of(spot.area_id or spot.governorate_id),
    )


def forecast_facts(events: Sequence[Event], gathered: Gathered) -> list[Fact]:
    """The forecasts of a run that is finished, that are shown to people and stand now."""
    runs = _finished(events)
    if not runs:
        return []
    rows = list(Forecast.objects.current().filter(run_id__in=runs).select_related("run").order_by("zone_id", "day"))
    gathered.places.read(row.zone_id for row in rows)
    return [of_forecast(row, runs[row.run_id], gathered) for row in rows]


def of_forecast(row: Forecast, event: Event | None, gathered: Gathered, *, at: datetime | None = None) -> Fact:
    zone = gathered.places.known.get(row.zone_id)
    english, arabic = (_day_in(language, row) for language in ("en", "ar"))
    moment = at or (event.occurred_at if event is not None else row.run.as_of)
    today = moment.astimezone(gathered.rules.zone).date()
    usual = (row.baselines.get("same_weekday") or {}).get("mean")
    numbers: dict[str, float] = {"expected": row.expected}
    if isinstance(usual, int | float) and usual > 0:
        numbers["over_usual_percent"] = round(100 * (row.expected / usual - 1), 2)
    place: dict[str, Any] = gathered.places.of(row.zone_id)
    return Fact(
        type="forecast",
        at=moment,
        event_id=event.pk if event is not None else None,
        subject=("zone", row.zone_id),
        category=row.category,
        numbers=numbers,
        before=float(usual) if isinstance(usual, int | float) else None,
        # "ahead" counts the days from today, today being the first of the horizon.
        data={"per": zone.level if zone else "", "ahead": (row.day - today).days + 1, "day": row.day.isoformat()},
        is_synthetic=row.is_synthetic,
        name_en=english,
        name_ar=arabic,
        seen=(Seen(moment, event.pk),) if event is not None else (),
        why={
            "forecast": row.pk,
            "day": row.day.isoformat(),
            "expected": row.expected,
            "low": row.low,
            "high": row.high,
            "ahead": (row.day - today).days,
            "usual": usual,
            "method": row.method,
            "history_days": row.history_days,
            "interval": row.interval,
            "run": row.run_id,
        },
        **place,
    )


def _day_in(language: str, row: Forecast) -> str:
    with override(language):
        return str(date_format(row.day, "j F"))


def standing(rule: CompiledRule, rules: Rules, *, now: datetime) -> dict[str, Fact]:
    """By group, what stands now and is still enough for ``rule``: of a hot spot whatever its last change was, of forecasts the days that
    are still ahead. The biggest of each group."""
    gathered = Gathered(rules)
    facts: list[Fact] = []
    categories = sorted(rule.categories) or [""]
    match rule.condition:
        case HotSpotCondition() as condition:
            spots = list(HotSpot.objects.current().filter(track__isnull=False, category__in=categories).select_related("track"))
            gathered.places.read([one for spot in spots for one in (spot.area_id, spot.governorate_id)])
            facts = [of_hot_spot(spot, None, condition.changes[0], gathered, at=now) for spot in spots]
        case ForecastCondition() as condition:
            today = now.astimezone(rules.zone).date()
            ahead = Forecast.objects.current().filter(day__gte=today, day__lt=today + timedelta(days=condition.horizon_days))
            rows = list(ahead.filter(category__in=categories).order_by("day"))
            gathered.places.read(row.zone_id for row in rows)
            facts = [of_forecast(row, None, gathered, at=now) for row in rows]
    found: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: measure_in(rule, fact) or 0.0):
        if still_reaches(rule, fact, rules):
            found[fingerprint_of(rule, fact)] = fact
    return found


def _finished(events: Sequence[Event]) -> dict[int, Event]:
    return {event.data["run"]: event for event in events if event.type == "pipeline.finished" and isinstance(event.data.get("run"), int)}
