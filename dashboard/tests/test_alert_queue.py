"""ALR-4: the queue of alerts and one alert's page: who sees what, what narrows it, and what may be done there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from alerts.models import Alert, AlertLog, AlertState, Delivery, EscalationRun, Page, StepRun
from core.models import Event
from dashboard.live import IncidentPresenter


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_to(user, alert, **given) -> Page:
    now = datetime.now(UTC)
    return Page.objects.create(
        **{
            "alert": alert,
            "user": user,
            "code": f"c{alert.pk}{user.pk}",
            "code_expires_at": now + timedelta(days=1),
            "next_at": now,
            **given,
        }
    )


def shown(client, query="") -> list[int]:
    return [row.alert.pk for row in client.get(f"/alerts/{query}").context["rows"]]


def test_the_queue_shows_the_worst_and_newest_that_fires_first(fire, cast):
    low, critical = fire(level="low"), fire(level="critical")
    older, newer = fire(), fire()
    held = fire(state=AlertState.ACKNOWLEDGED, acknowledged_by=cast.supervisor, acknowledged_at=datetime.now(UTC))
    snoozed = fire(level="critical", snoozed_until=datetime.now(UTC) + timedelta(hours=1))
    fire(state=AlertState.RESOLVED, resolved_at=datetime.now(UTC))
    client = enter(cast.dispatcher)
    assert shown(client) == [critical.pk, newer.pk, older.pk, low.pk, held.pk, snoozed.pk]
    counts = client.get("/alerts/").context["counts"]
    assert ([n for _level, n in counts.levels], counts.acknowledged, counts.quiet, counts.firing) == ([1, 2, 0, 1], 1, 1, 4)


def test_it_is_narrowed_by_state_level_governorate_rule_and_mine(fire, cast, places, alerting):
    mine, other = fire(level="critical", rule=alerting.rule), fire(level="low")
    held = fire(state=AlertState.ACKNOWLEDGED, acknowledged_by=cast.dispatcher, acknowledged_at=datetime.now(UTC))
    ended = fire(state=AlertState.RESOLVED, resolved_at=datetime.now(UTC))
    page_to(cast.dispatcher, mine)
    client = enter(cast.dispatcher)
    assert shown(client, "?state=firing") == [mine.pk, other.pk]
    assert shown(client, "?state=acknowledged") == [held.pk]
    assert shown(client, "?state=resolved") == [ended.pk]
    assert shown(client, "?level=low") == [other.pk]
    assert shown(client, f"?rule={alerting.rule.pk}") == [mine.pk]
    assert shown(client, "?mine=1") == [mine.pk, held.pk]
    assert shown(client, f"?governorate={places.capital.pk}") == []
    assert shown(client, "?state=nonsense&level=7&rule=x&governorate=99999999999999999999") == [mine.pk, other.pk, held.pk]


def test_a_queue_that_is_empty_is_calm_and_a_synthetic_alert_says_so(fire, cast):
    client = enter(cast.dispatcher)
    assert "Nothing fires." in client.get("/alerts/").content.decode()
    fire(is_synthetic=True)
    assert "synthetic" in client.get("/alerts/").content.decode()


def test_a_foreign_alert_does_not_exist(fire, cast):
    alert = fire(agency=cast.fire)
    client = enter(cast.dispatcher)
    assert shown(client) == []
    for address in (f"/alerts/{alert.pk}/", f"/alerts/{alert.pk}/part/", "/alerts/999999999999999999/"):
        assert client.get(address).status_code == 404
    assert client.post(f"/alerts/{alert.pk}/acknowledge/").status_code == 404
    assert Client().get("/alerts/").status_code == 302


def test_who_is_paged_outside_their_jurisdiction_sees_that_alert_and_only_that(fire, cast):
    paged, other, own = fire(agency=cast.fire), fire(agency=cast.fire), fire()
    page_to(cast.officer, paged)
    page_to(cast.dispatcher, paged)
    officer = enter(cast.officer)  # no role with alerts: not even those of the own agency
    assert shown(officer) == [paged.pk]
    assert [officer.get(f"/alerts/{one.pk}/").status_code for one in (paged, other, own)] == [200, 404, 404]
    assert shown(enter(cast.dispatcher)) == [own.pk, paged.pk] or shown(enter(cast.dispatcher)) == [paged.pk, own.pk]
    assert enter(cast.dispatcher).get(f"/alerts/{other.pk}/").status_code == 404


def test_rows_are_asked_for_by_id_and_those_that_do_not_match_do_not_come(fire, cast):
    here, foreign = fire(), fire(agency=cast.fire)
    client = enter(cast.dispatcher)
    told = client.get(f"/alerts/rows/?id={here.pk}&id={foreign.pk}&id=x").content.decode()
    assert f'id="alert-{here.pk}"' in told and f'id="alert-{foreign.pk}"' not in told
    assert f'id="alert-{here.pk}"' not in client.get(f"/alerts/rows/?state=resolved&id={here.pk}").content.decode()


def test_the_queue_costs_the_same_however_long_it_is(fire, cast, django_assert_max_num_queries):
    for _ in range(12):
        fire()
    client = enter(cast.dispatcher)
    client.get("/alerts/")
    with django_assert_max_num_queries(20):
        client.get("/alerts/")


def test_the_page_tells_each_step_page_and_delivery_with_its_state(fire, cast, alerting):
    alert = fire(rule=alerting.rule, kind=Alert.Kind.RULE, measure=4, threshold=3)
    now = datetime.now(UTC)
    run = EscalationRun.objects.create(alert=alert, policy=alerting.policy, next_at=now + timedelta(seconds=60), step_no=1)
    step = StepRun.objects.create(run=run, loop=0, step_no=0, kind="schedule", due_at=now, ran_at=now, outcome="done", reached=1)
    page = page_to(cast.supervisor, alert, step_run=step, why="On call in Hawalli duty officer")
    Delivery.objects.create(
        key=alert.key, alert=alert, page=page, channel="email", state="delivered", handed_at=now, sent_at=now, delivered_at=now
    )
    AlertLog.objects.create(alert=alert, kind=AlertLog.Kind.OPENED)
    told = enter(cast.dispatcher).get(f"/alerts/{alert.pk}/")
    text = told.content.decode()
    for words in (
        "Step 1: Notify who is on call",
        "E-mail to supervisor",
        "On call in Hawalli duty officer",
        "Next step in",
        "Measured: 4",
    ):
        assert words in text
    assert {line.kind for line in told.context["lines"]} == {"step", "delivery", "opened"}


def test_who_only_looks_is_offered_nothing(fire, cast):
    alert = fire()
    assert enter(cast.analyst).get(f"/alerts/{alert.pk}/").context["verbs"] == frozenset()
    assert {"acknowledge", "snooze", "resolve"} <= enter(cast.dispatcher).get(f"/alerts/{alert.pk}/").context["verbs"]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_pages_are_drawn_in_both_languages(fire, cast, language):
    alert = fire()
    client = enter(cast.dispatcher)
    client.cookies["django_language"] = language
    title = {"en": alert.title_en, "ar": alert.title_ar}[language]
    assert title in client.get("/alerts/").content.decode() and title in client.get(f"/alerts/{alert.pk}/").content.decode()


def test_the_socket_rings_for_those_who_work_with_alerts_and_carries_no_words(fire, cast):
    alert, presenter = fire(), IncidentPresenter()
    assert presenter.room(cast.dispatcher, "alerts") is not None and presenter.room(cast.officer, "alerts") is None
    event = Event(type="alert.fired", subject_type="alert", subject_id=alert.pk, occurred_at=datetime.now(UTC))
    [told] = presenter.show([event], ["en", "ar"])
    assert told is not None and told.only_in == "alerts" and str(alert.pk) in told.texts["ar"] and alert.title_en not in told.texts["en"]
    assert told.visible_to(cast.dispatcher.jurisdiction) and not told.visible_to(cast.firefighter.jurisdiction)
