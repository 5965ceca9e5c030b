"""ANA-6 on screen: seven days with their intervals, beside what was counted, with the method's honest name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from conftest import Cast, Places
from geography.models import Zone
from incidents.models import Forecast, Incident, ModelChoice, ModelSwitch, PipelineRun, PipelineStep

PAGE = "/forecast/"


@pytest.fixture
def run(db: None) -> PipelineRun:
    return PipelineRun.objects.create(key="test-run", as_of=timezone.now(), status="done")


@pytest.fixture
def forecast(run: PipelineRun, places: Places) -> Callable[..., list[Forecast]]:
    def make(zone: Zone, **given: Any) -> list[Forecast]:
        details: dict[str, Any] = {"expected": 10.25, "low": 4, "high": 17, "method": "prophet", "history_days": 730, "is_current": True}
        return Forecast.objects.bulk_create(
            Forecast(run=run, region=places.region, zone=zone, day=timezone.localdate() + timedelta(days=ahead), **{**details, **given})
            for ahead in range(7)
        )

    return make


def text(client: Any, path: str = PAGE, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_each_governorate_has_a_chart_a_table_and_a_sum(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli)
    forecast(places.capital)
    client.force_login(cast.superadmin)
    page = text(client)
    assert page.count('<svg class="chart"') == page.count('<table class="figures">') == 2
    assert "about 144 incidents expected in 7 days" in page
    assert page.count('<tr> <th scope="row"><time') == 14
    assert "80 in 100 days fall between" in page


def test_who_sees_the_whole_country_sees_its_own_forecast_first(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], report: Callable[..., Incident]
) -> None:
    country = places.hawalli.parent
    assert country is not None
    forecast(country, expected=20, high=30)
    forecast(places.hawalli)
    report(occurred_at=timezone.now() - timedelta(days=2))
    client.force_login(cast.superadmin)
    page = text(client)
    assert "<b>140</b> expected in the next 7 days, 1 counted in the last 7" in page
    client.force_login(cast.officer)
    assert "<b>140</b>" not in text(client)
    assert client.get(f"/forecast/{country.pk}/").status_code == 404


def test_one_category_is_counted_and_forecast_alone(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], report: Callable[..., Incident]
) -> None:
    forecast(places.hawalli)
    forecast(places.hawalli, category="property", expected=3, low=1, high=5)
    forecast(places.hawalli, category="fire", expected=1, low=0, high=2)
    report(occurred_at=timezone.now() - timedelta(days=2))
    client.force_login(cast.officer)
    assert '<b class="num">21</b>' in text(client, f"{PAGE}?category=property")
    assert "1 in the last 7" in text(client, f"{PAGE}?category=property")
    assert "0 in the last 7" in text(client, f"{PAGE}?category=fire")
    assert "No forecast yet" in text(client, f"{PAGE}?category=nonsense")


def test_an_officer_sees_the_governorates_of_their_own(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli)
    forecast(places.capital)
    client.force_login(cast.officer)
    page = text(client)
    assert page.count('<svg class="chart"') == 1
    assert f"/forecast/{places.capital.pk}/" not in page


@pytest.mark.parametrize("zone", ["capital", "sharq"])
def test_a_foreign_zone_does_not_exist(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], zone: str) -> None:
    forecast(getattr(places, zone))
    client.force_login(cast.officer)
    assert client.get(f"/forecast/{getattr(places, zone).pk}/").status_code == 404
    assert client.get("/forecast/999999/").status_code == 404
    client.force_login(cast.stranger)
    assert client.get(f"/forecast/{getattr(places, zone).pk}/").status_code == 200


def test_a_governorate_shows_its_areas_the_busiest_first(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli)
    forecast(places.jabriya, expected=5)
    forecast(places.salmiya, expected=6)
    client.force_login(cast.officer)
    page = text(client, f"/forecast/{places.hawalli.pk}/")
    assert page.index(f'id="zone-{places.salmiya.pk}"') < page.index(f'id="zone-{places.jabriya.pk}"')


def test_an_area_without_a_forecast_is_named(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli)
    forecast(places.salmiya)
    client.force_login(cast.officer)
    assert "No forecast, for want of counted days: <bdi>Jabriya</bdi>" in text(client, f"/forecast/{places.hawalli.pk}/")


def test_the_counted_days_end_yesterday_and_leave_out_what_is_not_modelled(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], report: Callable[..., Incident]
) -> None:
    forecast(places.hawalli)
    zone = places.region.zone_info
    midnight = datetime.combine(timezone.localdate(), time(), zone)
    report(occurred_at=midnight - timedelta(minutes=1))
    report(occurred_at=midnight - timedelta(days=6))
    report(occurred_at=midnight)  # today is forecast, not counted
    report(occurred_at=midnight - timedelta(minutes=5), origin=Incident.Origin.DISCOVERED)
    client.force_login(cast.officer)
    assert "2 in the last 7" in text(client)


def test_time_runs_left_to_right_in_arabic_too(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli)
    client.force_login(cast.officer)
    page = text(client, **{"accept-language": "ar"})
    assert 'dir="rtl"' in page
    chart = page[page.index('<svg class="chart"') :]
    assert 'direction="ltr"' in chart[: chart.index(">")]
    points = chart[chart.index('class="expected" points="') :].split('"')[3].split()
    across = [float(point.split(",")[0]) for point in points]
    assert across == sorted(across)
    assert "حولي" in page


def test_figures_in_a_drawing_are_plain_whatever_the_language(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]
) -> None:
    forecast(places.hawalli)
    client.force_login(cast.officer)
    page = text(client, **{"accept-language": "ar"})
    assert 'viewBox="0 0 340 120"' in page
    assert "style=" not in page


def test_a_method_is_named_for_what_it_is(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.salmiya, method="unheard-of")
    client.force_login(cast.officer)
    assert "unheard-of" in text(client, f"/forecast/{places.salmiya.pk}/")


def test_before_the_first_run_the_page_says_what_to_do(client: Any, cast: Cast) -> None:
    client.force_login(cast.analyst)
    page = text(client)
    assert "No forecast yet" in page
    assert "Run them now" in page


def test_a_stranger_to_the_site_is_asked_to_sign_in(client: Any, places: Places) -> None:
    for path in (PAGE, f"/forecast/{places.hawalli.pk}/", "/map/", "/map/list/"):
        assert client.get(path).status_code == 302, path


def test_the_page_costs_the_same_however_many_areas(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    for zone in (places.hawalli, places.salmiya, places.jabriya):
        forecast(zone)
    client.force_login(cast.officer)
    with django_assert_max_num_queries(25):
        client.get(f"/forecast/{places.hawalli.pk}/")


@pytest.fixture
def choice(run: PipelineRun, places: Places) -> Callable[..., ModelChoice]:
    def make(**given: Any) -> ModelChoice:
        details: dict[str, Any] = {
            "predicts": "forecast",
            "level": "governorate",
            "champion": "calendar_counts",
            "best_baseline": "mean_28",
            "published": "calendar_counts",
            "beats_baseline": True,
            "origins": 52,
            "is_current": True,
            "reasons": [["beats_baseline", {"crps_ratio": [0.949, 0.93, 0.97], "origins": 52}]],
        }
        return ModelChoice.objects.create(run=run, region=places.region, **{**details, **given})

    return make


SAID = {"mean_28": {"mean": 9.5, "dispersion": 1.2}, "same_weekday": {"mean": 8.5, "dispersion": 1.0}}


def test_the_model_says_in_words_why_it_is_shown(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], choice: Callable[..., Any]
) -> None:
    forecast(places.hawalli, method="calendar_counts", baselines=SAID, low_95=2, high_95=20)
    choice()
    client.force_login(cast.officer)
    page = text(client, f"/forecast/{places.hawalli.pk}/")
    assert "<b>Calendar counts</b>" in page
    assert "In a backtest over 52 weeks its error (CRPS) was 5.1 % below that of: Mean of 28 days." in page
    assert "2 – 20" in page and "9.5" in page and 'class="baseline"' in page and 'class="band wide"' in page


def test_where_counting_wins_the_page_says_what_stands_in_and_why(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], choice: Callable[..., Any]
) -> None:
    forecast(places.hawalli, method="mean_28", baselines=SAID)
    forecast(places.hawalli, method="calendar_counts", baselines=SAID, is_published=False, expected=99, high=120)
    choice(published="mean_28", beats_baseline=False, reasons=[["loses_to_baseline", {"crps_ratio": [1.02, 1.0, 1.04]}]])
    client.force_login(cast.officer)
    page = text(client, f"/forecast/{places.hawalli.pk}/")
    assert "It stands in because the best model (Calendar counts) was not ahead of it in a backtest over 52 weeks." in page
    assert "99.0" not in page and "693" not in page


def test_a_model_switched_off_gives_way_to_counting_at_once(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], choice: Callable[..., Any]
) -> None:
    forecast(places.hawalli, method="calendar_counts", baselines=SAID, low_95=2, high_95=20)
    choice()
    ModelSwitch.objects.create(model="calendar_counts", is_on=False, reason="tried")
    client.force_login(cast.officer)
    page = text(client, f"/forecast/{places.hawalli.pk}/")
    assert "Mean of 28 days stands in: the model has been switched off." in page
    assert "about 66" in text(client) or "<b>66</b>" in page  # seven days of 9.5
    ModelSwitch.objects.create(model="mean_28", is_on=False, reason="tried")
    ModelSwitch.objects.create(model="same_weekday", is_on=False, reason="tried")
    assert "No forecast yet" in text(client, f"/forecast/{places.hawalli.pk}/")
    assert Forecast.objects.filter(expected=10.25).count() == 7  # what was issued stays


def test_last_weeks_forecast_stands_against_what_was_counted(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], report: Callable[..., Incident]
) -> None:
    forecast(places.hawalli, baselines=SAID)
    client.force_login(cast.officer)
    assert "There is no forecast of a week ago to compare with." in text(client, f"/forecast/{places.hawalli.pk}/")
    today = timezone.localdate()
    issued = datetime.combine(today - timedelta(days=7), time(2), places.region.zone_info)
    then = PipelineRun.objects.create(key="then", as_of=issued, status="done")
    Forecast.objects.bulk_create(
        Forecast(
            run=then, region=places.region, zone=places.hawalli, day=today - timedelta(days=back), expected=2, low=1, high=4,
            method="mean_28", history_days=60, baselines={"mean_28": {"mean": 3, "dispersion": 1}},
        )
        for back in range(1, 8)
    )  # fmt: skip
    for back in (1, 1, 2, 3, 4, 5, 6):
        report(occurred_at=datetime.combine(today - timedelta(days=back), time(12), places.region.zone_info))
    page = text(client, f"/forecast/{places.hawalli.pk}/")
    assert "14 expected, 7 counted; 6 of 7 days inside the interval." in page
    assert "Off by 1.0 a day; counting alone by 2.0." in page


def test_days_of_the_moon_are_named(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any], run: PipelineRun) -> None:
    forecast(places.hawalli)
    day = timezone.localdate() + timedelta(days=2)
    name = f"forecasts:{places.region.code}:zones"
    PipelineStep.objects.create(run=run, name=name, counts={"days_that_may_move": [[day.isoformat(), "eid_al_fitr"]]})
    client.force_login(cast.officer)
    assert "Eid al-Fitr is expected on" in text(client)


def test_the_figures_can_be_taken_away_as_a_file(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.hawalli, baselines=SAID, low_95=2, high_95=20)
    forecast(places.salmiya, expected=5)
    forecast(places.capital)
    client.force_login(cast.officer)
    answer = client.get("/forecast/forecast.csv")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    assert lines[0].startswith("region,zone,name_en,name_ar,level,category,day,expected,low_80") and len(lines) == 15
    assert not any("T-KU" in line for line in lines) and "10.250,4,17,2,20,prophet,mean_28,9.500" in lines[1]
    assert len(client.get(f"/forecast/forecast.csv?zone={places.salmiya.pk}").content.decode().splitlines()) == 8
    for wrong in (places.capital.pk, "x", "9" * 30):
        assert client.get(f"/forecast/forecast.csv?zone={wrong}").status_code == 404
    client.logout()
    assert client.get("/forecast/forecast.csv").status_code == 302


def test_a_name_that_begins_like_a_formula_is_no_formula_in_the_file(
    client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]
) -> None:
    Zone.objects.filter(pk=places.hawalli.pk).update(name_en="=1+1")
    forecast(places.hawalli)
    client.force_login(cast.officer)
    assert ",'=1+1," in client.get("/forecast/forecast.csv").content.decode()
