"""ANA-6, ANA-11: a week ahead for the country, each governorate and each area with enough history, from whole local days alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from incidents.models import Forecast, Incident, IncidentType, ModelCard, ModelChoice, ModelSwitch
from incidents.services import pipeline

KUWAIT = ZoneInfo("Asia/Kuwait")
TODAY = date(2026, 3, 10)
NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=KUWAIT)


@pytest.fixture
def days(police_112, burglary, places, cast):
    """``days(2.0, n=100)``: about two incidents a day in Salmiya on each of the n days before TODAY, at any hour of the day."""
    rng = np.random.default_rng(8)

    def make(a_day, *, n=100, until=TODAY, exactly=False, **given):
        rows = []
        for back in range(1, n + 1):
            midnight = datetime.combine(until - timedelta(days=back), datetime.min.time(), KUWAIT)
            for _ in range(a_day if exactly else rng.poisson(a_day)):
                at = midnight + timedelta(hours=float(rng.uniform(0, 24)))
                details = {
                    "region": places.region,
                    "source": police_112,
                    "agency": cast.police,
                    "type": burglary,
                    "priority": 2,
                    "severity": 2,
                    "location": places.in_salmiya,
                    "governorate": places.hawalli,
                    "area": places.salmiya,
                    "occurred_at": at,
                    "reported_at": at,
                }
                rows.append(Incident(**{**details, **given}))
        return Incident.objects.bulk_create(rows)

    return make


@pytest.fixture
def weekly(days):
    """``weekly(8.0, n=200)``: as ``days``, but the weekend (Friday, Saturday) is busier, so that there is something to know."""

    def make(a_day, *, n, **given):
        for weekday in range(7):
            for back in range(1, n + 1):
                if (TODAY - timedelta(days=back)).weekday() == weekday:
                    days(a_day * WEEK[weekday], n=1, until=TODAY - timedelta(days=back - 1), **given)

    return make


def run(**given):
    return pipeline.run_pipeline(**{"trigger": "manual", "as_of": NIGHT, "only": ["forecasts"], **given})


def test_each_zone_with_enough_history_gets_seven_days_from_today_on(days, places):
    days(2.0)
    done = run()
    assert done.status == "done", done.error
    found = Forecast.objects.current()
    assert {(f.zone.code, f.category) for f in found} == {
        ("T-KW", ""),
        ("T-KW", "property"),
        ("T-HA", ""),
        ("T-HA", "property"),
        ("T-SAL", ""),
    }
    salmiya = found.of_zone(places.salmiya.pk)
    assert [f.day for f in salmiya] == [TODAY + timedelta(days=ahead) for ahead in range(7)]
    assert all(f.interval == 0.8 and f.history_days == 100 and f.dispersion >= 1 for f in salmiya)
    assert all(1.2 < f.expected < 3 and 0 <= (f.low_95 or 0) <= f.low <= f.expected <= f.high <= (f.high_95 or 0) for f in salmiya)
    assert set(salmiya[0].baselines) == {"mean_28", "same_weekday", "last_week"} and set(salmiya[0].baselines["mean_28"]) == {
        "mean",
        "dispersion",
    }
    assert done.counts["forecasts"] == 5 * 7 and [step.counts["series"] for step in done.steps.order_by("name")] == [2, 3]


WEEK = np.array([1.0, 1, 1, 1, 1.8, 1.6, 1])


def test_each_level_has_a_choice_with_its_reasons_and_scores_and_each_method_a_card(days, weekly, places):
    weekly(12.0, n=200)
    done = run()
    choices = {(c.level, c.category): c for c in ModelChoice.objects.filter(is_current=True)}
    assert set(choices) == {("country", ""), ("governorate", ""), ("area", ""), ("country", "*"), ("governorate", "*")}
    country = choices["country", ""]
    assert country.beats_baseline and country.published == country.champion and country.origins > 15
    assert country.scores["mean_28"]["wape"][0] > country.scores[country.champion]["wape"][0] > 0
    assert "raced" in dict(country.reasons) and {"beats_baseline", "ahead_within_chance"} & set(dict(country.reasons))
    cards = {card.model: card.facts for card in ModelCard.objects.filter(run=done)}
    assert {"calendar_counts", "weekday_counts", "prophet", "mean_28"} <= set(cards)
    assert cards["calendar_counts"]["purpose"] == "forecast" and "country" in cards["calendar_counts"]["scores"]


def test_the_slow_candidates_are_asked_once_a_week(days, weekly, places):
    weekly(8.0, n=150)
    run()
    first = ModelChoice.objects.get(is_current=True, level="country", category="")
    assert "prophet" in first.scores
    run(as_of=NIGHT + timedelta(days=1))
    second = ModelChoice.objects.get(is_current=True, level="country", category="")
    assert "prophet" not in second.scores and dict(second.reasons)["raced"] == dict(first.reasons)["raced"] == {"on": "2026-03-10"}
    run(as_of=NIGHT + timedelta(days=7))
    assert "prophet" in ModelChoice.objects.get(is_current=True, level="country", category="").scores


def test_what_loses_to_counting_is_held_back_and_the_baseline_is_what_people_see(days, places):
    for block in range(8):  # up and down by the month, without noise: last week knows it all but four weeks in twenty-eight
        days(6 if block % 2 else 1, n=28, until=TODAY - timedelta(days=28 * block), exactly=True)
    done = run()
    held = ModelChoice.objects.filter(is_current=True, beats_baseline=False)
    assert held.exists()
    for choice in held:
        rows = Forecast.objects.filter(run=done, zone__level=choice.level, category="" if not choice.category else "property")
        shown, kept = rows.filter(is_published=True), rows.filter(is_published=False)
        assert set(shown.values_list("method", flat=True)) == {choice.best_baseline} == {choice.published}
        assert set(kept.values_list("method", flat=True)) == {choice.champion} and len(kept) == len(shown)
        facts = dict(choice.reasons)["loses_to_baseline"]
        assert facts["crps_ratio"][0] >= 1 or facts["wape_ratio"][1] > 1
    assert not Forecast.objects.current().filter(is_published=False).exists()


def test_a_model_that_is_switched_off_is_not_published(days, weekly, places):
    weekly(3.0, n=150)
    for model in ("calendar_counts", "weekday_counts", "prophet", "ets", "theta"):
        ModelSwitch.objects.create(model=model, is_on=False, reason="tried")
    done = run()
    assert set(Forecast.objects.current().values_list("method", flat=True)) <= {"mean_28", "same_weekday", "last_week"}
    assert "switched_off" in dict(ModelChoice.objects.get(run=done, level="country", category="").reasons)


def test_areas_add_up_to_their_governorate_and_governorates_to_the_country(days, weekly, places):
    weekly(3.0, n=120)
    weekly(1.0, n=120, area=places.jabriya, location=places.in_jabriya)
    weekly(2.0, n=120, location=places.in_sharq, governorate=places.capital, area=places.sharq)
    run()
    by = {
        code: np.array([f.expected for f in Forecast.objects.current().filter(zone__code=code, category="").order_by("day")])
        for code in ("T-KW", "T-HA", "T-KU", "T-SAL", "T-JAB", "T-SHA")
    }
    assert by["T-HA"] == pytest.approx(by["T-SAL"] + by["T-JAB"]) and by["T-KU"] == pytest.approx(by["T-SHA"])
    assert by["T-KW"] == pytest.approx(by["T-HA"] + by["T-KU"])
    category = {
        code: np.array([f.expected for f in Forecast.objects.current().filter(zone__code=code, category="property").order_by("day")])
        for code in ("T-KW", "T-HA", "T-KU")
    }
    assert category["T-KW"] == pytest.approx(category["T-HA"] + category["T-KU"])


def test_what_lies_in_no_area_is_in_the_sum_but_in_no_row(days, weekly, places):
    weekly(2.0, n=120)
    weekly(2.0, n=120, area=None)
    run()
    whole, part = (
        sum(f.expected for f in Forecast.objects.current().filter(zone=zone, category="")) for zone in (places.hawalli, places.salmiya)
    )
    assert whole == pytest.approx(2 * part, rel=0.2)


def test_a_change_of_clocks_does_not_cut_a_day(days, weekly, places):
    """New York's clocks: a day of 23 hours and one of 25 lie in the history and ahead."""
    places.region.time_zone = "America/New_York"
    places.region.save(update_fields=["time_zone"])
    days(4.0, n=130, until=date(2026, 3, 10))
    done = run(as_of=datetime(2026, 3, 7, 2, 0, tzinfo=ZoneInfo("America/New_York")))
    assert done.status == "done"
    ahead = Forecast.objects.current().filter(zone=places.salmiya).order_by("day")
    assert [f.day for f in ahead] == [date(2026, 3, 7) + timedelta(days=k) for k in range(7)]


def test_today_is_not_learnt_from(days, places):
    days(2.0)
    before = list(run().forecasts.order_by("zone", "category", "is_published", "day").values_list("expected", "low", "high"))
    days(30.0, n=1, until=TODAY + timedelta(days=1))  # today, up to any hour
    later = run(as_of=NIGHT + timedelta(hours=20))
    assert list(later.forecasts.order_by("zone", "category", "is_published", "day").values_list("expected", "low", "high")) == before


def test_what_may_not_be_learnt_from_moves_no_forecast(days, cast):
    days(2.0)
    before = list(run().forecasts.order_by("zone", "category", "is_published", "day").values_list("expected", flat=True))
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="property", enforcement_sensitive=True)
    days(3.0, origin="discovered")
    days(3.0, type=drugs)
    days(3.0, state="unfounded")
    days(3.0, location=None)
    after = run(as_of=NIGHT + timedelta(minutes=1))
    assert list(after.forecasts.order_by("zone", "category", "is_published", "day").values_list("expected", flat=True)) == before


@pytest.mark.parametrize(("a_day", "n"), [(3.0, 20), (0.03, 100)], ids=["too short", "too thin"])
def test_too_little_history_gives_no_figure(days, a_day, n):
    days(a_day, n=n)
    counts = run().steps.get(name__endswith=":zones").counts
    assert counts["forecasts"] == 0 and not Forecast.objects.exists()
    assert counts["passed_over"].get("too little history", 0) > 0 or counts.get("empty_because")


def test_a_feed_that_stopped_gets_no_forecast_and_the_count_says_since_when(days):
    days(5.0, until=TODAY - timedelta(days=20))
    counts = run().steps.get(name__endswith=":zones").counts
    assert counts["forecasts"] == 0 and counts["empty_because"] == "no incidents for two weeks"
    assert counts["newest_incident"] == "2026-02-17"


def test_a_feed_silent_for_three_days_does_not_drag_the_forecast_down(days, places):
    days(25.0, n=60, until=TODAY - timedelta(days=3))
    done = run()
    assert done.steps.get(name__endswith=":zones").counts["silent_days"] == 3
    assert all(20 < f.expected < 30 for f in Forecast.objects.current().of_zone(places.salmiya.pk))


def test_a_forecast_made_of_synthetic_incidents_says_so(days):
    days(2.0, is_synthetic=True)
    run()
    assert not Forecast.objects.filter(is_synthetic=False).exists()


def test_each_sees_the_forecasts_of_their_governorates_and_their_areas(days, places, cast):
    days(2.0)
    days(2.0, location=places.in_sharq, governorate=places.capital, area=places.sharq)
    run()
    seen = {
        who: set(Forecast.objects.current().visible_to(getattr(cast, who)).values_list("zone__code", flat=True))
        for who in ("officer", "stranger", "superadmin")
    }
    assert seen == {"officer": {"T-HA", "T-SAL"}, "stranger": {"T-KU", "T-SHA"}, "superadmin": {"T-KW", "T-HA", "T-SAL", "T-KU", "T-SHA"}}
    assert not Forecast.objects.visible_to(None).exists()


def test_a_new_night_supersedes_and_keeps_what_was_issued(days):
    days(2.0)
    first, second = run(), run(as_of=NIGHT + timedelta(days=1))
    assert set(Forecast.objects.current().values_list("run_id", flat=True)) == {second.pk}
    assert first.forecasts.filter(is_published=True).count() == first.counts["forecasts"] == 35


def test_the_database_itself_refuses_an_interval_out_of_order(days):
    days(2.0)
    run()
    for wrong in ({"low": -1}, {"high": 0, "expected": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Forecast.objects.update(**wrong)
