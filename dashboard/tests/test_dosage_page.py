"""PAT-10: dosage by area, cell, shift, unit and stop, as page, file and API; unknown is said as unknown."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from patrol.models import StopDosage
from patrol.services.dosage import measure_stops
from patrol.tests.measured import published, seen, stop

MINUTE = timedelta(minutes=1)
PAGE = "/patrol/dosage/"
API = "/api/v1/patrol/dosage"


@pytest.fixture
def measured(force, places):
    """P1: 12 minutes delivered, then 12 absent; P2: 12 unknown. A stop of P2 waits."""
    plan, begun = published(force.shift), force.shift.starts_at
    first = stop(plan, force.p1, begun, area=places.salmiya)
    second = stop(plan, force.p1, begun + 20 * MINUTE, area=places.jabriya, place="9:9", location=places.in_jabriya)
    stop(plan, force.p2, begun, area=places.salmiya, place="8:8")
    stop(plan, force.p2, begun + 45 * MINUTE, area=places.salmiya)  # not over when measured; before now, so that no midnight parts them
    seen(force.p1, first.arrive_at, range(0, 721, 30))
    seen(force.p1, second.arrive_at, range(0, 721, 30), east_m=-2_000)
    measure_stops(now=begun + 50 * MINUTE)


def get(client, person, address, **query):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(address, query)


@pytest.mark.parametrize("by", ["area", "cell", "shift", "unit", "stop"])
def test_the_page_says_planned_delivered_absent_and_unknown(client, cast, measured, by):
    answer = get(client, cast.supervisor, PAGE, by=by)
    assert answer.status_code == 200
    sums = answer.context["page"].total
    assert (sums.planned_s, sums.delivered_s, sums.absent_s, sums.unknown_s) == (2160, 720, 720, 720)
    assert (sums.stops, sums.measured, sums.waiting, sums.provisional) == (4, 3, 1, 3)
    assert (sums.visited, sums.not_visited, sums.not_known, sums.at_another_time) == (1, 1, 1, 0)
    lines = answer.context["page"].lines
    assert sum(line.sums.planned_s for line in lines) == 2160 and sum(line.sums.stops for line in lines) == 4


def test_the_sums_of_areas_are_those_counted_by_hand(client, cast, measured):
    lines = {line.name: line.sums for line in get(client, cast.supervisor, PAGE).context["page"].lines}
    assert (lines["Salmiya"].delivered_s, lines["Salmiya"].unknown_s, lines["Salmiya"].stops) == (720, 720, 3)
    assert (lines["Jabriya"].absent_s, lines["Jabriya"].delivered_s) == (720, 0)


def test_the_sums_of_units_follow_whose_positions_were_read(client, cast, measured, force):
    StopDosage.objects.filter(unknown_s=720).update(unit=force.p1)
    lines = {line.name: line.sums for line in get(client, cast.supervisor, PAGE, by="unit").context["page"].lines}
    assert (lines["P1"].measured, lines["P2"].measured) == (3, 0)


def test_a_stop_not_measured_shows_no_zero(client, cast, measured):
    assert "not measured yet" in get(client, cast.supervisor, PAGE, by="stop").content.decode()
    rows = list(csv.DictReader(io.StringIO(b"".join(get(client, cast.supervisor, "/patrol/dosage.csv", by="stop")).decode())))
    assert [row["delivered_min"] for row in rows] == ["12.00", "0.00", "0.00", ""]
    assert {row["unknown_min"] for row in rows if row["name"] == "P2"} == {"12.00", ""}


def test_the_file_has_every_way_of_summing(client, cast, measured):
    for by in ("area", "cell", "shift", "unit"):
        rows = list(csv.DictReader(io.StringIO(b"".join(get(client, cast.supervisor, "/patrol/dosage.csv", by=by)).decode())))
        assert sum(float(row["planned_min"] or 0) for row in rows) == 36


def test_who_may_not_watch_units_is_refused_and_other_governorates_are_404(client, cast, measured):
    assert get(client, cast.officer, PAGE).status_code == 403
    assert get(client, cast.officer, API).status_code == 403
    assert get(client, cast.supervisor, PAGE, governorate="T-KU").status_code == 404
    assert get(client, cast.supervisor, PAGE, agency="fire").status_code == 404
    assert get(client, cast.supervisor, API, governorate="T-KU").status_code == 404
    client.logout()
    assert client.get(PAGE).status_code == 302 and client.get(API).status_code == 401


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "2026-02-30"}, "cannot be read"),
        ({"from": "2999-01-01"}, "today or before"),
        ({"from": "2020-01-01", "to": "2020-12-31"}, "At most 92 days"),
        ({"from": "2020-01-02", "to": "2020-01-01"}, "end after"),
    ],
)
def test_days_that_make_no_sense_are_said_and_the_last_seven_shown(client, cast, measured, query, said):
    answer = get(client, cast.supervisor, PAGE, **query)
    assert answer.status_code == 200 and said in answer.context["asked"].refused
    assert answer.context["asked"].window.days == 7
    assert get(client, cast.supervisor, API, **query).status_code == 422


def test_days_without_a_stop_say_so(client, cast, force):
    assert "No stop was planned" in get(client, cast.supervisor, PAGE, **{"from": "2020-01-01", "to": "2020-01-05"}).content.decode()


def test_forged_queries_change_nothing(client, cast, measured):
    for query in ({"by": "x'--"}, {"area": "9" * 40}, {"area": "-1"}, {"by": "stop", "area": "0"}):
        assert get(client, cast.supervisor, PAGE, **query).status_code == 200


def test_the_api_answers_the_same_sums(client, cast, measured):
    found = get(client, cast.supervisor, API, by="area").json()
    assert found["total"]["unknown_s"] == 720 and found["total"]["stops"] == 4
    assert {line["name"]: line["sums"]["delivered_s"] for line in found["lines"]} == {"Salmiya": 720, "Jabriya": 0}
    assert get(client, cast.supervisor, API, by="stop").json()["lines"][0]["starts_at"]
    assert get(client, cast.supervisor, API, by="x").status_code == 422


def test_both_languages(client, cast, measured):
    client.cookies["django_language"] = "ar"
    cast.supervisor.language = "ar"
    cast.supervisor.save(update_fields=["language"])
    page = get(client, cast.supervisor, PAGE).content.decode()
    assert 'dir="rtl"' in page and "السالمية" in page


def test_more_stops_cost_no_more_questions(client, cast, measured, force, django_assert_max_num_queries):
    get(client, cast.supervisor, PAGE)
    for by in ("area", "unit", "cell", "shift"):
        with django_assert_max_num_queries(18):
            client.get(PAGE, {"by": by})
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE, {"by": "stop"})
    plan = force.p1.routes.get().plan
    for number in range(10):
        stop(plan, force.p1, timezone.now() - number * MINUTE, place=f"1:{number}")
    with CaptureQueriesContext(connection) as more:
        client.get(PAGE, {"by": "stop"})
    assert len(few) == len(more) <= 18
    assert reverse("dosage") == PAGE
