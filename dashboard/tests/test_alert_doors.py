"""ALR-3, ALR-4: what a person does from the screens: acknowledge one or many, hand over, raise one by hand, make and end a silence;
and what their own screen is told to show and sound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from alerts.models import Alert, AlertState, Silence
from alerts.services import alerts as life
from dashboard.tests.test_alert_queue import enter, page_to, shown

ASKS = {"Accept": "application/json"}


def do(client, alert, verb, **given):
    return client.post(f"/alerts/{alert.pk}/{verb}/", given, headers=ASKS)


def test_acknowledging_twice_names_who_was_quicker(fire, cast):
    alert = fire()
    assert do(enter(cast.dispatcher), alert, "acknowledge").status_code == 200
    second = do(enter(cast.supervisor), alert, "acknowledge")
    assert second.status_code == 409 and "dispatcher" in second.json()["error"]
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_through) == (AlertState.ACKNOWLEDGED, cast.dispatcher, "screen")


def test_each_verb_has_its_button_and_its_refusals(fire, cast):
    alert, client = fire(), enter(cast.supervisor)
    assert do(client, alert, "note", text="Called the owner").status_code == 200
    assert do(client, alert, "snooze", minutes="x").status_code == do(client, alert, "snooze", minutes="0").status_code == 422
    assert do(client, alert, "snooze", minutes="15").status_code == 200
    assert do(client, alert, "mute", minutes="60").status_code == 422  # no reason given
    assert do(client, alert, "mute", minutes="60", reason="A drill").status_code == 200
    assert do(client, alert, "reassign", to_user=str(cast.stranger.pk), reason="x").status_code == 422  # of another agency
    assert do(client, alert, "resolve", outcome="A drill", was_needed="no").status_code == 200
    alert.refresh_from_db()
    assert (alert.state, alert.was_needed, alert.outcome) == (AlertState.RESOLVED, False, "A drill")
    assert do(client, alert, "resolve").status_code == 409
    assert client.get(f"/alerts/{alert.pk}/acknowledge/").status_code == 405


def test_who_may_only_look_is_refused_and_nothing_changes(fire, cast):
    alert = fire()
    for verb in ("acknowledge", "resolve", "note"):
        assert do(enter(cast.analyst), alert, verb, text="x").status_code == 403
    page_to(cast.officer, alert)
    assert do(enter(cast.officer), alert, "resolve").status_code == 403
    assert do(enter(cast.officer), alert, "acknowledge").status_code == 200  # paged, so it is theirs to take


def test_many_are_acknowledged_at_once_and_those_that_are_not_are_counted(fire, cast):
    ours, foreign, held = fire(), fire(agency=cast.fire), fire()
    life.acknowledge(alert=held, by=cast.supervisor, through="screen")
    told = enter(cast.dispatcher).post("/alerts/acknowledge/", {"id": [ours.pk, foreign.pk, held.pk, "x"]}, headers=ASKS).json()
    assert (told["acknowledged"], told["refused"]) == (1, 2)
    foreign.refresh_from_db()
    assert foreign.state == AlertState.FIRING


def test_my_screen_is_told_what_pages_me_and_stops_when_anybody_acknowledges(fire, cast):
    loud, snoozed, other = fire(level="critical"), fire(snoozed_until=datetime.now(UTC) + timedelta(hours=1)), fire()
    for alert in (loud, snoozed):
        page_to(cast.dispatcher, alert)
    page_to(cast.supervisor, other)
    client = enter(cast.dispatcher)
    [told] = client.get("/alerts/mine.json?lang=ar").json()["alerts"]
    assert (told["id"], told["title"], told["level"], told["is_held"]) == (loud.pk, loud.title_ar, "critical", False)
    life.acknowledge(alert=loud, by=cast.supervisor, through="screen")
    assert client.get("/alerts/mine.json").json()["alerts"] == []
    assert Client().get("/alerts/mine.json").status_code == 401


def test_what_my_screen_has_shown_is_delivered_and_nobody_elses(alerting, cast, places):
    alert = life.raise_manual(by=cast.supervisor, title="Fire drill", text="", level="high", agency=cast.police, users=[cast.dispatcher])
    client = enter(cast.dispatcher)
    assert client.get("/alerts/mine.json").json()["unseen"] == [alert.pk]
    screen = alert.deliveries.get(page__user=cast.dispatcher, channel="in_app")
    enter(cast.supervisor).post("/alerts/seen/", {"id": alert.pk})
    screen.refresh_from_db()
    assert screen.state != "delivered"
    client.post("/alerts/seen/", {"id": alert.pk})
    screen.refresh_from_db()
    assert screen.state == "delivered"
    assert client.get("/alerts/mine.json").json()["unseen"] == []


def test_the_sound_is_muted_for_a_while_and_the_page_says_until_when(cast):
    client = enter(cast.dispatcher)
    assert client.post("/alerts/sound/", {"minutes": "15"}).status_code == 200
    assert client.get("/alerts/mine.json").json()["muted_until"]
    assert client.post("/alerts/sound/", {"minutes": "0"}).json() == {"muted_until": None}
    assert client.get("/alerts/mine.json").json()["muted_until"] is None
    assert client.post("/alerts/sound/", {"minutes": "600"}).status_code == 422


def test_a_manual_alert_is_raised_at_a_place_and_says_before_who_will_be_told(alerting, cast, places):
    client = enter(cast.supervisor)
    given = {
        "title": "Gas smell", "level": "critical", "agency": cast.police.pk, "zone": places.salmiya.pk,
        "latitude": 29.33, "longitude": 48.07,
        "users": [cast.dispatcher.pk], "contacts": [alerting.room.pk], "policy": alerting.policy.pk,
    }  # fmt: skip
    before = client.post("/alerts/new/preview/", given).content.decode()
    assert "dispatcher" in before and "Hawalli operations" in before and not Alert.objects.exists()
    made = client.post("/alerts/new/", given)
    alert = Alert.objects.get(kind=Alert.Kind.MANUAL)
    assert made["Location"] == f"/alerts/{alert.pk}/"
    assert (alert.zone, alert.governorate, alert.level) == (places.salmiya, places.hawalli, "critical")
    assert {page.user or page.contact for page in alert.pages.all()} >= {cast.dispatcher, alerting.room}


@pytest.mark.parametrize(
    "wrong",
    [{"title": ""}, {"level": "mild"}, {"latitude": "29"}, {"zone": "999999"}, {"users": "x"}, {"users": []}, {"channels": "pigeon"}],
)
def test_a_manual_alert_that_is_wrong_is_refused_with_its_field(alerting, cast, wrong):
    given = {"title": "Gas", "level": "high", "agency": cast.police.pk, "users": [cast.dispatcher.pk], **wrong}
    answer = enter(cast.supervisor).post("/alerts/new/", given)
    assert answer.status_code == 422 and not Alert.objects.exists()


def test_who_may_not_raise_has_no_form_and_nobody_names_people_of_elsewhere(alerting, cast):
    assert enter(cast.analyst).get("/alerts/new/").status_code == 403
    given = {"title": "Gas", "level": "high", "agency": cast.police.pk, "users": [cast.firefighter.pk]}
    assert enter(cast.supervisor).post("/alerts/new/", given).status_code == 422


def test_a_silence_shows_what_it_would_quiet_is_made_and_ended(fire, cast, alerting, places):
    alert, other = fire(rule=alerting.rule, kind=Alert.Kind.RULE), fire(kind=Alert.Kind.RULE)
    client = enter(cast.supervisor)
    ends = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
    given = {"rule": alerting.rule.code, "ends_at": ends, "reason": "Works on the road", "governorate": places.hawalli.code}
    would = client.post("/alerts/silences/", {**given, "preview": "1"})
    assert would.context["would_count"] == 1 and not Silence.objects.exists()
    assert client.post("/alerts/silences/", given).status_code == 302
    alert.refresh_from_db()
    assert alert.silenced_by is not None and shown(client, "?state=firing") == [other.pk]
    text = client.get("/alerts/silences/").content.decode()
    assert "Works on the road" in text and alerting.rule.name_en in text and "quiets 1 alert now" in text
    assert enter(cast.firefighter).post(f"/alerts/silences/{Silence.objects.get().pk}/end/").status_code in {403, 404}
    client.post(f"/alerts/silences/{Silence.objects.get().pk}/end/")
    assert Silence.objects.get().ended_by == cast.supervisor


def test_a_silence_of_everything_or_in_the_past_is_refused(cast, places):
    client, ends = enter(cast.supervisor), (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
    assert client.post("/alerts/silences/", {"ends_at": ends, "reason": "x"}).status_code == 422
    past = {"level": ["low"], "ends_at": "2020-01-01T00:00", "reason": "x", "governorate": places.hawalli.code}
    assert client.post("/alerts/silences/", past).status_code == 422
    assert enter(cast.dispatcher).post("/alerts/silences/", {"level": ["low"], "ends_at": ends, "reason": "x"}).status_code == 403
