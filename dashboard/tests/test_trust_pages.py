"""ANA-7, ANA-8, ANA-9: scoreboard, models, lists for patrol and places held back, as people of each role and place see them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from incidents.models import Handover, ModelCard, ModelSwitch, Score, Suppression
from incidents.services.trust.cards import model_card
from incidents.services.trust.scoreboard import scoreboard
from incidents.tests.issued import cell_of, choice, days_ago, risk, run_at


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def hits(caught, incidents=100.0):
    per_share = {"hits": caught, "incidents": incidents, "chosen": 10, "cells": 1000, "best": 60, "pai": caught, "rri": None}
    return {"1": per_share, "3": per_share, "5": per_share, "outside": 0}


def days(error, crps):
    counted = {"days": 7, "series": 1, "actual": 70, "expected": 70, "inside_80": 6, "inside_95": 7, "with_95": 7}
    return {**counted, "abs_error": error, "crps": crps}


@pytest.fixture
def scored(places, cast, burglary):
    """Ten weeks: the ensemble catches 30 of 100 a week where counting catches 20; on property 15 against 20; its forecasts lose."""
    rng = np.random.default_rng(4)
    for week in range(10):
        start = days_ago(80 - 7 * week)
        run = run_at(start)
        shared = {"run": run, "region": places.region, "valid_from": start, "valid_to": start + timedelta(days=7)}
        for zone in (None, places.hawalli, places.capital):
            for category, caught in (("", 30), ("property", 15)):
                risky = {**shared, "predicts": "risk", "zone": zone, "category": category, "level": "week", "incident_count": 100}
                for model, role, n in (
                    ("ensemble", "published", caught),
                    ("last_52_weeks", "baseline", 20),
                    ("last_4_weeks", "baseline", 10),
                ):
                    Score.objects.create(**risky, model=model, role=role, facts=hits(float(n + rng.integers(-2, 3))))
            Score.objects.create(
                **{**shared, "predicts": "forecast", "zone": zone, "category": "", "level": "governorate", "incident_count": 70},
                model="prophet",
                role="published",
                facts={**days(20.0, 12.0 + rng.random()), "against": {"mean_28": days(15.0, 9.0 + rng.random())}},
            )


def test_the_scoreboard_says_won_and_lost_alike(scored, cast):
    page = enter(cast.officer).get(reverse("scoreboard")).content.decode()
    assert "more incidents than that of “Counts of the last 52 weeks”" in page and "ahead of the strongest baseline" in page
    assert "Behind: “Mean of 28 days” was" in page
    page = enter(cast.officer).get(reverse("scoreboard"), {"category": "property"}).content.decode()
    assert "fewer incidents than that of “Counts of the last 52 weeks”" in page


def test_pooled_figures_are_sums_of_hits_and_not_means_of_ratios(scored, places):
    board = scoreboard(region=places.region)
    line = next(line for line in board.lines if line.predicts == "risk" and line.category == "")
    facts = [row.facts["1"] for row in Score.objects.filter(zone=None, predicts="risk", category="", model="ensemble")]
    pooled = sum(f["hits"] for f in facts) / sum(f["incidents"] for f in facts) / 0.01
    assert line.figures["1"]["pai"] == pytest.approx(pooled) and line.predictions == 10
    assert [item.baseline for item in line.against] == ["last_52_weeks", "last_4_weeks"]
    assert board.tally() == {"won": 1, "lost": 2, "even": 0, "early": 0}


def test_a_governorate_is_shown_to_those_who_may_see_it_and_is_404_to_others(scored, cast, places):
    client = enter(cast.officer)
    assert client.get(reverse("scoreboard"), {"governorate": places.hawalli.pk}).status_code == 200
    for given in (places.capital.pk, "999999999", "x", "9" * 40):
        assert client.get(reverse("scoreboard"), {"governorate": given}).status_code == 404
        assert client.get(reverse("scoreboard-csv"), {"governorate": given}).status_code == 404


def test_the_board_as_a_file(scored, cast):
    answer = enter(cast.officer).get(reverse("scoreboard-csv"))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    first = next(row for row in rows if row["measure"] == "pai_1" and row["category"] == "" and row["baseline"] == "last_52_weeks")
    assert first["verdict"] == "won" and float(first["ratio_low"]) > 1 and float(first["model_value"]) == pytest.approx(30, abs=2)
    assert {row["verdict"] for row in rows if row["predicts"] == "forecast"} == {"lost"}


def test_looks_back_are_never_part_of_the_running_score(scored, cast, places):
    run = run_at(days_ago(1), as_of=days_ago(200))
    for model, role, n in (("ensemble", "published", 99.0), ("last_52_weeks", "baseline", 1.0)):
        Score.objects.create(
            run=run, region=places.region, predicts="risk", category="", level="week", model=model, role=role, incident_count=100,
            valid_from=days_ago(200), valid_to=days_ago(193), facts=hits(n), is_hindcast=True,
        )  # fmt: skip
    client = enter(cast.officer)
    page = client.get(reverse("scoreboard"))
    assert max(line.predictions for line in page.context["board"].lines if line.predicts == "risk") == 10
    assert "2 looks back have been scored too" in page.content.decode()
    rehearsed = client.get(reverse("scoreboard"), {"rehearsal": "1"})
    assert [line.predictions for line in rehearsed.context["board"].lines] == [1]
    assert "are no predictions" in rehearsed.content.decode() and "Too early to say" in rehearsed.content.decode()


def test_with_no_score_yet_the_page_says_when_the_first_is_due(places, cast):
    page = enter(cast.officer).get(reverse("scoreboard")).content.decode()
    assert "No prediction has been made here yet" in page
    risk(run_at(datetime(2026, 3, 1, 23, tzinfo=UTC)), places.region, [(1, 1)], [1])
    page = enter(cast.officer).get(reverse("scoreboard")).content.decode()
    assert "The first is due on 11 March 2026, 02:00" in page


def test_reports_that_came_after_the_score_are_said_to_change_nothing(scored, cast, report):
    report(occurred_at=days_ago(70))
    assert "1 report came later still and changes no score" in enter(cast.officer).get(reverse("scoreboard")).content.decode()


def test_the_pages_need_a_sign_in(db):
    for name in ("scoreboard", "scoreboard-csv", "models", "handover", "handover-suppressions"):
        assert Client().get(reverse(name)).status_code == 302
    assert Client().get(reverse("models-one", args=["ensemble"])).status_code == 302


@pytest.fixture
def issued(places, cast, burglary):
    start = datetime.now(UTC) - timedelta(hours=2)
    run = run_at(start)
    choice(run, places.region)
    choice(
        run,
        places.region,
        predicts="forecast",
        level="area",
        published="mean_28",
        champion="prophet",
        best_baseline="mean_28",
        beats_baseline=False,
        reasons=[["loses_to_baseline", {"ratio": 0.98}]],
    )
    card = model_card(
        model="ensemble",
        purpose="risk",
        learnt_from=start - timedelta(days=1000),
        learnt_to=start,
        incidents=12345,
        parameters={"cell_m": 250, "trees": {"depth": 4}},
        seed=7,
        scores={"ensemble": {"pai_1": {"value": 10.4, "low": 9.9, "high": 10.9}}},
        limits=["not_people", "something_new"],
        excluded={"discovered": 31},
    )
    card.run, card.region = run, places.region
    card.save()
    column, row = cell_of(places.region, 47.92, 29.35)
    cells = [(column + n, row) for n in range(30)]
    return risk(run, places.region, cells, [float(30 - n) for n in range(30)], governorates=[places.hawalli] * 30)


def test_the_models_page_says_what_is_published_and_why_a_baseline_stands_in(issued, cast):
    page = enter(cast.officer).get(reverse("models")).content.decode()
    assert "It was ahead of the best baseline in the backtest." in page
    assert "It was not ahead of the best baseline in the backtest, so the baseline stands in." in page
    assert "baseline stands in</span>" in page and "Share of incidents" in page


def test_a_model_card_says_what_the_run_stored(issued, cast):
    client = enter(cast.officer)
    page = client.get(reverse("models-one", args=["ensemble"])).content.decode()
    for words in ("12,345", "31", "trees · depth", "10.4 (9.9 – 10.9)", "It speaks of places and times.", "something new"):
        assert words in page, words
    stored = json.loads(client.get(reverse("models-json", args=["ensemble"])).content)
    assert stored["facts"] == ModelCard.objects.get().facts and stored["region"] == "kw"


def test_a_model_nobody_knows_is_404(issued, cast):
    for name in ("models-one", "models-json"):
        assert enter(cast.superadmin).get(reverse(name, args=["crystal_ball"])).status_code == 404
    assert enter(cast.superadmin).post(reverse("models-switch", args=["crystal_ball"]), {"on": "0", "reason": "x"}).status_code == 404


def test_switching_off_on_the_page_needs_the_verb_and_a_reason_and_shows_who_and_why(issued, cast):
    address = reverse("models-switch", args=["ensemble"])
    assert enter(cast.officer).post(address, {"on": "0", "reason": "No."}).status_code == 403
    client = enter(cast.superadmin)
    assert client.post(address, {"on": "0", "reason": ""}).status_code == 422
    assert not ModelSwitch.objects.exists()
    assert client.post(address, {"on": "0", "reason": "One street only."}).status_code == 302
    page = client.get(reverse("models-one", args=["ensemble"])).content.decode()
    assert "One street only." in page and "Switch on" in page
    page = enter(cast.officer).get(reverse("models")).content.decode()
    assert "Counts of the last 52 weeks" in page and "switched it off" in page and "Switch off</button>" not in page
    assert client.post(address, {"on": "0", "reason": "Twice."}).status_code == 409


def test_a_supervisor_draws_up_a_list_and_takes_it_away(issued, cast, places):
    client = enter(cast.supervisor)
    assert "Draw up the list" in client.get(reverse("handover")).content.decode()
    answer = client.post(reverse("handover"), {"governorate": places.hawalli.pk})
    made = Handover.objects.get()
    address = reverse("handover-one", args=[made.pk])
    assert answer.status_code == 302 and answer.headers["Location"] == address
    page = client.get(address).content.decode()
    assert "not orders" in page and "Drawn by chance" in page and "Visibility walk" in page
    rows = list(csv.DictReader(io.StringIO(client.get(reverse("handover-csv", args=[made.pk])).content.decode())))
    assert len(rows) == 20 and rows[0]["reason"] == "risk" and rows[-1]["reason"] == "explore"
    shape = client.get(reverse("handover-geojson", args=[made.pk])).json()["features"][0]["geometry"]
    assert shape["type"] == "Polygon" and shape["coordinates"][0][0] == shape["coordinates"][0][-1]
    assert 47.9 < shape["coordinates"][0][0][0] < 47.95
    client.post(reverse("handover"), {"governorate": places.hawalli.pk})
    assert Handover.objects.count() == 1


def test_lists_of_other_governorates_are_404_and_other_roles_draw_up_none(issued, cast, places):
    made_by = enter(cast.supervisor)
    for given in (places.capital.pk, places.salmiya.pk, "", "x"):
        assert made_by.post(reverse("handover"), {"governorate": given}).status_code == 404
    assert enter(cast.officer).post(reverse("handover"), {"governorate": places.hawalli.pk}).status_code == 403
    made_by.post(reverse("handover"), {"governorate": places.hawalli.pk})
    made = Handover.objects.get()
    for name in ("handover-one", "handover-csv", "handover-geojson"):
        assert enter(cast.officer).get(reverse(name, args=[made.pk])).status_code == 200
        assert enter(cast.stranger).get(reverse(name, args=[made.pk])).status_code == 404
        assert enter(cast.superadmin).get(reverse(name, args=[2**70])).status_code == 404
    assert places.hawalli.name not in enter(cast.stranger).get(reverse("handover")).content.decode()


def test_without_a_surface_no_list_is_drawn_up_and_the_page_says_why(places, cast):
    client = enter(cast.supervisor)
    assert "No risk surface is published for this shift." in client.get(reverse("handover")).content.decode()
    answer = client.post(reverse("handover"), {"governorate": places.hawalli.pk})
    assert answer.status_code == 409 and "No risk surface is published for the next shift" in answer.content.decode()


GIVEN = {"longitude": "47.92", "latitude": "29.35", "radius_m": "300", "days": "30", "category": "", "reason": "A wedding hall."}


def test_a_place_is_held_back_and_lifted_on_its_page(cast, places, burglary):
    client = enter(cast.supervisor)
    page = client.get(reverse("handover-suppressions"), {"longitude": "47.92", "latitude": "nan"}).content.decode()
    assert 'value="47.92"' in page and 'value="nan"' not in page
    assert client.post(reverse("handover-suppressions"), GIVEN).status_code == 302
    made = Suppression.objects.get()
    assert "A wedding hall." in enter(cast.officer).get(reverse("handover-suppressions")).content.decode()
    assert "A wedding hall." not in enter(cast.stranger).get(reverse("handover-suppressions")).content.decode()
    lift = reverse("handover-lift", args=[made.pk])
    assert enter(cast.officer).post(lift, {"reason": "No."}).status_code == 403
    assert enter(cast.stranger).post(lift, {"reason": "No."}).status_code == 404
    assert client.post(lift, {"reason": ""}).status_code == 422
    assert client.post(lift, {"reason": "Over."}).status_code == 302
    assert client.post(lift, {"reason": "Again."}).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"reason": ""}, 422),
        ({"days": "91"}, 422),
        ({"radius_m": "nan"}, 422),
        ({"longitude": "1e400"}, 422),
        ({"longitude": "48.9"}, 422),
        ({"longitude": "47.85"}, 404),
        ({"category": "witchcraft"}, 422),
    ],
)
def test_what_cannot_be_held_back_is_refused(cast, places, burglary, wrong, status):
    answer = enter(cast.supervisor).post(reverse("handover-suppressions"), {**GIVEN, **wrong})
    assert answer.status_code == status and not Suppression.objects.exists()


def test_an_officer_holds_nothing_back(cast, places, burglary):
    assert enter(cast.officer).post(reverse("handover-suppressions"), GIVEN).status_code == 403
    assert not Suppression.objects.exists()


def test_every_page_is_in_arabic_too(scored, issued, cast):
    cast.supervisor.language = "ar"
    cast.supervisor.save()
    client = enter(cast.supervisor)
    client.cookies["django_language"] = "ar"
    for name in ("scoreboard", "models", "handover", "handover-suppressions"):
        assert 'dir="rtl"' in client.get(reverse(name)).content.decode()


def test_the_panel_of_a_cell_says_who_holds_it_back_and_where_to_do_so(issued, cast):
    address = reverse("surfaces-why", args=[issued.pk, issued.columns[0], issued.rows[0]])
    client = enter(cast.supervisor)
    page = client.get(address).content.decode()
    assert "Hold this place back from patrol" in page and "Held back" not in page
    client.post(reverse("handover-suppressions"), GIVEN)
    page = client.get(address).content.decode()
    assert "Held back from patrol" in page and "A wedding hall." in page
    seen = enter(cast.officer).get(address).content.decode()
    assert "A wedding hall." in seen and "Hold this place back" not in seen


def test_a_baseline_that_stands_in_for_a_model_switched_off_is_on_the_map_with_its_classes(issued, cast, places):
    zones = [places.hawalli] * 3
    cells = list(zip(issued.columns[:3], issued.rows[:3], strict=True))
    stored: dict[str, Any] = {"role": "baseline", "model": "last_52_weeks", "classes": []}  # as a run stores it
    beside = risk(issued.run, places.region, cells, [3.0, 2.0, 0.0], governorates=zones, **stored)
    client = enter(cast.superadmin)
    assert client.get(reverse("surfaces-why", args=[beside.pk, *cells[0]])).status_code == 404
    client.post(reverse("models-switch", args=["ensemble"]), {"on": "0", "reason": "One street only."})
    assert client.get(reverse("surfaces-why", args=[issued.pk, *cells[0]])).status_code == 404
    assert client.get(reverse("surfaces-why", args=[beside.pk, *cells[0]])).context["reasons"].class_ == 5
