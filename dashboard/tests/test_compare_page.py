"""ANA-10 on screen and as a file: compare, in both languages, with what is missing said."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from conftest import Cast, Places
from dashboard.trend_charts import heat_chart, weekly_chart
from geography.models import Region
from incidents.models import IncidentType, Source
from incidents.services.compare import last_whole_day
from incidents.tests.compare_support import each, put


@pytest.fixture
def end(places: Places) -> date:
    return last_whole_day(places.region)


@pytest.fixture
def two_years(police_112: Source, burglary: IncidentType, places: Places, end: date) -> None:
    put(police_112, burglary, each(end - timedelta(days=800), end), governorate=places.hawalli, area=places.salmiya, is_synthetic=True)


def text(client: Any, path: str = "/compare/", **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_page_shows_counts_changes_trends_and_hours(client: Any, cast: Cast, two_years: None) -> None:
    client.force_login(cast.officer)
    page = text(client)
    assert "Compare: <bdi>Kuwait</bdi>" in page
    assert '<b class="num">28</b>' in page
    assert "could be chance" in page
    assert page.count('<svg class="chart') == 3
    assert "Synthetic data" in page
    assert "Property" in page


def test_it_speaks_arabic(client: Any, cast: Cast, two_years: None) -> None:
    client.force_login(cast.officer)
    client.cookies["django_language"] = "ar"
    assert 'dir="rtl"' in text(client, "/compare/?by=area")
    assert "السالمية" in text(client, "/compare/?by=area")


@pytest.mark.parametrize("by", ["category", "type", "governorate", "area", "severity", "agency", "apart"])
def test_every_table_opens(client: Any, cast: Cast, two_years: None, by: str) -> None:
    client.force_login(cast.officer)
    assert "<tbody>" in text(client, f"/compare/?by={by}&period=ytd")


def test_absurd_addresses_are_answered_calmly(client: Any, cast: Cast, two_years: None) -> None:
    client.force_login(cast.officer)
    page = text(client, "/compare/?period=forever&by=star-sign&until=yesterday&category=%27%3B--&zone=x")
    assert "Not understood and left out: Zone, Category, Last day, Period, By" in page
    assert "That day is not over yet." in text(client, "/compare/?until=2999-01-01")
    assert "That is too long ago." in text(client, "/compare/?until=0001-01-01")
    assert client.get("/compare/?region=atlantis").status_code == 404
    assert client.get(f"/compare/?zone={2**63 - 1}").status_code == 404
    assert client.post("/compare/").status_code == 405


def test_a_foreign_governorate_is_not_there(client: Any, cast: Cast, places: Places) -> None:
    client.force_login(cast.officer)
    for path in ("/compare/", "/compare.csv"):
        assert client.get(f"{path}?zone={places.hawalli.pk}").status_code == 200
        assert client.get(f"{path}?zone={places.capital.pk}").status_code == 404


def test_choosing_another_region_leaves_the_zone_behind(client: Any, cast: Cast, two_years: None, places: Places) -> None:
    Region.objects.create(code="other", name_en="Elsewhere", name_ar="غيرها", time_zone="Asia/Kuwait", metric_srid=32638)
    client.force_login(cast.superadmin)
    assert "Compare: <bdi>Hawalli</bdi>" in text(client, f"/compare/?region=kw&zone={places.hawalli.pk}")
    assert "Compare: <bdi>Elsewhere</bdi>" in text(client, f"/compare/?region=other&zone={places.hawalli.pk}")


def test_the_page_asks_the_database_a_bounded_number_of_times(
    client: Any, cast: Cast, two_years: None, django_assert_max_num_queries: Any
) -> None:
    client.force_login(cast.officer)
    text(client)
    with django_assert_max_num_queries(20):
        text(client, "/compare/?by=area")


def test_who_is_not_signed_in_signs_in_first(client: Any, db: None) -> None:
    assert client.get("/compare/").status_code == client.get("/compare.csv").status_code == 302


def test_without_incidents_it_says_so_and_points_at_the_newest(
    client: Any, cast: Cast, police_112: Source, burglary: IncidentType, places: Places
) -> None:
    client.force_login(cast.officer)
    assert "Nothing has been reported that you may see." in text(client)
    put(police_112, burglary, each(date(2017, 12, 1), date(2017, 12, 31)), governorate=places.hawalli)
    page = text(client)
    assert "The newest incident here is from 31 December 2017." in page
    assert "until=2017-12-31" in page
    assert '<b class="num">28</b>' in text(client, "/compare/?until=2017-12-31")


def test_what_has_no_data_is_said_not_counted_as_a_fall(
    client: Any, cast: Cast, police_112: Source, burglary: IncidentType, places: Places, end: date
) -> None:
    put(police_112, burglary, each(end - timedelta(days=60), end, 2), governorate=places.hawalli)
    client.force_login(cast.officer)
    page = text(client)
    assert "The same days last year: no data from" in page
    assert "no data" in page
    assert "-100" not in page and "−100" not in page


def test_whoever_has_no_governorate_is_told(client: Any, cast: Cast) -> None:
    cast.officer.governorates.clear()
    client.force_login(cast.officer)
    assert "No governorate is assigned to you." in text(client)


def test_the_file_holds_every_table_and_no_formula(client: Any, cast: Cast, police_112: Source, places: Places, end: date) -> None:
    evil = IncidentType.objects.create(code="evil", name_en="=1+1", category="other")
    put(police_112, evil, each(end - timedelta(days=60), end), governorate=places.hawalli)
    client.force_login(cast.officer)
    response = client.get("/compare.csv")
    assert response["Content-Disposition"].startswith('attachment; filename="compare-kw-')
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert {row["by"] for row in rows} >= {"total", "category", "type", "governorate", "severity", "agency", "apart"}
    week = next(row for row in rows if row["by"] == "total" and row["period"] == "7d" and row["against"] == "before")
    assert (week["count"], week["against_count"], week["difference"], week["verdict"]) == ("7", "7", "0", "chance")
    assert next(row for row in rows if row["by"] == "type")["name"] == "'=1+1"
    assert next(row for row in rows if row["against"] == "last_year")["verdict"] == "no data"


# --- charts, pure -----------------------------------------------------------------------------------------------------
def test_a_week_without_data_breaks_the_line():
    ends = [date(2026, 1, 4) + timedelta(days=7 * n) for n in range(6)]
    chart = weekly_chart(ends, [5, 6, 0, 7, 0, 9], blank=frozenset({2, 4}))
    assert len(chart.lines) == 1
    assert len(chart.dots) == 2
    assert len(chart.gaps) == 2


def test_the_busiest_hour_has_the_strongest_colour_and_an_empty_one_none():
    chart = heat_chart({(0, 8): 10, (6, 23): 1})
    assert [row.weekday for row in chart.rows] == [6, 0, 1, 2, 3, 4, 5]
    assert chart.rows[1].cells[8].step == 5
    assert chart.rows[0].cells[23].step == 1
    assert chart.rows[3].cells[3].step == 0
    assert heat_chart({}).most == 0
