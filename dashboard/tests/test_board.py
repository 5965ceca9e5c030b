"""CMD-2, CMD-3, CMD-4, ACC-1: the live board as a page: who sees what, what narrows it, what its figures say, what it costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from dashboard.filters import BoardFilter, IncidentFilter
from dashboard.selectors import key_figures
from incidents.lifecycle import State
from incidents.models import Incident
from incidents.services import close_incident, move_incident

EVERYBODY = ["superadmin", "supervisor", "analyst", "dispatcher", "officer", "auditor"]


def ids(response):
    return [incident.pk for incident in response.context["page"].incidents]


@pytest.mark.parametrize("path", ["/", "/board/rows/", "/board/cards/?id=1", "/board/figures/"])
def test_without_signing_in_there_is_only_the_sign_in_page(client, path, db):
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("who", EVERYBODY)
def test_every_role_reads_the_board_of_its_jurisdiction(client, cast, report, places, who):
    here, elsewhere = report(), report(location=places.in_sharq)
    client.force_login(getattr(cast, who))
    response = client.get("/")
    assert response.status_code == 200
    assert (here.pk in ids(response)) and (elsewhere.pk in ids(response)) == (who in {"superadmin", "auditor"})
    enters = b'href="/admin/"' in response.content
    assert enters == (who in {"superadmin", "supervisor", "analyst", "auditor"})


def test_another_governorate_and_another_agency_see_nothing_of_it(client, cast, report):
    report()
    for person in (cast.stranger, cast.firefighter):
        client.force_login(person)
        assert ids(client.get("/")) == []


def test_asking_for_foreign_cards_by_number_brings_nothing(client, cast, report):
    incident = report()
    client.force_login(cast.stranger)
    assert client.get(f"/board/cards/?id={incident.pk}").content.strip() == b""


def test_open_ones_stand_newest_first_and_the_closed_are_asked_for(client, cast, report):
    first, second, third = report(), report(), report()
    close_incident(incident=second, by=cast.supervisor, disposition="resolved")
    client.force_login(cast.officer)
    assert ids(client.get("/")) == [third.pk, first.pk]
    assert ids(client.get("/?state=closed")) == [second.pk]
    assert ids(client.get("/?state=all")) == [third.pk, second.pk, first.pk]


def test_by_priority_the_urgent_stand_first_and_among_equals_who_waits_longest(client, cast, report):
    routine, urgent, urgent_later = report(priority=4), report(priority=1), report(priority=1)
    client.force_login(cast.officer)
    assert ids(client.get("/?sort=priority")) == [urgent.pk, urgent_later.pk, routine.pk]


@pytest.mark.parametrize("sort", ["newest", "priority"])
def test_paging_shows_every_row_once_though_new_ones_come_in_between(client, cast, report, monkeypatch, sort):
    monkeypatch.setattr("dashboard.views.board.PAGE_SIZE", 3)
    known = {report(priority=1 + n % 3).pk for n in range(8)}
    client.force_login(cast.officer)
    seen: list[int] = []
    query = f"sort={sort}"
    response = client.get(f"/?{query}")
    while True:
        seen += ids(response)
        report(priority=1)
        following = response.context["next_query"]
        if not following:
            break
        response = client.get(f"/board/rows/?{following}", headers={"hx-request": "true"})
        assert "board:rows" in json.loads(response["HX-Trigger"])
    assert len(seen) == len(set(seen))
    assert known <= set(seen)


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 40, "7.1", "1.1.1", "' or 1=1", "٣"])
def test_a_forged_cursor_starts_at_the_top(client, cast, report, cursor):
    incident = report()
    client.force_login(cast.officer)
    assert ids(client.get("/", {"before": cursor})) == [incident.pk]


def test_each_filter_narrows_and_the_address_holds_them(client, cast, report, places, burglary):
    wanted = report(priority=1, severity=4, description="نافذة مكسورة")
    report(priority=4, severity=1, location=places.in_jabriya, occurred_at=datetime.now(UTC) - timedelta(days=3))
    client.force_login(cast.officer)
    for query in (
        "priority=1&priority=2",
        "severity=4",
        f"area={places.salmiya.pk}",
        f"governorate={places.hawalli.pk}&severity=4",
        f"agency={cast.police.pk}&priority=1",
        f"category={burglary.category}&severity=4",
        "period=24h",
        "q=نافذه",
        "state=received&severity=4",
    ):
        response = client.get(f"/?{query}")
        assert ids(response) == [wanted.pk], query
        assert response.context["filter"].is_set
        assert response.context["filter"].chips()


@pytest.mark.parametrize("query", ["severity=9", "severity=x", "governorate=-1", "area=999999999999999999999", "period=forever", "state=x"])
def test_a_value_nobody_knows_is_named_on_the_page_and_nothing_breaks(client, cast, report, query):
    report()
    client.force_login(cast.officer)
    response = client.get(f"/?{query}")
    assert response.status_code == 200
    assert response.context["filter"].ignored


def test_a_foreign_governorate_in_the_address_is_an_empty_list(client, cast, report, places):
    report(location=places.in_sharq)
    client.force_login(cast.officer)
    assert ids(client.get(f"/?governorate={places.capital.pk}")) == []


def test_the_choices_are_those_of_the_jurisdiction(cast, places):
    chosen = BoardFilter({}, viewer=cast.officer)
    assert [choice.text for choice in chosen.governorates()] == ["Hawalli"]
    assert [choice.text for choice in chosen.agencies()] == ["Police"]
    assert [name for name, _areas in chosen.areas()] == ["Hawalli"]


def test_a_page_is_told_what_it_can_judge_itself_and_what_it_must_ask(cast, places):
    plain = json.loads(BoardFilter({"area": str(places.salmiya.pk), "state": "queued"}, viewer=cast.officer).for_client())
    assert plain == {"match": {"area": [str(places.salmiya.pk)], "state": ["queued"]}, "standing": "queued", "sort": "newest", "ask": False}
    assert json.loads(BoardFilter({"q": "fire"}, viewer=cast.officer).for_client())["ask"]
    assert json.loads(BoardFilter({"period": "1h"}, viewer=cast.officer).for_client())["ask"]


def test_a_card_carries_what_the_page_judges_it_by(client, cast, report):
    incident = report()
    client.force_login(cast.officer)
    html = client.get("/").content.decode()
    for name, value in {
        "ref": incident.ref,
        "severity": incident.severity,
        "priority": incident.priority,
        "state": "received",
        "agency": incident.agency_id,
        "governorate": incident.governorate_id,
        "area": incident.area_id,
        "category": "property",
        "open": 1,
    }.items():
        assert f'data-{name}="{value}"' in html


def test_of_the_cards_asked_for_only_those_that_match_come(client, cast, report):
    fits, other = report(severity=4), report(severity=1)
    client.force_login(cast.officer)
    html = client.get(f"/board/cards/?severity=4&id={fits.pk}&id={other.pk}&id=x&id={'9' * 30}").content.decode()
    assert fits.ref in html and other.ref not in html


def test_a_reference_in_the_search_box_opens_its_incident_and_a_foreign_one_does_not(client, cast, report, places):
    mine, foreign = report(), report(location=places.in_sharq)
    client.force_login(cast.officer)
    assert client.get("/", {"q": mine.ref.lower()})["Location"] == reverse("incident", args=[mine.ref])
    assert client.get("/", {"q": foreign.ref}).status_code == 200


def test_htmx_gets_the_list_alone_and_the_back_button_the_whole_page(client, cast, report):
    report()
    client.force_login(cast.officer)
    partial = client.get("/", headers={"hx-request": "true"})
    assert b"<html" not in partial.content and b'id="board"' in partial.content
    assert "HX-Request" in partial["Vary"]
    assert b"<html" in client.get("/", headers={"hx-request": "true", "hx-history-restore-request": "true"}).content


def test_words_from_outside_are_shown_and_never_run(client, cast, report, burglary):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    burglary.name_en = evil[:100]
    burglary.save()
    incident = report(description=evil, address=evil, raw={"text": evil})
    client.force_login(cast.officer)
    for path in ("/", f"/incidents/{incident.ref}/", f"/?q={evil}"):
        html = client.get(path).content.decode()
        assert "<script>alert" not in html and "<img src=x" not in html
        assert "&lt;script&gt;alert(1)" in html


def test_synthetic_rows_are_marked_and_so_is_the_header(client, cast, report):
    client.force_login(cast.officer)
    report(is_synthetic=True)
    html = client.get("/").content.decode()
    assert "made-up" in html and "badge synthetic" in html


def test_real_rows_are_not_called_synthetic(client, cast, report):
    report()
    client.force_login(cast.officer)
    html = client.get("/").content.decode()
    assert "made-up" not in html and "badge synthetic" not in html


def test_the_figures_compare_with_yesterday_and_last_week_and_say_what_is_unknown(cast, report):
    now = datetime.now(UTC)
    was_open = report(reported_at=now - timedelta(hours=1), priority=1)
    Incident.objects.filter(pk=was_open.pk).update(received_at=now - timedelta(days=2))
    closed = report(priority=3)
    close_incident(incident=closed, by=cast.supervisor, disposition="resolved")
    Incident.objects.filter(pk=closed.pk).update(received_at=now - timedelta(days=2))
    report(priority=3, occurred_at=now - timedelta(days=7, hours=2))
    move_incident(incident=was_open, to=State.DISPATCHED, by=cast.dispatcher)
    figures = key_figures(cast.officer)
    assert (figures.open_now, figures.open_yesterday) == (2, 2)
    assert (figures.urgent, figures.last_day, figures.same_day_last_week) == (1, 2, 1)
    assert figures.minutes_to_dispatch == pytest.approx(60, abs=1)
    assert figures.minutes_to_scene is None
    assert figures.times_unknown == 1
    assert sum(bar.count for bar in figures.hours) == 2
    assert [(share.name_en, share.count) for share in figures.top_types] == [("Burglary", 2)]
    assert [(share.name_en, share.count) for share in figures.governorates] == [("Hawalli", 2)]


def test_the_figures_are_those_of_the_jurisdiction(cast, report):
    report()
    assert key_figures(cast.officer).open_now == 1
    assert key_figures(cast.stranger).open_now == 0


def test_nothing_at_all_is_a_calm_page(client, cast):
    client.force_login(cast.officer)
    html = client.get("/").content.decode()
    assert "Nothing is open" in html and "unknown" in html


@time_machine.travel(datetime.now(UTC), tick=False)  # the figures are kept for seconds; a slow machine may not outlive them
def test_the_board_costs_the_same_however_many_rows(client, cast, report, settings, django_assert_num_queries):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    client.force_login(cast.officer)
    for _ in range(6):
        report()
    client.get("/")
    with django_assert_num_queries(14):  # one of them: am I on duty
        client.get("/")
    with django_assert_num_queries(5):  # session, person, governorates, head, rows
        client.get("/board/rows/")
    with django_assert_num_queries(4):
        client.get("/board/cards/?id=1&id=2&id=3")


def test_reading_a_filter_asks_the_database_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert IncidentFilter({"governorate": "5", "category": ["fire"], "severity": ["4"]}).is_valid()


def test_only_reading_is_offered(client, cast):
    client.force_login(cast.officer)
    for path in ("/", "/board/rows/", "/board/cards/", "/board/figures/"):
        assert client.post(path).status_code == 405
