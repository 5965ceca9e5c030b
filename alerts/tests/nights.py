"""Nights of the analytics for tests of the rules that hear of them: runs, hot spots with their tracks, forecasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.gis.geos import Polygon
from django.utils import timezone
from django.utils.translation import override

from alerts.models import Alert, AlertRule
from alerts.services.why import why_of
from alerts.tests.alerting import Alerting
from alerts.tests.test_engine import Log, now, rule_of
from conftest import Places
from core.events import publish
from incidents.models import Forecast, HotSpot, HotSpotTrack, PipelineRun
from incidents.tests.issued import forecast as issue_forecast
from incidents.tests.issued import run_at

LEVELS = {"low": 10, "medium": 20}


def only_log(alerting: Alerting) -> Log:
    """The log with no rule of the cast listening."""
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="off")
    return Log()


class Nights:
    """Runs of the analytics with what each of them found; what stood before stands no more."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.tracks: dict[str, HotSpotTrack] = {}

    def run(self, *spots: dict[str, Any]) -> PipelineRun:
        """Each spot: a track's name, its change, its count; any column may be given. As the pipeline stores and announces them."""
        run = run_at(now())
        before = list(HotSpot.objects.filter(is_current=True))
        HotSpot.objects.filter(is_current=True).update(is_current=False)
        seen = {self.spot(run, rank, **given).track_id for rank, given in enumerate(spots, 1)}
        for old in before:
            if old.track_id not in seen:
                self.tell(old, "gone")
        self.finish(run)
        return run

    def spot(self, run: PipelineRun, rank: int, *, track: str, change: str, count: int, **given: Any) -> HotSpot:
        places = self.places
        if track not in self.tracks:
            self.tracks[track] = HotSpotTrack.objects.create(
                region=places.region, category=given.get("category", ""), born_at=run.as_of, last_seen_at=run.as_of
            )
        spot = HotSpot.objects.create(
            **{
                "track": self.tracks[track], "change": change, "run": run, "region": places.region, "governorate": places.hawalli,
                "area": places.salmiya, "rank": rank, "hull": Polygon.from_bbox((47.91, 29.34, 47.93, 29.36)), "centre": places.in_salmiya,
                "incident_count": count, "area_km2": 0.2, "density_per_km2": count / 0.2, "severity_score": 2.0 * count,
                "window_from": run.as_of - timedelta(days=7), "window_to": run.as_of, "is_current": True, **given,
            }
        )  # fmt: skip
        if change in ("born", "merged", "split", "returned"):
            self.tell(spot, change)
        return spot

    def tell(self, spot: HotSpot, change: str) -> None:
        data = {"track": spot.track_id, "change": change, "category": spot.category}
        publish("hot_spot.changed", subject=spot.track, data=data, governorate_id=spot.governorate_id)

    def forecasts(self, *rows: dict[str, Any]) -> PipelineRun:
        """Each row: a zone, days from today, what is expected, what is usual."""
        run = run_at(now())
        Forecast.objects.filter(is_current=True).update(is_current=False)
        for given in rows:
            row = dict(given)
            zone, ahead, expected, usual = row.pop("zone"), row.pop("ahead"), row.pop("expected"), row.pop("usual")
            baselines = {"same_weekday": {"mean": usual, "dispersion": 1.0}} if usual is not None else {}
            issue_forecast(
                run,
                zone,
                timezone.localdate() + timedelta(days=ahead),
                **{"expected": expected, "low": expected / 2, "high": expected * 2, "baselines": baselines, **row},
            )
        self.finish(run)
        return run

    def finish(self, run: PipelineRun) -> None:
        publish("pipeline.finished", subject=run, data={"run": run.pk, "status": "done", "hot_spots": 1, "forecasts": 1})


def hot_spots(alerting: Alerting, **given: Any) -> AlertRule:
    details: dict[str, Any] = {
        "code": "spots", "name_en": "Hot spots", "name_ar": "بؤر", "source": "hot_spot", "condition": {}, "levels": LEVELS,
        "group_by": ["subject"],
    }  # fmt: skip
    return rule_of(alerting, **{**details, **given})


def forecasts(alerting: Alerting, **given: Any) -> AlertRule:
    details: dict[str, Any] = {
        "code": "ahead", "name_en": "Forecasts", "name_ar": "توقعات", "source": "forecast", "group_by": ["zone"],
        "condition": {"horizon_days": 2, "measure": "over_usual_percent", "per": "area"}, "levels": {"low": 50, "high": 100},
    }  # fmt: skip
    return rule_of(alerting, **{**details, **given})


def said_in(alert: Alert, language: str) -> list[str]:
    with override(language):
        return why_of(alert)
