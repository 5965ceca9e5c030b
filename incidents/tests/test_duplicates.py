"""ING-6: duplicates within and across agencies, scored with their parts; merge, link, not the same, undo; precision and recall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.duplicates import _figures, _scored
from benchmarks.made_reports import made_up_reports
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, EventCursor
from core.subscribers import advance
from core.tests.log import number_events
from incidents.analytics.duplicates import THRESHOLD, Sighting, likeness, words_alike
from incidents.models import DuplicateCandidate, IncidentType, Source
from incidents.services import (
    close_incident,
    dismiss_duplicates,
    link_duplicates,
    mark_duplicate,
    merge_duplicates,
    undo_duplicates,
)
from incidents.services.duplicates import MOST_KEPT, find_duplicates
from incidents.subscribers import SUBSCRIBERS

NOON = datetime.now(UTC) - timedelta(hours=2)
CRASH = "Two cars collided near the mosque, street 12, one driver hurt"


@pytest.fixture
def fire_desk(cast, places):
    return Source.objects.create(slug="fire-desk", name="Fire desk", agency=cast.fire, region=places.region)


@pytest.fixture
def fire_type(db):
    return IncidentType.objects.update_or_create(
        code="vehicle-fire-test", defaults={"name_en": "Vehicle fire", "name_ar": "حريق مركبة", "category": "fire"}
    )[0]


@pytest.fixture
def pair(report, places, cast):
    """Two reports of one event to the police, found."""
    one = report(occurred_at=NOON, description=CRASH)
    other = report(
        occurred_at=NOON + timedelta(minutes=4),
        description="cars collided by the mosque, driver hurt, street 12",
        location=near(places, 60),
    )
    find_duplicates(incident_ids=[other.pk])
    return DuplicateCandidate.objects.get(first=one, second=other)


def near(places, metres):
    return Point(places.in_salmiya.x + metres / 97_000, places.in_salmiya.y, srid=4326)


metres = st.floats(0, 2_000)
texts = st.sampled_from(["", CRASH, "حريق في شقة قرب المسجد", "loud music at the park"])
categories = st.sampled_from(["fire", "traffic", "drugs"])
sighting = st.builds(Sighting, metres, metres, st.floats(0, 200), st.sampled_from(["a", "b"]), categories, texts)


@given(sighting, sighting)
def test_likeness_is_symmetric_between_0_and_1_and_falls_with_distance(one, other):
    there, back = likeness(one, other), likeness(other, one)
    assert there.score == pytest.approx(back.score) and 0 <= there.score <= 1
    assert likeness(one, one).score == pytest.approx(1)
    further = Sighting(other.x_m + 5_000, other.y_m, other.minutes, other.type, other.category, other.text)
    if likeness(one, further).distance_m > there.distance_m:
        assert likeness(one, further).score <= there.score + 1e-12


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("حَريقٌ في مخزن الشويخ", "حريق فى مخزن الشويخ"),
        ("سرقة سيارة أمام الجمعية", "سرقه سياره امام الجمعيه"),
        ("إصابة شخص بالقرب من المستشفى", "اصابة شخص بالقرب من مستشفي"),
        ("تصادم، شارع ١٢", "تصادم شارع 12"),
    ],
)
def test_arabic_written_two_ways_is_the_same_words(one, other):
    assert (words_alike(one, other) or 0) > 0.93


def test_texts_in_two_scripts_or_too_short_say_nothing():
    assert words_alike("fire in a flat", "حريق في شقة") is None
    assert words_alike("fire", "a fire in a flat") is None
    assert words_alike("", "") is None


def test_on_made_up_reports_it_finds_most_duplicates_and_beats_place_and_time_alone():
    made = made_up_reports(seed=11, events=1_500, days=1.2)
    precision, recall, f1 = _figures(*_scored(made), THRESHOLD)
    assert precision > 0.8 and recall > 0.8
    assert f1 > _figures(*_scored(made, by_place=True), 0.6)[2]


@pytest.mark.django_db
class TestFinding:
    def test_the_log_finds_a_pair_across_agencies_and_shows_its_parts(self, report, places, fire_desk, fire_type, cast):
        [subscriber] = [one for one in SUBSCRIBERS if one.name == "incidents.duplicates"]
        one = report(occurred_at=NOON, description=CRASH)
        other = report(
            source=fire_desk, type=fire_type, occurred_at=NOON + timedelta(minutes=6), location=near(places, 80),
            description="collided cars near the mosque, street 12, car burning, a driver hurt",
        )  # fmt: skip
        EventCursor.objects.create(name=subscriber.name, seq=0)
        number_events()
        advance(subscriber)
        row = DuplicateCandidate.objects.get()
        assert (row.first, row.second, row.state) == (one, other, "waiting")
        assert row.score >= THRESHOLD and set(row.parts) == {"near", "soon", "kin", "words"}
        assert 75 < row.distance_m < 85 and row.minutes == 6 and row.code_version
        assert find_duplicates(incident_ids=[one.pk, other.pk]) == 0
        # The police's people see their own only: of the pair they are told nothing.
        assert not DuplicateCandidate.objects.visible_to(cast.dispatcher).exists()
        assert DuplicateCandidate.objects.visible_to(cast.superadmin).exists()

    def test_far_late_made_up_ended_and_unlocated_ones_are_no_neighbours(self, report, places):
        same = {"description": CRASH}
        one = report(occurred_at=NOON, **same)
        report(occurred_at=NOON, location=places.in_jabriya, **same)
        report(occurred_at=NOON - timedelta(minutes=95), **same)
        report(occurred_at=NOON, location=None, **same)
        report(occurred_at=NOON, is_synthetic=True, **same)
        mark_duplicate(incident=report(occurred_at=NOON, **same), original=one, by=None)
        assert find_duplicates(incident_ids=[one.pk]) == 0

    def test_a_hundred_at_one_place_give_the_best_few_and_a_bounded_number_of_queries(self, report):
        made = [report(occurred_at=NOON, description=CRASH) for _ in range(12)]
        with CaptureQueriesContext(connection) as asked:
            assert find_duplicates(incident_ids=[made[-1].pk]) == MOST_KEPT
        assert len(asked) <= 7


@pytest.mark.django_db
class TestDeciding:
    def test_merging_closes_the_other_and_undoing_reopens_it(self, pair, cast):
        row = merge_duplicates(candidate=pair, keep=pair.first, by=cast.dispatcher, reason="same cars")
        pair.second.refresh_from_db()
        assert (row.state, row.kept, row.decided_by) == ("merged", pair.first, cast.dispatcher)
        assert (pair.second.state, pair.second.duplicate_of) == ("duplicate", pair.first)
        assert pair.first.log.filter(changes={"merged": [None, pair.second.pk]}).exists()
        with pytest.raises(Conflict):
            merge_duplicates(candidate=pair, keep=pair.first, by=cast.dispatcher)
        row = undo_duplicates(candidate=pair, by=cast.dispatcher, reason="two accidents")
        pair.second.refresh_from_db()
        assert (row.state, row.kept, row.decided_at, pair.second.state, pair.second.duplicate_of) == (
            "waiting",
            None,
            None,
            "reopened",
            None,
        )
        assert list(AuditEntry.objects.filter(verb__startswith="duplicate.").order_by("id").values_list("verb", "reason")) == [
            ("duplicate.merge", "same cars"), ("duplicate.undo", "two accidents"),
        ]  # fmt: skip

    def test_either_may_be_kept_and_none_but_the_two(self, pair, report, cast):
        with pytest.raises(Invalid):
            merge_duplicates(candidate=pair, keep=report(), by=cast.dispatcher)
        assert merge_duplicates(candidate=pair, keep=pair.second, by=cast.dispatcher).kept == pair.second
        pair.first.refresh_from_db()
        assert pair.first.state == "duplicate"

    def test_linked_and_dismissed_pairs_leave_both_as_they_are_and_can_be_taken_back(self, pair, cast):
        for verb, state in ((link_duplicates, "linked"), (dismiss_duplicates, "dismissed")):
            assert verb(candidate=pair, by=cast.supervisor).state == state
            assert not DuplicateCandidate.objects.waiting().exists()
            assert find_duplicates(incident_ids=[pair.second_id]) == 0
            assert undo_duplicates(candidate=pair, by=cast.supervisor).state == "waiting"
        with pytest.raises(Conflict):
            undo_duplicates(candidate=pair, by=cast.supervisor)
        pair.second.refresh_from_db()
        assert pair.second.state == "received"

    def test_no_chain_is_made(self, pair, report, cast):
        mark_duplicate(incident=report(occurred_at=NOON), original=pair.second, by=None)
        with pytest.raises(Conflict, match="keep that one"):
            merge_duplicates(candidate=pair, keep=pair.first, by=cast.dispatcher)
        pair.refresh_from_db()
        assert pair.state == "waiting"

    def test_what_became_of_it_since_is_not_undone(self, pair, cast):
        merge_duplicates(candidate=pair, keep=pair.first, by=cast.supervisor)
        from incidents.services import reopen_incident

        pair.second.refresh_from_db()
        reopen_incident(incident=pair.second, by=cast.supervisor, reason="a second accident")
        with pytest.raises(Conflict, match="since"):
            undo_duplicates(candidate=pair, by=cast.supervisor)

    def test_a_closed_incident_is_not_merged_and_nothing_is_half_done(self, pair, cast):
        close_incident(incident=pair.second, by=None, disposition="resolved")
        with pytest.raises(Conflict):
            merge_duplicates(candidate=pair, keep=pair.first, by=cast.dispatcher)
        pair.refresh_from_db()
        assert pair.state == "waiting" and not AuditEntry.objects.filter(verb="duplicate.merge").exists()

    def test_roles_and_jurisdiction_decide_who_may(self, pair, cast):
        with pytest.raises(NotAllowed):
            merge_duplicates(candidate=pair, keep=pair.first, by=cast.officer)
        with pytest.raises(NotFound):
            dismiss_duplicates(candidate=pair, by=cast.firefighter)
        with pytest.raises(Invalid):
            link_duplicates(candidate=pair, by=cast.dispatcher, reason="x" * 2_001)


def enter(who):
    client = Client()
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.django_db
class TestDoors:
    def test_the_queue_shows_a_pair_and_takes_the_decision(self, pair, cast):
        client = enter(cast.dispatcher)
        page = client.get(reverse("duplicates")).content.decode()
        assert pair.first.ref in page and pair.second.ref in page and "<meter" in page
        answer = client.post(reverse("duplicates-act", args=[pair.pk, "merge"]), {"keep": pair.second_id, "reason": "one crash"})
        assert answer.status_code == 302
        pair.refresh_from_db()
        assert (pair.state, pair.kept_id, pair.reason) == ("merged", pair.second_id, "one crash")
        assert pair.second.ref in client.get(reverse("duplicates") + "?show=decided").content.decode()
        client.post(reverse("duplicates-act", args=[pair.pk, "undo"]), {"back": "https://evil.example/"})
        pair.refresh_from_db()
        assert pair.state == "waiting"

    def test_an_incidents_page_names_what_it_may_be_the_same_as_and_comes_back_to_itself(self, pair, cast):
        client = enter(cast.dispatcher)
        here = reverse("incident", args=[pair.first.ref])
        assert pair.second.ref in client.get(here).content.decode()
        answer = client.post(reverse("duplicates-act", args=[pair.pk, "link"]), {"back": here})
        assert answer["Location"] == here
        assert "Linked" in client.get(here).content.decode()
        assert "duplicates-act" not in enter(cast.officer).get(here).content.decode()

    def test_who_sees_not_both_sees_no_pair(self, pair, cast):
        client = enter(cast.firefighter)
        assert pair.first.ref not in client.get(reverse("duplicates")).content.decode()
        assert client.post(reverse("duplicates-act", args=[pair.pk, "merge"])).status_code == 404
        assert client.get(f"/api/v1/duplicates/{pair.pk}").status_code == 404
        assert client.get("/api/v1/duplicates").json()["results"] == []

    def test_the_api_lists_and_decides(self, pair, cast):
        client = enter(cast.supervisor)
        [row] = client.get("/api/v1/duplicates", {"state": "waiting"}).json()["results"]
        assert (row["id"], row["first"]["ref"], row["kept"]) == (pair.pk, pair.first.ref, "")
        assert client.get("/api/v1/duplicates", {"state": "x"}).status_code == 422
        said = client.post(f"/api/v1/duplicates/{pair.pk}/merge", {"keep": pair.second.ref}, content_type="application/json")
        assert (said.status_code, said.json()["state"], said.json()["kept"]) == (200, "merged", pair.second.ref)
        again = client.post(f"/api/v1/duplicates/{pair.pk}/link", {}, content_type="application/json")
        assert again.status_code == 409
        assert client.post(f"/api/v1/duplicates/{pair.pk}/merge", {"keep": "KW-26-1"}, content_type="application/json").status_code == 422
        assert client.post(f"/api/v1/duplicates/{pair.pk}/undo", {}, content_type="application/json").json()["state"] == "waiting"

    def test_a_supervisor_decides_in_the_command_centre(self, pair, cast):
        client = enter(cast.supervisor)
        listing = reverse("admin:incidents_duplicatecandidate_changelist")
        assert pair.first.ref in client.get(listing).content.decode()
        for action, state in (("dismiss", "dismissed"), ("undo", "waiting"), ("merge", "merged"), ("undo", "waiting"), ("link", "linked")):
            client.post(listing, {"action": action, "_selected_action": [pair.pk], "apply": "1", "reason": ""})
            pair.refresh_from_db()
            assert pair.state == state
