"""ALR-1: what a run of the analytics found becomes an alert: hot spots that changed, forecasts above a threshold; storms and waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Polygon
from django.utils import timezone

from alerts.models import Alert, AlertRule, HeldFiring, Occurrence
from alerts.services.engine import hear, look_for_recovery, release_held, still_holds
from alerts.tests.alerting import Alerting
from alerts.tests.test_engine import Log, now, rule_of
from conftest import Cast, Places
from core.events import publish
from core.models import Event
from incidents.models import Forecast, HotSpot, HotSpotTrack, Incident, ModelSwitch, PipelineRun
from incidents.tests.issued import forecast as issue_forecast
from incidents.tests.issued import run_at

LEVELS = {"low": 10, "medium": 20}


@pytest.fixture
def log(alerting: Alerting) -> Log:
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
                run, zone, timezone.localdate() + timedelta(days=ahead), expected=expected, low=expected / 2, high=expected * 2,
                baselines=baselines, **row,
            )  # fmt: skip
        self.finish(run)
        return run

    def finish(self, run: PipelineRun) -> None:
        publish("pipeline.finished", subject=run, data={"run": run.pk, "status": "done", "hot_spots": 1, "forecasts": 1})


@pytest.fixture
def nights(places: Places) -> Nights:
    return Nights(places)


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


# --- hot spots ------------------------------------------------------------------------------------


def test_a_hot_spot_that_is_born_and_one_that_grew_fire_once_each_where_they_are(
    alerting: Alerting, log: Log, nights: Nights, places: Places
) -> None:
    hot_spots(alerting)
    capital = {"governorate": places.capital, "area": places.sharq, "centre": places.in_sharq}
    nights.run(
        {"track": "a", "change": "born", "count": 14},
        {"track": "b", "change": "grown", "count": 25, "previous_count": 20, **capital},
        {"track": "c", "change": "born", "count": 9},
        {"track": "d", "change": "steady", "count": 40},
    )
    events = list(Event.objects.filter(pk__gt=log.last))
    assert log.hear().opened == 2
    born, grown = Alert.objects.get(governorate=places.hawalli), Alert.objects.get(governorate=places.capital)
    assert (born.level, born.measure, born.threshold, born.zone, born.subject_id) == ("low", 14, 10, places.salmiya, nights.tracks["a"].pk)
    assert (grown.level, grown.measure, grown.zone, grown.facts["before"]) == ("medium", 25, places.sharq, 20)
    assert (born.facts["change"], grown.facts["change"]) == ("born", "grown")
    assert born.title_en == f"Hot spots: H{nights.tracks['a'].pk}, Salmiya, 14 incidents" and "السالمية" in born.title_ar
    assert born.location is not None and born.location.coords == places.in_salmiya.coords
    assert hear(events).opened == 0 and Alert.objects.count() == 2
    assert set(Alert.objects.values_list("occurrence_count", flat=True)) == {1}


@pytest.mark.parametrize(
    ("condition", "levels", "fires"),
    [
        ({"changes": ["grown"]}, LEVELS, {"grown"}),
        ({"changes": ["steady", "shrunk"]}, LEVELS, {"steady"}),
        ({"significant_only": True}, LEVELS, {"born"}),
        ({"min_incidents": 20}, {}, {"grown"}),
        ({"min_rate_ratio": 2}, {}, {"grown"}),
        ({"measure": "rate_ratio"}, {"low": 2, "high": 2.7}, {"grown"}),
        ({"measure": "density_per_km2"}, {"low": 75}, {"grown"}),
    ],
)
def test_the_changes_the_significance_and_the_measure_are_respected(
    alerting: Alerting, log: Log, nights: Nights, condition: Any, levels: Any, fires: set[str]
) -> None:
    hot_spots(alerting, condition=condition, levels=levels)
    nights.run(
        {"track": "a", "change": "born", "count": 12, "q_value": 0.01},
        {"track": "b", "change": "grown", "count": 28, "rate_ratio": 2.8, "q_value": 0.2, "previous_counts": [10, None, 10]},
        {"track": "c", "change": "steady", "count": 11},
    )
    log.hear()
    assert {alert.facts["change"] for alert in Alert.objects.all()} == fires


def test_growth_is_measured_against_the_window_before_whatever_the_rule_measures(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting, trend_at_least=2, levels={}, condition={"measure": "severity_score"})
    nights.run(
        {"track": "a", "change": "grown", "count": 15, "previous_count": 10, "severity_score": 60.0},  # 1.5 times; the score is no count
        {"track": "b", "change": "grown", "count": 20, "previous_count": 10, "severity_score": 8.0},
        {"track": "c", "change": "born", "count": 12, "previous_count": 0},
        {"track": "d", "change": "born", "count": 12},  # nothing is known of before
    )
    log.hear()
    assert set(Alert.objects.values_list("subject_id", flat=True)) == {nights.tracks["b"].pk, nights.tracks["c"].pk}
    assert Alert.objects.get(subject_id=nights.tracks["b"].pk).facts["trend"] == 2.0


def test_categories_places_and_a_model_that_is_off_are_respected(
    alerting: Alerting, log: Log, nights: Nights, places: Places, cast: Cast
) -> None:
    hot_spots(alerting, code="all")
    hot_spots(alerting, code="property", categories=["property"])
    hot_spots(alerting, code="capital", governorates=["T-KU"])
    nights.run({"track": "a", "change": "born", "count": 12}, {"track": "p", "change": "born", "count": 12, "category": "property"})
    log.hear()
    assert set(Alert.objects.values_list("rule__code", "subject_id")) == {
        ("all", nights.tracks["a"].pk), ("property", nights.tracks["p"].pk),
    }  # fmt: skip
    ModelSwitch.objects.create(model="dbscan", is_on=False, reason="Looked into.", changed_by=cast.superadmin)
    nights.run({"track": "n", "change": "born", "count": 50})
    assert log.hear().opened == 0


def test_a_hot_spot_that_is_gone_has_recovered(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting)
    nights.run({"track": "a", "change": "born", "count": 14}, {"track": "b", "change": "born", "count": 14})
    log.hear()
    nights.run({"track": "b", "change": "steady", "count": 14})
    log.hear()
    gone, stands = (Alert.objects.get(subject_id=nights.tracks[name].pk) for name in ("a", "b"))
    assert (gone.state, gone.resolved_because, stands.state) == ("resolved", "recovery", "firing")
    assert gone.outcome == "The hot spot is gone, or small again."


def test_a_newer_run_beneath_the_threshold_ends_it_and_a_muted_hour_does_not(alerting: Alerting, log: Log, nights: Nights) -> None:
    rule = hot_spots(alerting)
    nights.run({"track": "a", "change": "born", "count": 14})
    log.hear()
    AlertRule.objects.filter(pk=rule.pk).update(
        modifiers=[{"when": {"from": "00:00", "to": "12:00"}, "mute": True}, {"when": {"from": "12:00", "to": "00:00"}, "mute": True}]
    )
    assert look_for_recovery() == 0
    AlertRule.objects.filter(pk=rule.pk).update(modifiers=[{"when": {"weekdays": list(_WEEK)}, "threshold_percent": 200}])
    assert look_for_recovery() == 0 and still_holds(Alert.objects.get())
    nights.run({"track": "a", "change": "shrunk", "count": 9})
    log.hear()
    assert look_for_recovery() == 1 and Alert.objects.get().resolved_because == "recovery"


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def test_one_alert_for_a_zone_stands_while_any_of_its_hot_spots_does(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting, group_by=["zone"])
    nights.run({"track": "a", "change": "born", "count": 25}, {"track": "b", "change": "born", "count": 14})
    assert log.hear().opened == 1
    nights.run({"track": "b", "change": "steady", "count": 14})
    log.hear()
    assert Alert.objects.get().state == "firing"
    nights.run()
    log.hear()
    assert Alert.objects.get().resolved_because == "recovery"


def test_what_grows_on_joins_and_raises_the_level(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting)
    nights.run({"track": "a", "change": "born", "count": 14})
    log.hear()
    nights.run({"track": "a", "change": "grown", "count": 22, "previous_count": 14})
    done = log.hear()
    alert = Alert.objects.get()
    assert (done.opened, done.joined) == (0, 1)
    assert (alert.level, alert.measure, alert.occurrence_count, alert.facts["change"]) == ("medium", 22, 2, "grown")


def test_a_finding_held_back_by_a_cooldown_is_read_again_when_it_ends(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting, cooldown_zone_min=30)
    nights.run(*({"track": name, "change": "born", "count": 14} for name in "abc"))
    done = log.hear()
    assert (done.opened, done.held) == (1, 2)
    nights.run({"track": "a", "change": "steady", "count": 14}, {"track": "b", "change": "grown", "count": 17})
    log.hear()
    assert release_held(now=now() + timedelta(minutes=31)) == 1 and not HeldFiring.objects.exists()
    late = Alert.objects.get(subject_id=nights.tracks["b"].pk)
    assert (late.measure, late.facts["held_by"]) == (17, "zone")
    assert not Alert.objects.filter(subject_id=nights.tracks["c"].pk).exists()


# --- forecasts ------------------------------------------------------------------------------------


def test_a_forecast_far_above_the_usual_fires_for_the_days_asked_for(alerting: Alerting, log: Log, nights: Nights, places: Places) -> None:
    forecasts(alerting)
    nights.forecasts(
        {"zone": places.salmiya, "ahead": 0, "expected": 6.5, "usual": 4},
        {"zone": places.salmiya, "ahead": 1, "expected": 9, "usual": 4},
        {"zone": places.jabriya, "ahead": 1, "expected": 5, "usual": 4},  # 25 percent
        {"zone": places.sharq, "ahead": 2, "expected": 40, "usual": 4},  # the third day
        {"zone": places.hawalli, "ahead": 1, "expected": 40, "usual": 4},  # no area
    )
    events = list(Event.objects.filter(pk__gt=log.last))
    assert log.hear().opened == 1
    alert = Alert.objects.get()
    tomorrow = timezone.localdate() + timedelta(days=1)
    assert (alert.level, alert.measure, alert.zone, alert.governorate) == ("high", 125.0, places.salmiya, places.hawalli)
    assert (alert.facts["day"], alert.facts["expected"], alert.facts["low"], alert.facts["usual"]) == (tomorrow.isoformat(), 9, 4.5, 4)
    assert alert.title_en == f"Forecasts: {tomorrow:%-d %B}, Salmiya, +125%" and f"{tomorrow:%Y}" not in alert.title_ar
    assert hear(events).opened == 0 and Alert.objects.get().occurrence_count == 1


def test_what_is_not_shown_to_people_fires_nothing(alerting: Alerting, log: Log, nights: Nights, places: Places, cast: Cast) -> None:
    forecasts(alerting)
    high = {"zone": places.salmiya, "ahead": 1, "expected": 9, "usual": 4}
    nights.forecasts({**high, "is_published": False}, {**high, "category": "property"}, {**high, "zone": places.jabriya, "usual": None})
    assert log.hear().opened == 0
    ModelSwitch.objects.create(model="prophet", is_on=False, reason="Looked into.", changed_by=cast.superadmin)
    nights.forecasts(high)
    assert log.hear().opened == 0


def test_a_trend_of_a_forecast_is_against_the_usual_whatever_the_rule_measures(
    alerting: Alerting, log: Log, nights: Nights, places: Places
) -> None:
    forecasts(alerting, trend_at_least=2)
    nights.forecasts(
        {"zone": places.salmiya, "ahead": 1, "expected": 9, "usual": 4}, {"zone": places.jabriya, "ahead": 1, "expected": 7, "usual": 4}
    )
    log.hear()
    assert Alert.objects.get().zone == places.salmiya and Alert.objects.get().facts["trend"] == 2.25


def test_a_forecast_is_over_when_a_newer_run_says_otherwise_or_its_day_is_past(
    alerting: Alerting, log: Log, nights: Nights, places: Places
) -> None:
    forecasts(alerting)
    high = [{"zone": zone, "ahead": 1, "expected": 9, "usual": 4} for zone in (places.salmiya, places.jabriya)]
    nights.forecasts(*high)
    assert log.hear().opened == 2
    assert look_for_recovery() == 0
    nights.forecasts({**high[0], "expected": 5}, high[1])
    log.hear()
    assert look_for_recovery() == 1
    over, stands = Alert.objects.get(zone=places.salmiya), Alert.objects.get(zone=places.jabriya)
    assert (over.resolved_because, over.outcome, stands.state) == ("recovery", "The forecast says so no more.", "firing")
    assert look_for_recovery(now=now() + timedelta(days=2)) == 1


# --- storms ---------------------------------------------------------------------------------------


def test_a_rule_that_fires_ten_thousand_times_is_one_storm_that_says_how_many(
    alerting: Alerting, log: Log, django_assert_max_num_queries: Any
) -> None:
    rule_of(alerting, code="each", condition={"types": ["road.closed"]}, group_by=["subject"], most_per_hour=3, level="low")
    Event.objects.bulk_create(Event(type="road.closed", subject_type="road", subject_id=n, data={}) for n in range(10_000))
    with django_assert_max_num_queries(100):
        done = log.hear()
    assert (done.opened, done.stormed) == (3, 9_997)
    storm = Alert.objects.get(kind="storm")
    assert storm.title_en == "Another: more than 3 alerts in an hour, this one stands for 9997 more"
    assert (storm.level, storm.facts["stormed"], storm.occurrence_count, storm.state) == ("high", 9_997, 9_997, "firing")
    assert [line.kind for line in storm.log.all()] == ["opened"]
    Event.objects.bulk_create(Event(type="road.closed", subject_type="road", subject_id=n, data={}) for n in range(10_000, 10_005))
    log.hear()
    storm.refresh_from_db()
    assert storm.facts["stormed"] == 10_002 and storm.title_en.endswith("10002 more") and Alert.objects.count() == 4
    assert look_for_recovery(now=now() + timedelta(minutes=14)) == 0
    assert look_for_recovery(now=now() + timedelta(minutes=16)) == 1
    storm.refresh_from_db()
    assert (storm.state, storm.resolved_because) == ("resolved", "recovery")


def test_findings_of_one_run_that_storm_are_all_counted(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting, most_per_hour=2)
    nights.run(*({"track": str(n), "change": "grown", "count": 30 - n} for n in range(9)))
    events = list(Event.objects.filter(pk__gt=log.last))
    assert log.hear().stormed == 7
    assert Alert.objects.get(kind="storm").facts["stormed"] == 7
    assert {alert.measure for alert in Alert.objects.filter(kind="rule")} == {30, 29}  # the biggest have alerts of their own
    hear(events)
    assert Alert.objects.get(kind="storm").facts["stormed"] == 7 and Alert.objects.count() == 3


# --- first look, patience -------------------------------------------------------------------------


def test_a_rule_about_a_lasting_state_begins_with_what_is_so(alerting: Alerting, log: Log, cast: Cast) -> None:
    silent, back, camera = alerting.schedule, alerting.room, alerting.policy  # any row may be a subject
    for feed in (silent, back):
        publish("feed.silent", subject=feed, data={"minutes": 10, "name": "Feed"}, agency_id=cast.police.pk)
    publish("feed.back", subject=back, data={}, agency_id=cast.police.pk)
    publish("camera.offline", subject=camera, data={"name": "Gate"}, agency_id=cast.police.pk)
    hour_ago = now() - timedelta(hours=1)
    Event.objects.filter(type__in=["feed.silent", "camera.offline"]).update(occurred_at=hour_ago)
    log.hear()
    feeds = rule_of(alerting, code="feeds", source="feed_silence", condition={"after_min": 30}, group_by=["subject"])
    cameras = rule_of(alerting, code="cameras", source="camera", condition={"after_min": 5}, group_by=["subject"])
    patient = rule_of(alerting, code="patient", source="camera", condition={"after_min": 90}, group_by=["subject"])
    for rule in (feeds, cameras, patient):
        publish("alert_rule.activated", subject=rule, data={"rule": rule.pk, "version": 1})
    done = log.hear()
    assert done.opened == 2 and set(Alert.objects.values_list("rule__code", "subject_id")) == {
        ("feeds", silent.pk), ("cameras", camera.pk),
    }  # fmt: skip
    assert Alert.objects.get(rule=feeds).measure == pytest.approx(70, abs=2)
    held = HeldFiring.objects.get()
    assert held.rule == patient and held.due_at - hour_ago == pytest.approx(timedelta(minutes=90), abs=timedelta(seconds=30))
    assert release_held(now=now() + timedelta(minutes=31)) == 1


def test_a_camera_that_was_back_meanwhile_begins_to_be_waited_for_anew(alerting: Alerting, log: Log, cast: Cast) -> None:
    rule_of(alerting, code="cameras", source="camera", condition={"states": ["offline"], "after_min": 5}, group_by=["subject"])
    camera, steady = alerting.schedule, alerting.room

    def say(what: str, minutes_ago: int, subject: Any = camera) -> None:
        publish(what, subject=subject, data={"name": "Gate"}, agency_id=cast.police.pk)
        Event.objects.filter(pk=Event.objects.latest("pk").pk).update(occurred_at=start - timedelta(minutes=minutes_ago))

    start = now()
    say("camera.offline", 4)
    say("camera.offline", 4, steady)
    log.hear()
    say("camera.back", 3)
    say("camera.offline", 1)
    log.hear()
    assert release_held(now=start + timedelta(minutes=2)) == 1  # the other one
    assert Alert.objects.get().subject_type == "contact"
    assert release_held(now=start + timedelta(minutes=3)) == 0 and HeldFiring.objects.count() == 1
    assert release_held(now=start + timedelta(minutes=6)) == 1
    alert = Alert.objects.get(subject_type="oncallschedule")
    assert alert.measure == pytest.approx(7, abs=0.1) and "held_by" not in alert.facts


# --- a type's cooldown and other zones ------------------------------------------------------------


def test_what_a_types_cooldown_held_back_in_another_zone_fires_when_it_ends_and_says_so(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="active", cooldown_zone_min=30, cooldown_type_min=15)
    for _n in range(3):
        report()
    log.hear()
    for _n in range(3):
        report(location=places.in_jabriya)
    assert log.hear().held == 1
    held = HeldFiring.objects.get()
    assert held.held_by == "type"
    report(location=places.in_jabriya)
    log.hear()  # one more while it waits: it waits no longer for that
    assert HeldFiring.objects.get().due_at == held.due_at
    assert release_held(now=held.due_at - timedelta(seconds=1)) == 0
    assert release_held(now=held.due_at) == 1
    late = Alert.objects.get(zone=places.jabriya)
    assert (late.measure, late.occurrence_count, late.state) == (4, 4, "firing")
    assert late.facts["held_by"] == "type" and datetime.fromisoformat(late.facts["held_since"]) <= now()
    assert "held_by" not in Alert.objects.get(zone=places.salmiya).facts


def test_what_got_through_meanwhile_because_it_was_worse_is_not_told_a_second_time(
    alerting: Alerting, log: Log, report: Callable[..., Incident], places: Places
) -> None:
    AlertRule.objects.filter(pk=alerting.rule.pk).update(state="active", cooldown_zone_min=0, cooldown_type_min=15)
    for _n in range(3):
        report()
    log.hear()
    for _n in range(3):
        report(location=places.in_jabriya)
    log.hear()
    for _n in range(2):
        report(location=places.in_jabriya)
    log.hear()
    alert = Alert.objects.get(zone=places.jabriya)
    assert alert.level == "high" and HeldFiring.objects.count() == 1
    release_held(now=now() + timedelta(minutes=16))
    alert.refresh_from_db()
    assert Alert.objects.filter(zone=places.jabriya).count() == 1 and not HeldFiring.objects.exists()
    assert Occurrence.objects.filter(alert=alert).count() == 5 == alert.occurrence_count
