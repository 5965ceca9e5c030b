"""ALR-1: what a run of the analytics found becomes an alert: hot spots that changed, forecasts above a threshold; storms and waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert, AlertRule, HeldFiring
from alerts.services.delivery.template_seeds import ensure_default_templates
from alerts.services.delivery.words import words_for
from alerts.services.engine import hear, look_for_recovery, release_held, still_holds
from alerts.tests.alerting import Alerting
from alerts.tests.nights import LEVELS, Nights, forecasts, hot_spots, only_log, said_in
from alerts.tests.test_engine import Log, now
from conftest import Cast, Places
from core.models import Event
from incidents.models import ModelSwitch


@pytest.fixture
def log(alerting: Alerting) -> Log:
    return only_log(alerting)


@pytest.fixture
def nights(places: Places) -> Nights:
    return Nights(places)


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


# --- in words -------------------------------------------------------------------------------------


def test_a_hot_spots_alert_says_what_it_found_in_both_languages(alerting: Alerting, log: Log, nights: Nights) -> None:
    hot_spots(alerting)
    nights.run({"track": "a", "change": "grown", "count": 14, "previous_count": 4, "previous_counts": [4, None, 6], "q_value": 0.01})
    log.hear()
    alert, name = Alert.objects.get(), f"H{nights.tracks['a'].pk}"
    assert said_in(alert, "en") == [
        f"Hot spot {name} grew: 14 incidents in 7 days, usually 5 (2.8 times).",
        "It stands out of its surroundings by more than chance brings.",
        "The level “Low” begins at 10.",
        "In the window before it was 4.",
    ]
    assert name in said_in(alert, "ar")[0] and "2.8" in said_in(alert, "ar")[0] and "بؤرة" in said_in(alert, "ar")[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"change": "born", "previous_counts": [0, 0]}, "New hot spot %s: 14 incidents in 7 days, usually none."),
        ({"change": "returned"}, "Hot spot %s is back: 14 incidents in 7 days."),
        (
            {"change": "split", "previous_counts": [None, 20]},
            "Hot spot %s split off from another: 14 incidents in 7 days, usually 20 (0.7 times).",
        ),
    ],
)
def test_what_is_not_known_of_a_hot_spot_is_left_out(alerting: Alerting, log: Log, nights: Nights, given: Any, words: str) -> None:
    hot_spots(alerting, condition={"changes": ["born", "returned", "split"]})
    nights.run({"track": "a", "count": 14, **given})
    log.hear()
    assert said_in(Alert.objects.get(), "en")[0] == words % f"H{nights.tracks['a'].pk}"


def test_a_forecasts_alert_says_day_place_range_and_what_is_usual(alerting: Alerting, log: Log, nights: Nights, places: Places) -> None:
    forecasts(alerting, categories=["property"])
    nights.forecasts({"zone": places.salmiya, "ahead": 1, "expected": 9, "usual": 4, "category": "property", "low": 5, "high": 14})
    log.hear()
    alert = Alert.objects.get()
    assert said_in(alert, "en")[:2] == [
        "Tomorrow 9 incidents expected in Salmiya (5 to 14), usually 4; category: Property.",
        "A forecast, not a fact: made from 700 days; on 80 of 100 such days the number is meant to lie in that range.",
    ]
    assert "125 percent above what is usual there." in said_in(alert, "en")
    assert not any("window before" in sentence for sentence in said_in(alert, "en"))
    arabic = said_in(alert, "ar")[0]
    assert arabic.startswith("غد") and "السالمية" in arabic and "14" in arabic


def test_messages_say_it_too(alerting: Alerting, log: Log, nights: Nights, places: Places) -> None:
    ensure_default_templates()
    hot_spots(alerting)
    forecasts(alerting)
    nights.run({"track": "a", "change": "grown", "count": 14, "previous_counts": [5]})
    nights.forecasts({"zone": places.salmiya, "ahead": 1, "expected": 9, "usual": 4})
    log.hear()
    spot, ahead = Alert.objects.get(rule__source="hot_spot"), Alert.objects.get(rule__source="forecast")
    for channel in ("email", "sms", "voice", "push"):
        assert "grew: 14 incidents in 7 days, usually 5 (2.8 times)." in words_for(spot, channel=channel, language="en").body
        assert "A forecast, not a fact. Tomorrow 9 incidents expected in Salmiya" in words_for(ahead, channel=channel, language="en").body
    assert "2.8" in words_for(spot, channel="email", language="ar").body
    assert words_for(spot, channel="sms", language="ar").parts <= 6
