"""ANA-6, ANA-7 over the API: the days ahead with both intervals and the baselines, and why this model; each refusal."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import Forecast, ModelChoice, ModelSwitch, PipelineRun
from interop.services import issue_key
from interop.tests.conftest import Caller

SAID = {"mean_28": {"mean": 9.5, "dispersion": 1.2}}


@pytest.fixture
def reader(police_system):
    key, secret = issue_key(partner=police_system, name="forecasts", scopes=["forecasts:read"], by=None, all_governorates=True)
    return Caller(key, secret)


@pytest.fixture
def signed_in(cast):
    def enter(who):
        client = Client(raise_request_exception=False)
        client.force_login(getattr(cast, who))
        return client

    return enter


@pytest.fixture
def issued(places):
    run = PipelineRun.objects.create(key="night", as_of=timezone.now(), status="done")

    def make(zone, **given):
        details = {
            "expected": 10.25, "low": 4, "high": 17, "low_95": 2, "high_95": 20, "method": "calendar_counts",
            "history_days": 730, "is_current": True, "baselines": SAID,
        }  # fmt: skip
        return Forecast.objects.bulk_create(
            Forecast(run=run, region=places.region, zone=zone, day=timezone.localdate() + timedelta(days=k), **{**details, **given})
            for k in range(7)
        )

    make(places.hawalli)
    make(places.hawalli, category="property", expected=3, low=1, high=5)
    make(places.capital)
    make(places.hawalli, method="prophet", expected=99, high=120, is_published=False)
    ModelChoice.objects.create(
        run=run, region=places.region, predicts="forecast", level="governorate", champion="calendar_counts", best_baseline="mean_28",
        published="calendar_counts", beats_baseline=True, origins=52, is_current=True, reasons=[["beats_baseline", {}]],
    )  # fmt: skip
    return make


def test_a_partner_reads_what_is_published_with_both_intervals_and_the_baselines(reader, issued, places):
    told = reader.get("forecasts?category=").json()
    assert len(told["results"]) == 14 and {row["model"] for row in told["results"]} == {"calendar_counts"}
    row = next(row for row in told["results"] if row["zone"] == places.hawalli.pk)
    assert (row["expected"], row["low"], row["high"], row["low_95"], row["high_95"], row["interval"]) == (10.25, 4, 17, 2, 20, 0.8)
    assert row["baselines"] == SAID and row["level"] == "governorate" and row["category"] == ""


def test_it_can_be_narrowed_and_paged(reader, issued, places):
    assert len(reader.get("forecasts").json()["results"]) == 21
    assert len(reader.get(f"forecasts?zone={places.hawalli.pk}&category=property").json()["results"]) == 7
    assert len(reader.get(f"forecasts?day={timezone.localdate().isoformat()}").json()["results"]) == 3
    assert reader.get("forecasts?level=area").json()["results"] == []
    first = reader.get("forecasts?limit=5").json()
    assert len(first["results"]) == 5 and first["next"]


def test_a_person_sees_the_forecasts_of_their_governorates(signed_in, issued, places):
    rows = signed_in("officer").get("/api/v1/forecasts").json()["results"]
    assert {row["zone"] for row in rows} == {places.hawalli.pk}
    assert {row["zone"] for row in signed_in("stranger").get("/api/v1/forecasts").json()["results"]} == {places.capital.pk}


def test_a_model_switched_off_gives_way_to_its_baseline_at_once(reader, issued):
    ModelSwitch.objects.create(model="calendar_counts", is_on=False, reason="tried")
    rows = reader.get("forecasts?category=").json()["results"]
    assert {(row["model"], row["expected"]) for row in rows} == {("mean_28", 9.5)}
    assert all(0 <= row["low_95"] <= row["low"] <= 9.5 <= row["high"] <= row["high_95"] for row in rows)


def test_the_choice_is_told_with_its_reasons(reader, issued, signed_in):
    (told,) = reader.get("forecasts/choices").json()
    assert (told["published"], told["best_baseline"], told["origins"]) == ("calendar_counts", "mean_28", 52)
    assert told["reasons"] == [["beats_baseline", {}]]
    assert len(signed_in("officer").get("/api/v1/forecasts/choices").json()) == 1


@pytest.mark.parametrize(
    "query", ["zone=x", "zone=0", "level=street", "day=soon", f"zone={'9' * 40}", "category=a%20b", "limit=0", "cursor=x"]
)
def test_what_cannot_be_asked_is_refused_by_field(reader, issued, query):
    answer = reader.get(f"forecasts?{query}")
    assert answer.status_code == 422 and answer["Content-Type"] == "application/problem+json"


def test_a_key_without_the_scope_and_strangers_are_refused(caller, issued):
    assert caller.get("forecasts").status_code == 403 and caller.get("forecasts/choices").status_code == 403
    assert Client().get("/api/v1/forecasts").status_code == 401


def test_the_page_costs_the_same_however_many_rows(reader, issued, places, django_assert_max_num_queries):
    issued(places.salmiya)
    issued(places.jabriya)
    with django_assert_max_num_queries(10):
        reader.get("forecasts")
