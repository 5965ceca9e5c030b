"""ANA-8, ANA-9 over the API: the running score, models and switches, places held back, lists for patrol."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from incidents.models import Handover, ModelSwitch, Score, Suppression
from incidents.tests.issued import cell_of, choice, days_ago, risk, rows_of_trust, run_at
from interop.services import issue_key
from interop.tests.conftest import Caller


@pytest.fixture
def caller(police_system):
    def make(*scopes):
        key, secret = issue_key(partner=police_system, name="analytics", scopes=list(scopes), by=None, all_governorates=True)
        return Caller(key, secret)

    return make


@pytest.fixture
def signed_in(cast):
    def enter(who):
        client = Client(raise_request_exception=False)
        client.force_login(getattr(cast, who))
        return client

    return enter


def send(client, path, body):
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def read(client, path):
    return client.get(f"/api/v1/{path}")


@pytest.fixture
def rows(places, cast):
    run = run_at(days_ago(1))
    rows_of_trust(run, places, cast)
    return run


@pytest.fixture
def scored(places, cast):
    for week in range(6):
        start = days_ago(60 - 7 * week)
        run = run_at(start)
        for model, role, caught in (("ensemble", "published", 30.0 + week), ("last_52_weeks", "baseline", 20.0)):
            hits = {"hits": caught, "incidents": 100.0, "chosen": 10, "cells": 1000, "best": 60}
            for zone in (None, places.hawalli):
                Score.objects.create(
                    predicts="risk", run=run, region=places.region, zone=zone, level="week", model=model, role=role, incident_count=100,
                    valid_from=start, valid_to=start + timedelta(days=7), facts={"1": hits, "3": hits, "5": hits},
                )  # fmt: skip


def test_the_running_score_is_read_by_people_and_by_keys_with_the_scope(scored, signed_in, caller):
    board = read(signed_in("officer"), "scoreboard").json()
    (line,) = board["lines"]
    assert (line["standing"], line["predictions"], board["tally"]["won"]) == ("won", 6, 1)
    first = line["against"][0]["estimates"][0]
    assert first["measure"] == "pai_1" and first["low"] > 1.4
    assert caller("forecasts:read").get("scoreboard").json() == board
    assert caller("incidents:read").get("scoreboard").status_code == 403
    assert read(Client(), "scoreboard").status_code == 401


def test_a_governorates_score_is_404_to_those_who_may_not_see_it(scored, signed_in):
    assert read(signed_in("officer"), "scoreboard?governorate=T-HA").json()["governorate"] == "T-HA"
    for code in ("T-KU", "nowhere"):
        assert read(signed_in("officer"), f"scoreboard?governorate={code}").status_code == 404
    assert read(signed_in("officer"), "scoreboard?region=nowhere").status_code == 404


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999", "٣"])
def test_days_that_make_no_sense_are_named(scored, signed_in, days):
    answer = read(signed_in("officer"), f"scoreboard?days={days}")
    assert answer.status_code == 422 and answer["Content-Type"] == "application/problem+json"


def test_models_are_read_with_their_cards_and_switches(rows, signed_in):
    told = read(signed_in("officer"), "models").json()
    assert told["published"][0]["published"] == "ensemble"
    one = read(signed_in("officer"), "models/ensemble").json()
    assert one["card"] == {"purpose": "risk"} and one["switch"]["is_on"]
    assert read(signed_in("officer"), "models/crystal_ball").status_code == 404


def test_a_model_is_switched_by_people_who_may(rows, signed_in, caller):
    body = {"is_on": False, "reason": "One street only."}
    assert send(signed_in("officer"), "models/ensemble/switch", body).status_code == 403
    assert caller("forecasts:read").post("models/ensemble/switch", body).status_code == 403
    assert send(signed_in("superadmin"), "models/crystal_ball/switch", body).status_code == 404
    assert send(signed_in("superadmin"), "models/ensemble/switch", {"is_on": False, "reason": ""}).status_code == 422
    assert not ModelSwitch.objects.filter(model="ensemble").exists()
    assert send(signed_in("superadmin"), "models/ensemble/switch", body).json()["is_on"] is False
    assert send(signed_in("superadmin"), "models/ensemble/switch", body).status_code == 409


PLACE = {"longitude": 47.92, "latitude": 29.35, "radius_m": 300, "days": 30, "reason": "A wedding hall."}


def test_a_place_is_held_back_and_lifted(places, cast, signed_in, caller):
    made = send(signed_in("supervisor"), "suppressions", PLACE)
    assert made.status_code == 201 and made.json()["governorate"] == "T-HA"
    address = f"suppressions/{made.json()['id']}/lift"
    assert [row["reason"] for row in caller("hotspots:read").get("suppressions").json()["results"]] == ["A wedding hall."]
    assert read(signed_in("stranger"), "suppressions").json()["results"] == []
    assert send(signed_in("stranger"), address, {"reason": "x"}).status_code == 404
    assert send(signed_in("officer"), address, {"reason": "x"}).status_code == 403
    assert caller("hotspots:read").post(address, {"reason": "x"}).status_code == 403
    assert send(signed_in("supervisor"), address, {"reason": "Over."}).json()["lifted_at"]
    assert send(signed_in("supervisor"), address, {"reason": "Again."}).status_code == 409
    assert read(signed_in("supervisor"), "suppressions").json()["results"] == []
    assert len(read(signed_in("supervisor"), "suppressions?all=1").json()["results"]) == 1
    assert send(signed_in("supervisor"), f"suppressions/{2**64}/lift", {"reason": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"days": 91}, 422), ({"radius_m": 6000}, 422), ({"longitude": 47.85}, 404), ({"longitude": 48.9}, 422), ({"reason": ""}, 422)],
)
def test_what_cannot_be_held_back_is_refused(places, cast, signed_in, wrong, status):
    assert send(signed_in("supervisor"), "suppressions", {**PLACE, **wrong}).status_code == status
    assert not Suppression.objects.exists()


@pytest.fixture
def surface(places, cast, burglary):
    run = run_at(datetime.now(UTC) - timedelta(hours=2))
    choice(run, places.region)
    column, row = cell_of(places.region, 47.92, 29.35)
    cells = [(column + n, row) for n in range(30)]
    return risk(run, places.region, cells, [float(30 - n) for n in range(30)], governorates=[places.hawalli] * 30)


def test_a_list_is_drawn_up_once_and_read_by_those_of_the_governorate(surface, signed_in, caller):
    made = send(signed_in("supervisor"), "handovers", {"governorate": "T-HA", "cells": 10}).json()
    assert [cell["reason"] for cell in made["cells"]] == ["risk"] * 9 + ["explore"]
    assert made["rule"] == {"cells": 10, "cap": 14, "of_last": 21, "explore_share": 0.1}
    assert send(signed_in("supervisor"), "handovers", {"governorate": "T-HA", "cells": 10}).json()["id"] == made["id"]
    assert read(signed_in("officer"), f"handovers/{made['id']}").json() == made
    assert caller("hotspots:read").get("handovers").json()["results"][0]["id"] == made["id"]
    assert read(signed_in("stranger"), f"handovers/{made['id']}").status_code == 404
    assert read(signed_in("stranger"), "handovers").json()["results"] == []
    assert read(signed_in("officer"), f"handovers/{2**64}").status_code == 404


def test_who_may_not_draws_up_no_list(surface, signed_in, caller):
    assert send(signed_in("officer"), "handovers", {"governorate": "T-HA"}).status_code == 403
    assert caller("hotspots:read").post("handovers", {"governorate": "T-HA"}).status_code == 403
    assert send(signed_in("supervisor"), "handovers", {"governorate": "T-KU"}).status_code == 404
    assert send(signed_in("supervisor"), "handovers", {"governorate": "T-HA", "cells": 101}).status_code == 422
    assert not Handover.objects.exists()


def test_without_a_surface_there_is_no_list(places, cast, signed_in):
    answer = send(signed_in("supervisor"), "handovers", {"governorate": "T-HA"})
    assert answer.status_code == 409 and "No risk surface" in answer.json()["detail"]
