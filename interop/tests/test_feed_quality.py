"""ING-7: how good each feed is, counted by the hour it came in, with a score that can be followed and none where there is too little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from conftest import Cast, Places
from core.models import Event
from incidents.analytics.feed_quality import Counts, quality
from incidents.models import DuplicateCandidate, FeedHour, IncidentType, RejectedRow, Report, Source
from incidents.services.feed_quality import feed_quality
from interop.models import InboxMessage, InboxRepeat, Kind, Partner
from interop.services import count_feeds, issue_key
from interop.tests.conftest import Caller

HOUR = timedelta(hours=1)


def hours_of(source: Source) -> dict[str, Any]:
    return dict(FeedHour.objects.filter(source=source).values().get())


@pytest.fixture
def moi(caller: Caller, burglary_report: dict[str, Any]) -> Source:
    """A feed that has sent two good messages (one without words), one in the sea, one senseless, and one of them twice."""
    sent = burglary_report | {"reported_at": datetime.now(UTC).isoformat(), "occurred_at": datetime.now(UTC).isoformat()}
    assert caller.post("ingest/moi-incident", sent).status_code == 201
    assert caller.post("ingest/moi-incident", sent).status_code == 200
    assert caller.post("ingest/moi-incident", sent | {"report_number": "Q-2"}).status_code == 201
    at_sea = sent | {"report_number": "Q-3", "location": {"longitude": 48.9, "latitude": 29.35}}
    assert caller.post("ingest/moi-incident", at_sea).status_code == 422
    assert caller.post("ingest/moi-incident", {"report_number": "Q-4"}).status_code == 422
    return Source.objects.get(slug="police-cad-moi-incident")


def test_what_a_feed_sends_is_counted_by_the_hour(moi: Source) -> None:
    count_feeds()
    hour = hours_of(moi)
    assert (hour["accepted"], hour["located"], hour["live"], hour["timely"]) == (2, 2, 2, 2)
    assert (hour["refused_messages"], hour["outside_messages"], hour["repeats"]) == (2, 1, 1)


def test_counting_again_changes_nothing(moi: Source) -> None:
    count_feeds()
    before = hours_of(moi)
    count_feeds()
    count_feeds(hours=72)
    assert {**hours_of(moi), "counted_at": 0} == {**before, "counted_at": 0}


def test_what_is_no_more_is_taken_out_of_its_hour(moi: Source) -> None:
    count_feeds()
    InboxMessage.objects.filter(source=moi, status="rejected").delete()
    InboxRepeat.objects.all().delete()
    count_feeds()
    hour = hours_of(moi)
    assert (hour["accepted"], hour["refused_messages"], hour["outside_messages"], hour["repeats"]) == (2, 0, 0, 0)


def test_a_row_that_becomes_visible_late_lands_in_its_own_hour(moi: Source, report: Any) -> None:
    count_feeds()
    late = report(source=moi, external_id="late")
    at = datetime.now(UTC) - 2 * HOUR
    Report.objects.filter(incident=late).update(received_at=at)
    count_feeds()
    counted = FeedHour.objects.filter(source=moi, accepted__gt=0).values_list("hour", "accepted")
    assert [(hour.hour, accepted) for hour, accepted in counted] == [(datetime.now(UTC).hour, 2), (at.hour, 1)]


def test_counting_that_stood_still_goes_on_where_it_stopped(moi: Source, report: Any, police_112: Source) -> None:
    now = datetime.now(UTC)
    FeedHour.objects.create(source=police_112, hour=(now - 30 * HOUR).replace(minute=0, second=0, microsecond=0), counted_at=now)
    Report.objects.filter(incident=report(source=moi, external_id="missed")).update(received_at=now - 26 * HOUR)
    count_feeds()
    assert FeedHour.objects.filter(source=moi, hour__lt=now - 20 * HOUR).get().accepted == 1


def test_rows_of_files_new_types_and_likely_repeats_are_counted_too(police_112: Source, report: Any, burglary: IncidentType) -> None:
    odd = IncidentType.objects.create(code="odd", name_en="Odd", is_reviewed=False)
    first, second, third = report(), report(reported_at=datetime.now(UTC) - HOUR), report(type=odd)
    pair = {"score": 0.9, "distance_m": 1, "minutes": 1, "parts": {}}
    DuplicateCandidate.objects.create(first=first, second=second, **pair)
    told_apart = DuplicateCandidate.objects.create(first=first, second=third, state="dismissed", **pair)
    for code in ("out_of_area", "unreadable"):
        RejectedRow.objects.create(source=police_112, status="quarantined", errors=[{"field": "lon", "code": code, "message": "?"}], raw={})
    count_feeds()
    hour = hours_of(police_112)
    assert (hour["accepted"], hour["unknown_type"], hour["alike"]) == (3, 1, 1)
    assert (hour["live"], hour["timely"]) == (1, 0)  # two do not say when they were reported
    assert (hour["refused_rows"], hour["outside_rows"]) == (2, 1)
    assert told_apart.state == "dismissed"


def test_a_message_that_was_mended_was_refused_all_the_same(moi: Source, cast: Cast, burglary_report: dict[str, Any]) -> None:
    from interop.services import correct_message

    kept = InboxMessage.objects.get(source=moi, message_id="Q-4")
    body = burglary_report | {"report_number": "Q-4", "occurred_at": datetime.now(UTC).isoformat()}
    correct_message(message=kept, body=body, reason="typing error", by=cast.superadmin)
    count_feeds()
    hour = hours_of(moi)
    assert (hour["accepted"], hour["refused_messages"]) == (3, 2)


# -- the score -------------------------------------------------------------------------------------------------------------------------


def test_too_little_is_said_and_not_scored() -> None:
    told = quality(Counts(accepted=19, located=19, worded=19, live=19, timely=19))
    assert told.score is None and {part.share for part in told.parts} == {None, 1.0}


def test_a_feed_without_fault_has_all_points_and_nothing_is_worst() -> None:
    told = quality(Counts(accepted=50, located=50, worded=50, live=50, timely=50))
    assert told.score == 100 and told.worst is None


def test_a_part_that_cannot_be_said_leaves_the_sum() -> None:
    out_of_files = quality(Counts(accepted=50, located=50, worded=50))
    assert out_of_files.score == 100 and {part.name for part in out_of_files.parts if part.share is None} == {"freshness"}


def test_the_score_says_what_pulls_it_down() -> None:
    told = quality(Counts(accepted=80, located=80, worded=80, live=80, timely=8, refused=20, outside=10, repeats=0))
    assert told.worst is not None and told.worst.name == "freshness"
    # 25 × 0.90 + 20 + 20 × 0.10 + 15 + 10 × 80/90 + 10
    assert told.score == pytest.approx(78.39, abs=0.01)


def test_the_weeks_are_compared(police_112: Source, cast: Cast) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    good = {"accepted": 40, "located": 40, "worded": 40, "live": 40, "timely": 40, "counted_at": now}
    for days, counts in ((1, {**good, "timely": 0}), (8, good), (70, good)):
        FeedHour.objects.create(source=police_112, hour=now - timedelta(days=days), **counts)
    (feed,) = feed_quality(Source.objects.filter(pk=police_112.pk), viewer=cast.supervisor, now=now)
    assert (feed.week.score, feed.week_before.score, feed.week_change) == (80, 100, -20)
    assert feed.month_change is None and feed.month.score == 90
    assert [day.quality.score for day in feed.days if day.quality.counts.came] == [100, 80]


def test_an_hour_belongs_to_the_day_it_has_here(police_112: Source, cast: Cast) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    FeedHour.objects.create(source=police_112, hour=datetime(2026, 11, 19, 21, tzinfo=UTC), accepted=1, counted_at=now)
    (feed,) = feed_quality(Source.objects.filter(pk=police_112.pk), viewer=cast.supervisor, now=now)
    assert feed.days[-1].quality.counts.accepted == 1  # 21:00 UTC is midnight in Kuwait


# -- the API ---------------------------------------------------------------------------------------------------------------------------


def test_a_partners_key_reads_the_quality_of_its_own_feeds_alone(moi: Source, caller: Caller, cast: Cast, places: Places) -> None:
    count_feeds()
    told = caller.get("feeds").json()["results"]
    assert [feed["feed"] for feed in told] == [moi.slug]
    assert told[0]["week"]["score"] is None and told[0]["week"]["counts"]["refused"] == 2
    one = caller.get(f"feeds/{moi.slug}")
    assert one.status_code == 200 and len(one.json()["days"]) == 30
    assert {error["code"] for error in one.json()["last_refused"][0]["errors"]} & {"required", "out_of_area"}
    other = Partner.objects.create(slug="other", name="Other", agency=cast.police, region=places.region, kinds=[Kind.MOI_INCIDENT])
    key, secret = issue_key(partner=other, name="k", scopes=["incidents:write"], by=None, all_governorates=True)
    assert Caller(key, secret).get("feeds").json()["results"] == []
    assert Caller(key, secret).get(f"feeds/{moi.slug}").status_code == 404


def test_people_read_the_feeds_of_their_agencies_where_their_role_allows_it(moi: Source, cast: Cast) -> None:
    def ask(person: Any, path: str = "feeds") -> Any:
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/v1/{path}")

    assert ask(cast.supervisor).status_code == 200
    assert ask(cast.officer).status_code == 403 and ask(cast.dispatcher).status_code == 403
    cast.supervisor.agency = cast.fire
    cast.supervisor.save()
    assert ask(cast.supervisor).json()["results"] == [] and ask(cast.supervisor, f"feeds/{moi.slug}").status_code == 404


def test_a_silence_is_told_with_its_beginning_and_end(moi: Source, caller: Caller) -> None:
    from interop.services import look_for_silence

    now = datetime.now(UTC)
    InboxMessage.objects.filter(source=moi).update(received_at=now - timedelta(minutes=50))
    look_for_silence(now=now)
    assert Event.objects.filter(type="feed.silent").count() == 1
    told = caller.get(f"feeds/{moi.slug}").json()
    assert told["is_silent"] and len(told["silences"]) == 1 and told["silences"][0]["until"] is None
    InboxMessage.objects.filter(source=moi, message_id="Q-2").update(received_at=now)
    look_for_silence(now=now + timedelta(minutes=1))
    told = caller.get(f"feeds/{moi.slug}").json()
    assert not told["is_silent"] and told["silences"][0]["until"] is not None


def test_warnings_taken_count_for_the_feed_that_brings_them(moi: Source, cast: Cast) -> None:
    now = datetime.now(UTC)
    InboxMessage.objects.create(
        source=moi,
        kind=Kind.CAP_ALERT,
        message_id="W-1",
        digest="",
        body={},
        agency_id=cast.police.pk,
        status="processed",
        processed_at=now,
    )
    count_feeds()
    assert hours_of(moi)["notices"] == 1
    told = quality(Counts(notices=99, refused=1))
    assert told.score == pytest.approx(100 - 25 / 45) and {part.name for part in told.parts if part.share is None} >= {"freshness"}
