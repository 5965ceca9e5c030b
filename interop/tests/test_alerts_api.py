"""ALR-4 by the API: lists and filters, one with its timeline, verbs by people, keys without names, a foreign id that is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.test import Client

from alerts.models import Alert
from alerts.services import alerts as life
from dashboard.tests.test_alert_queue import enter, page_to
from interop.services import issue_key
from interop.tests.conftest import Caller

ALERTS = "/api/v1/alerts"


def post(client, address, **told):
    return client.post(f"{ALERTS}{address}", told, content_type="application/json")


def test_a_person_lists_filters_and_pages_what_they_may_see(fire, cast, places, alerting):
    low, high, ended = fire(level="low"), fire(rule=alerting.rule), fire(state="resolved", resolved_at=datetime.now(UTC))
    fire(agency=cast.fire)
    client = enter(cast.dispatcher)

    def ids(query=""):
        return [row["id"] for row in client.get(f"{ALERTS}{query}").json()["results"]]

    assert ids() == [ended.pk, high.pk, low.pk]
    assert (ids("?state=open"), ids("?level=low"), ids("?rule=burglaries"), ids("?state=resolved")) == (
        [high.pk, low.pk], [low.pk], [high.pk], [ended.pk],
    )  # fmt: skip
    page_to(cast.dispatcher, low)
    assert ids("?mine=true") == [low.pk] and ids("?governorate=nowhere") == []
    assert client.get(f"{ALERTS}?level=mild").status_code == 422
    first = client.get(f"{ALERTS}?limit=2").json()
    assert len(first["results"]) == 2 and first["next"]


def test_one_is_read_with_its_timeline_and_acknowledged_once(fire, cast):
    alert = fire()
    page_to(cast.supervisor, alert)
    client = enter(cast.dispatcher)
    told = post(client, f"/{alert.pk}/acknowledge").json()
    assert (told["state"], told["acknowledged_by"], told["acknowledged_through"]) == ("acknowledged", "dispatcher", "api")
    assert told["log"][-1]["kind"] == "acknowledged" and told["pages"][0]["who"] == "supervisor"
    assert post(enter(cast.supervisor), f"/{alert.pk}/acknowledge").status_code == 409


def test_each_verb_by_its_address_and_the_refusals(fire, cast):
    alert, client = fire(), enter(cast.supervisor)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert post(client, f"/{alert.pk}/notes", text="Seen").status_code == 200
    assert post(client, f"/{alert.pk}/snooze", until=later).json()["is_quiet"] is True
    assert post(client, f"/{alert.pk}/mute", until=later, reason="").status_code == 422
    assert post(client, f"/{alert.pk}/mute", until=later, reason="A drill").status_code == 200
    assert post(client, f"/{alert.pk}/escalate").status_code == 422
    assert post(client, f"/{alert.pk}/resolve", outcome="Over", was_needed=True).json()["was_needed"] is True
    assert post(enter(cast.analyst), f"/{alert.pk}/notes", text="x").status_code == 403
    foreign = fire(agency=cast.fire)
    for address in (f"/{foreign.pk}", "/999999"):
        assert client.get(ALERTS + address).status_code == 404
    assert post(client, f"/{foreign.pk}/acknowledge").status_code == 404
    assert Client().get(ALERTS).status_code in {401, 403}


def test_who_is_paged_without_the_role_sees_that_alert_alone(fire, cast):
    paged, _other = fire(agency=cast.fire), fire()
    page_to(cast.officer, paged)
    assert [row["id"] for row in enter(cast.officer).get(ALERTS).json()["results"]] == [paged.pk]


def test_a_manual_alert_by_the_api_names_people_by_id_and_nobody_of_elsewhere(cast, alerting):
    client = enter(cast.supervisor)
    zone = alerting.room.governorate.code
    made = post(client, "", title="Gas", level="high", agency=cast.police.slug, governorate=zone, users=[cast.dispatcher.pk])
    assert made.status_code == 201 and Alert.objects.get().pages.get().user == cast.dispatcher
    assert post(client, "", title="Gas", level="high", agency=cast.police.slug, users=[cast.firefighter.pk]).status_code == 422
    assert post(enter(cast.analyst), "", title="Gas", level="high", agency=cast.police.slug).status_code == 403


def test_what_stands_on_a_map_and_the_figures(fire, cast):
    alert = fire()
    client = enter(cast.dispatcher)
    [feature] = client.get(f"{ALERTS}.geojson").json()["features"]
    assert (feature["id"], feature["properties"]["is_exact"]) == (alert.pk, True)
    figures = client.get(f"{ALERTS}/statistics").json()
    assert (figures["total"], figures["overall"]["p50_s"]) == (1, None)
    assert client.get(f"{ALERTS}/statistics?start=2020-01-01T00:00:00Z").status_code == 422


def test_a_key_reads_without_names_and_writes_nothing(fire, cast, police_system):
    alert = fire()
    page_to(cast.supervisor, alert)
    page_to(cast.dispatcher, fire(agency=cast.fire))
    life.acknowledge(alert=alert, by=cast.dispatcher, through="screen")
    asker = Caller(*issue_key(partner=police_system, name="alerts", scopes=["alerts:read"], by=None, all_governorates=True))
    told = asker.get(f"alerts/{alert.pk}").json()
    assert told["state"] == "acknowledged" and "dispatcher" not in str(told) and "supervisor" not in str(told)
    assert [row["id"] for row in asker.get("alerts").json()["results"]] == [alert.pk]
    assert asker.post(f"alerts/{alert.pk}/acknowledge", {}).status_code == 403
    other = Caller(*issue_key(partner=police_system, name="others", scopes=["incidents:read"], by=None, all_governorates=True))
    assert other.get("alerts").status_code == 403
