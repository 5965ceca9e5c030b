"""ING-7: the page of the feeds and of one: who sees which, what it says, and what it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conftest import Cast, Places
from core.events import publish
from incidents.models import FeedHour, RejectedRow, Source
from interop.models import Feed, InboxMessage, Kind, Partner


def enter(person: Any) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def counted(source: Source, *, days_ago: int = 0, **counts: int) -> FeedHour:
    now = timezone.now()
    hour = (now - timedelta(days=days_ago)).replace(minute=0, second=0, microsecond=0)
    return FeedHour.objects.create(source=source, hour=hour, counted_at=now, **counts)


@pytest.fixture
def cad(cast: Cast, places: Places) -> Source:
    source = Source.objects.create(slug="police-cad", name="Police CAD", agency=cast.police, region=places.region)
    partner = Partner.objects.create(slug="cad", name="Police CAD", agency=cast.police, region=places.region, kinds=[Kind.MOI_INCIDENT])
    Feed.objects.create(partner=partner, kind=Kind.MOI_INCIDENT, source=source, last_heard_at=timezone.now())
    return source


def test_every_feed_has_its_line_with_a_score_or_the_word_that_there_is_too_little(cast: Cast, cad: Source, police_112: Source) -> None:
    counted(cad, accepted=80, located=80, worded=80, live=80, timely=8, refused_messages=20, outside_messages=10)
    counted(police_112, accepted=3, located=3)
    text = enter(cast.supervisor).get(reverse("feeds")).content.decode()
    assert "<bdi>78</bdi>" in text and "Police CAD" in text
    assert "too little to say: 3 came, 20 are needed" in text and "Freshness" in text


def test_the_poorest_come_first_and_silent_ones_before_them(cast: Cast, cad: Source, police_112: Source) -> None:
    good = {"accepted": 50, "located": 50, "worded": 50, "live": 50}
    counted(police_112, **good, timely=50)
    counted(cad, **good, timely=0)

    def order() -> bool:
        text = enter(cast.supervisor).get(reverse("feeds")).content.decode()
        return text.index("/feeds/police-cad/") < text.index("/feeds/test-112/")

    assert order()
    Source.objects.filter(pk=police_112.pk).update(last_received_at=timezone.now() - timedelta(days=2))
    assert not order()


def test_one_feed_shows_its_parts_its_refusals_and_its_silences(cast: Cast, cad: Source, police_112: Source) -> None:
    counted(cad, accepted=80, located=80, worded=40, live=80, timely=80)
    InboxMessage.objects.create(
        source=cad, kind=Kind.MOI_INCIDENT, message_id="R-1", digest="", body={"secret": "body"}, agency_id=cast.police.pk,
        status="rejected",
        errors=[{"field": "occurred_at", "code": "required", "detail": "?"}],
    )  # fmt: skip
    RejectedRow.objects.create(
        source=cad, external_id="row-9", status="quarantined", errors=[{"field": "lon", "code": "out_of_area"}], raw={}
    )
    feed = cad.feed
    publish("feed.silent", subject=feed, agency_id=cast.police.pk, data={"since": timezone.now().isoformat(), "minutes": 31})
    text = enter(cast.supervisor).get(reverse("feeds-one", args=[cad.slug])).content.decode()
    assert "R-1" in text and "row-9" in text and "A field is missing" in text and "Out of area" in text
    assert "still silent" in text and "secret" not in text
    assert '<bdi class="num">120</bdi> of <bdi class="num">160</bdi>' in text


@pytest.mark.parametrize("role", ["dispatcher", "officer", "firefighter"])
def test_who_does_not_look_after_data_is_refused(cast: Cast, cad: Source, role: str) -> None:
    client = enter(getattr(cast, role))
    assert client.get(reverse("feeds")).status_code == 403
    assert client.get(reverse("feeds-one", args=[cad.slug])).status_code == 403
    assert reverse("feeds") not in client.get(reverse("duplicates")).content.decode()


def test_another_agencys_feed_does_not_exist(cast: Cast, cad: Source) -> None:
    cast.supervisor.agency = cast.fire
    cast.supervisor.save()
    client = enter(cast.supervisor)
    assert "Police CAD" not in client.get(reverse("feeds")).content.decode()
    assert client.get(reverse("feeds-one", args=[cad.slug])).status_code == 404
    assert client.get(reverse("feeds-one", args=["no-such"])).status_code == 404


def test_nobody_looks_in_without_signing_in(db: None) -> None:
    assert Client().get(reverse("feeds")).status_code == 302


def test_the_list_costs_no_more_for_more_feeds(cast: Cast, cad: Source, places: Places, django_assert_max_num_queries: Any) -> None:
    client = enter(cast.superadmin)
    for number in range(5):
        source = Source.objects.create(slug=f"more-{number}", name=f"More {number}", agency=cast.fire, region=places.region)
        counted(source, accepted=40, located=40)
    client.get(reverse("feeds"))
    with django_assert_max_num_queries(14):
        client.get(reverse("feeds"))
